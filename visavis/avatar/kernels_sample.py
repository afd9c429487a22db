"""Bilinear sampling of sixteen pixels at once, at places that drift slowly along a row and from row to row.

Each lane would fetch its own two neighbours; instead a row reads all two or three candidates as contiguous vectors and weighs
them by tents (``1 - |distance|``, 0 beyond a pixel), which is the same sum. Weights are rounded to 1/128, sums to 8 bits.
"""

from __future__ import annotations

from typing import Any, Final

from visavis.avatar.kernels_lanes import (
    add,
    by_64,
    by_128,
    kernel,
    less,
    load,
    load_pair,
    mul,
    routine,
    splat,
    store,
    store_pair,
    sub,
)


def _variant(fetch: Any, put: Any, whole: Any, columns: int, rows: int) -> Any:
    """A bilinear sampler of rows of lanes. ``columns``, ``rows``: candidates that a lane has; 3 columns include 2."""

    @kernel
    def across(first: Any, middle: Any, last: Any, here: Any, beside: Any, beyond: Any) -> Any:
        if columns == 1:
            return here
        total = add(add(mul(here, first), splat(64)), mul(beside, middle))
        if columns == 3:
            total = add(total, mul(beyond, last))
        return by_128(total)

    @kernel
    def sample(
        to: Any, pitch: Any, jump: Any, at: Any, stride: Any, step: Any,
        fx: Any, step_x: Any, fy: Any, step_y: Any, height: Any,
    ) -> None:  # fmt: skip
        one = splat(128)
        # What one row reads below, the next one reads above: it is kept.
        a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = fetch(at, step)
        if columns > 1:
            a1 = fetch(at + 1, step)
        if columns > 2:
            a2 = fetch(at + 2, step)
        if rows == 3:
            b0 = fetch(at + stride, step)
            if columns > 1:
                b1 = fetch(at + stride + 1, step)
            if columns > 2:
                b2 = fetch(at + stride + 2, step)
        for _ in range(height):
            # How far right of its first and below its upper candidate each lane samples, in 1/128.
            right, down = whole(fx), whole(fy)
            first, middle, last = right, right, right
            if columns == 2:
                first = sub(one, right)
            elif columns == 3:
                first, last = less(one, right), less(right, one)
                middle = sub(sub(one, first), last)
            value = across(first, middle, last, a0, a1, a2)
            if rows > 1:
                below = at + (rows - 1) * stride
                c0 = fetch(below, step)
                if columns > 1:
                    c1 = fetch(below + 1, step)
                if columns > 2:
                    c2 = fetch(below + 2, step)
                lowest = across(first, middle, last, c0, c1, c2)
                if rows == 2:
                    value = by_128(add(add(mul(value, sub(one, down)), splat(64)), mul(lowest, down)))
                    a0, a1, a2 = c0, c1, c2
                else:
                    upper, lower = less(one, down), less(down, one)
                    centre = sub(sub(one, upper), lower)
                    total = add(mul(value, upper), mul(across(first, middle, last, b0, b1, b2), centre))
                    value = by_128(add(add(total, splat(64)), mul(lowest, lower)))
                    a0, a1, a2, b0, b1, b2 = b0, b1, b2, c0, c1, c2
            put(to, jump, value)
            to += pitch
            at += stride
            if rows == 1:
                a0 = fetch(at, step)
            fx, fy = add(fx, step_x), add(fy, step_y)

    return sample


def _any_variant(fetch: Any, put: Any, whole: Any) -> Any:
    """The sampler for any number of candidates."""

    @kernel
    def across(at: Any, step: Any, fx: Any, many: Any) -> Any:
        total = splat(64)
        for tap in range(many):
            peak = splat(128 * tap)
            share = less(splat(128), add(less(fx, peak), less(peak, fx)))
            total = add(total, mul(fetch(at + tap, step), share))
        return by_128(total)

    @kernel
    def sample(
        to: Any, pitch: Any, jump: Any, at: Any, stride: Any, step: Any,
        fx: Any, step_x: Any, fy: Any, step_y: Any, many_columns: Any, many_rows: Any, height: Any,
    ) -> None:  # fmt: skip
        for _ in range(height):
            right, down = whole(fx), whole(fy)
            total = splat(64)
            for tap in range(many_rows):
                peak = splat(128 * tap)
                share = less(splat(128), add(less(down, peak), less(peak, down)))
                total = add(total, mul(across(at + tap * stride, step, right, many_columns), share))
            put(to, jump, by_128(total))
            to += pitch
            at += stride
            fx, fy = add(fx, step_x), add(fy, step_y)

    return sample


def _sampler(fetch: Any, put: Any, whole: Any) -> Any:
    still, lifted = _variant(fetch, put, whole, 1, 1), _variant(fetch, put, whole, 1, 2)
    two_two, three_two = _variant(fetch, put, whole, 2, 2), _variant(fetch, put, whole, 3, 2)
    two_three, three_three = _variant(fetch, put, whole, 2, 3), _variant(fetch, put, whole, 3, 3)
    any_any = _any_variant(fetch, put, whole)

    @routine
    def sample(
        to: Any, pitch: Any, jump: Any, at: Any, stride: Any, step: Any,
        fx: Any, step_x: Any, fy: Any, step_y: Any, columns: Any, rows: Any, height: Any,
    ) -> None:  # fmt: skip
        """Sample ``height`` rows of sixteen lanes into memory at ``to``, rows ``pitch`` apart.

        ``fx``, ``fy``: how far right and below of ``at`` the lanes of the first row sample, in 1/8192, and what each
        further row adds to that. ``columns``, ``rows``: how many neighbours can have a share; 1: all lie on whole pixels.
        """
        if columns == 1 and rows == 1:
            still(to, pitch, jump, at, stride, step, fx, step_x, fy, step_y, height)
        elif columns == 1 and rows == 2:
            lifted(to, pitch, jump, at, stride, step, fx, step_x, fy, step_y, height)
        elif columns <= 2 and rows <= 2:
            two_two(to, pitch, jump, at, stride, step, fx, step_x, fy, step_y, height)
        elif columns <= 3 and rows <= 2:
            three_two(to, pitch, jump, at, stride, step, fx, step_x, fy, step_y, height)
        elif columns <= 2 and rows <= 3:
            two_three(to, pitch, jump, at, stride, step, fx, step_x, fy, step_y, height)
        elif columns <= 3 and rows <= 3:
            three_three(to, pitch, jump, at, stride, step, fx, step_x, fy, step_y, height)
        else:
            any_any(to, pitch, jump, at, stride, step, fx, step_x, fy, step_y, columns, rows, height)

    return sample


@kernel
def _one(at: Any, step: Any) -> Any:
    return load(at)


@kernel
def _two(at: Any, step: Any) -> Any:
    return load_pair(at, at + step)


@kernel
def _put_one(to: Any, jump: Any, value: Any) -> None:
    store(to, value)


@kernel
def _put_two(to: Any, jump: Any, value: Any) -> None:
    store_pair(to, to + jump, value)


luma_sample: Final = _sampler(_one, _put_one, by_64)
chroma_sample: Final = _sampler(_two, _put_two, by_128)
