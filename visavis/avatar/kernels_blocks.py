"""Blocks of a picture, and what moves them: functions for numba, compiled by :mod:`visavis.avatar.kernels` (see there)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from visavis.avatar.kernels_lanes import (
    add,
    by_256,
    kernel,
    load,
    load_pair,
    load_pair_some,
    load_some,
    mul,
    prefetch,
    ramp,
    ramp_pair,
    routine,
    smaller,
    splat,
    store,
    store_pair,
    store_pair_some,
    store_some,
    sub,
)
from visavis.avatar.kernels_sample import chroma_sample, luma_sample

BLOCK: Final = 16
"""Luma samples on a side of a block; nodes are as far apart."""
UNITS: Final = 32
"""Displacements are multiples of 1/32 pixel."""
TILE: Final = 8
"""Luma samples on a side of the tiles that say where a person's picture is opaque."""
WINDOW: Final = 4
"""Tiles on a side of the square that a tile speaks for: its own place and what a block from there on can reach."""
BEYOND: Final = 32
"""Transparent luma samples that must surround a person's picture: whoever samples beyond them sees nothing."""
_SPREAD: Final = 7 * UNITS
"""If the displacements of a block differ by more, its tile does not speak for all of it."""

EMPTY: Final = 0
MIXED: Final = 1
OPAQUE: Final = 2
UNKNOWN: Final = 3


@kernel
def _scaled(value: Any, share: Any) -> Any:
    """value * share / 255, rounded: exact for all pairs of bytes."""
    product = add(mul(value, share), splat(128))
    return by_256(add(product, by_256(product)))


@kernel
def _over(upper: Any, alpha: Any, lower: Any) -> Any:
    full = splat(255)
    return smaller(add(upper, _scaled(lower, sub(full, alpha))), full)


@kernel
def _take(at: Any, count: Any) -> Any:
    if count >= 16:
        return load(at)
    return load_some(at, count)


@kernel
def _take_pair(first: Any, second: Any, count: Any) -> Any:
    if count >= 8:
        return load_pair(first, second)
    return load_pair_some(first, second, count)


@kernel
def _put(to: Any, value: Any, count: Any) -> None:
    if count >= 16:
        store(to, value)
    else:
        store_some(to, value, count)


@routine
def _luma(
    out: Any, pitch: Any, under: Any, under_alpha: Any, over: Any, over_alpha: Any, clip: Any, width: Any,
    sheet: Any, stride: Any, alpha_step: Any, x0: Any, x1: Any, x2: Any, x3: Any, y0: Any, y1: Any, y2: Any, y3: Any,
    kind: Any, columns: Any, rows: Any, side: Any, scratch: Any,
) -> None:  # fmt: skip
    """The luma of a block. Addresses are those of its first pixel; ``over`` and ``clip``: 0 if there is none.

    ``side``: how far right alpha is shown, 0 if it is not. ``x0`` to ``y3``: the displacement of its corners, in UNITS.
    """
    direct = kind == OPAQUE and over == 0 and columns == 16
    if kind != EMPTY:
        right = ramp()
        left = sub(splat(16), right)
        step_a, step_b, step_c, step_d = x2 - x0, x3 - x1, y2 - y0, y3 - y1
        # Two halves of eight rows: the less the displacement varies, the fewer neighbours have a share.
        for half in range(0, rows, 8):
            # In 1/512 pixel, at both ends of the half's first and last row.
            a, b, c, d = (
                16 * x0 + half * step_a,
                16 * x1 + half * step_b,
                16 * y0 + half * step_c,
                16 * y1 + half * step_d,
            )
            last_a, last_b, last_c, last_d = a + 7 * step_a, b + 7 * step_b, c + 7 * step_c, d + 7 * step_d
            # Whole pixels go into the address; what is left is 0 or more.
            from_x, from_y = min(a, b, last_a, last_b) >> 9, min(c, d, last_c, last_d) >> 9
            many_x = 1 + ((max(a, b, last_a, last_b) - (from_x << 9) + 508) >> 9)
            many_y = 1 + ((max(c, d, last_c, last_d) - (from_y << 9) + 508) >> 9)
            a, b, c, d = a - (from_x << 9), b - (from_x << 9), c - (from_y << 9), d - (from_y << 9)
            fx, fy = add(mul(left, splat(a)), mul(right, splat(b))), add(mul(left, splat(c)), mul(right, splat(d)))
            step_x = add(mul(left, splat(step_a)), mul(right, splat(step_b)))
            step_y = add(mul(left, splat(step_c)), mul(right, splat(step_d)))
            at = sheet + (half + from_y) * stride + from_x
            count = min(8, rows - half)
            if direct:
                luma_sample(out + half * pitch, pitch, 0, at, stride, 0, fx, step_x, fy, step_y, many_x, many_y, count)
            else:
                to = scratch + 16 * half
                luma_sample(to, 16, 0, at, stride, 0, fx, step_x, fy, step_y, many_x, many_y, count)
                if kind == MIXED:
                    at += alpha_step
                    luma_sample(to + 256, 16, 0, at, stride, 0, fx, step_x, fy, step_y, many_x, many_y, count)
    if direct and side == 0:
        return
    for row in range(rows):
        at = row * width
        alpha = splat(255)
        if not direct:
            if kind == EMPTY:
                value = _take(under + at, columns)
            else:
                value = load(scratch + 16 * row)
                if kind == MIXED:
                    alpha = load(scratch + 256 + 16 * row)
                    if clip != 0:
                        inside = _take(clip + at, columns)
                        value, alpha = _scaled(value, inside), _scaled(alpha, inside)
                    value = _over(value, alpha, _take(under + at, columns))
            if over != 0:
                value = _over(_take(over + at, columns), _take(over_alpha + at, columns), value)
            _put(out + row * pitch, value, columns)
        if side != 0:
            if kind == EMPTY:
                alpha = _take(under_alpha + at, columns)
            elif kind == MIXED:
                alpha = _over(alpha, alpha, _take(under_alpha + at, columns))
            if over != 0:
                above = _take(over_alpha + at, columns)
                alpha = _over(above, above, alpha)
            # 0..255 becomes 16..235.
            shown = add(by_256(add(mul(alpha, splat(220)), splat(128))), splat(16))
            _put(out + row * pitch + side, shown, columns)


@routine
def _chroma(
    out_u: Any, out_v: Any, pitch: Any, under_u: Any, under_v: Any, over_u: Any, over_v: Any, over_alpha: Any, clip: Any,
    width: Any, sheet: Any, stride: Any, plane: Any, x0: Any, x1: Any, x2: Any, x3: Any, y0: Any, y1: Any, y2: Any, y3: Any,
    kind: Any, columns: Any, rows: Any, scratch: Any,
) -> None:  # fmt: skip
    """The chroma of a block, like :func:`_luma`: U in the first eight lanes, V in the others. ``plane``: from U to V."""
    direct = kind == OPAQUE and over_u == 0 and columns == 8
    if kind != EMPTY:
        right = ramp_pair()
        left = sub(splat(32), right)
        # Chroma samples lie between two rows and columns of luma: 1/32, 5/32 ... of the way from node to node. Corners
        # are in 1/64 of a chroma sample: at the first row, after a division by 4, in 1/512.
        a, b, c, d = (31 * x0 + x2) >> 2, (31 * x1 + x3) >> 2, (31 * y0 + y2) >> 2, (31 * y1 + y3) >> 2
        step_a, step_b, step_c, step_d = x2 - x0, x3 - x1, y2 - y0, y3 - y1
        last_a, last_b, last_c, last_d = a + 7 * step_a, b + 7 * step_b, c + 7 * step_c, d + 7 * step_d
        from_x, from_y = min(a, b, last_a, last_b) >> 9, min(c, d, last_c, last_d) >> 9
        many_x = 1 + ((max(a, b, last_a, last_b) - (from_x << 9) + 508) >> 9)
        many_y = 1 + ((max(c, d, last_c, last_d) - (from_y << 9) + 508) >> 9)
        a, b, c, d = a - (from_x << 9), b - (from_x << 9), c - (from_y << 9), d - (from_y << 9)
        fx, fy = add(mul(left, splat(a)), mul(right, splat(b))), add(mul(left, splat(c)), mul(right, splat(d)))
        step_x = add(mul(left, splat(step_a)), mul(right, splat(step_b)))
        step_y = add(mul(left, splat(step_c)), mul(right, splat(step_d)))
        at = sheet + from_y * stride + from_x
        if direct:
            chroma_sample(out_u, pitch, out_v - out_u, at, stride, plane, fx, step_x, fy, step_y, many_x, many_y, rows)
            return
        chroma_sample(scratch, 16, 8, at, stride, plane, fx, step_x, fy, step_y, many_x, many_y, rows)
        if kind == MIXED:
            at += 2 * plane
            chroma_sample(scratch + 256, 16, 8, at, stride, 0, fx, step_x, fy, step_y, many_x, many_y, rows)
    for row in range(rows):
        at = row * width
        if kind == EMPTY:
            value = _take_pair(under_u + at, under_v + at, columns)
        else:
            value = load(scratch + 16 * row)
            if kind == MIXED:
                alpha = load(scratch + 256 + 16 * row)
                if clip != 0:
                    inside = _take_pair(clip + at, clip + at, columns)
                    value, alpha = _scaled(value, inside), _scaled(alpha, inside)
                value = _over(value, alpha, _take_pair(under_u + at, under_v + at, columns))
        if over_u != 0:
            above = _take_pair(over_alpha + at, over_alpha + at, columns)
            value = _over(_take_pair(over_u + at, over_v + at, columns), above, value)
        if columns == 8:
            store_pair(out_u + row * pitch, out_v + row * pitch, value)
        else:
            store_pair_some(out_u + row * pitch, out_v + row * pitch, value, columns)


def draw(
    size: Any,
    memory: Any,
    place: Any,
    tiles: Any,
    nodes: Any,
    over_blocks: Any,
    clip_blocks: Any,
    need: Any,
    kinds: Any,
) -> Any:
    """See :func:`visavis.avatar.kernels.draw`."""
    width, height, side = size[0], size[1], size[2]
    out, out_u, out_v, under_y, under_u, under_v = memory[0], memory[1], memory[2], memory[3], memory[4], memory[5]
    under_alpha, over_sheet, clip_planes, sheet, scratch = memory[6], memory[7], memory[8], memory[9], memory[10]
    stride, sheet_rows, origin_x, origin_y = place[0], place[1], place[2], place[3]
    first_x, first_y, many_x, many_y = place[4], place[5], place[6], place[7]
    samples, half_width, half_stride, plane = width * height // 4, width // 2, stride // 2, stride * sheet_rows // 4
    pitch = width * (1 + side)
    half_pitch = pitch // 2
    node_pitch, tile_pitch = many_x + 1, stride >> 3
    across = (width + 15) // 16
    drawn = 0
    for block_y in range((height + 15) // 16):
        for block_x in range(across):
            index = block_y * across + block_x
            wanted = need[index]
            if wanted == 0:
                continue
            need[index] = 0
            kind = EMPTY
            x, y = 16 * block_x, 16 * block_y
            x0, x1, x2, x3, y0, y1, y2, y3 = 0, 0, 0, 0, 0, 0, 0, 0
            clip, half_clip, clip_kind = 0, 0, clip_blocks[index]
            node_x, node_y = block_x - first_x, block_y - first_y
            if 0 <= node_x < many_x and 0 <= node_y < many_y and clip_kind != EMPTY:
                node = node_y * node_pitch + node_x
                below = node + node_pitch
                x0, x1, x2, x3 = nodes[0, node], nodes[0, node + 1], nodes[0, below], nodes[0, below + 1]
                y0, y1, y2, y3 = nodes[1, node], nodes[1, node + 1], nodes[1, below], nodes[1, below + 1]
                least_x, most_x = min(x0, x1, x2, x3), max(x0, x1, x2, x3)
                least_y, most_y = min(y0, y1, y2, y3), max(y0, y1, y2, y3)
                left, top = x - origin_x + (least_x >> 5), y - origin_y + (least_y >> 5)
                # Up to two pixels more than the block's own are read to the right and below. Nobody reads beyond the sheet.
                right, bottom = x - origin_x + (most_x >> 5) + 18, y - origin_y + (most_y >> 5) + 18
                if left >= 0 and top >= 0 and right <= stride and bottom <= sheet_rows:
                    kind = MIXED
                    if most_x - least_x <= _SPREAD and most_y - least_y <= _SPREAD:
                        kind = tiles[(top >> 3) * tile_pitch + (left >> 3)]
                if clip_kind == MIXED and kind != EMPTY:
                    kind = MIXED
                    clip = clip_planes + y * width + x
                    half_clip = clip_planes + 4 * samples + y // 2 * half_width + x // 2
            if wanted == 1 and kind == EMPTY and kinds[index] == EMPTY:
                continue
            kinds[index] = kind
            at, half_at = y * width + x, y // 2 * half_width + x // 2
            over, over_u = 0, 0
            if over_blocks[index] != 0:
                over, over_u = over_sheet + at, over_sheet + 8 * samples + half_at
            source = sheet + (y - origin_y) * stride + x - origin_x
            half_source = sheet + 8 * plane + (y - origin_y) // 2 * half_stride + (x - origin_x) // 2
            to, half_to = y * pitch + x, y // 2 * half_pitch + x // 2
            if kind != EMPTY and block_x & 3 == 0:
                # A line of the processor's cache holds four blocks' rows: have the next four fetched meanwhile.
                ahead = source + 64 + (least_y >> 5) * stride + (least_x >> 5)
                for row in range(16):
                    prefetch(ahead + row * stride)
                    prefetch(out + to + 64 + row * pitch)
                    if kind == MIXED:
                        prefetch(ahead + 4 * plane + row * stride)
                        prefetch(under_y + at + 64 + row * width)
                if block_x & 4 == 0:
                    ahead = half_source + 64 + (least_y >> 6) * half_stride + (least_x >> 6)
                    for row in range(8):
                        prefetch(ahead + row * half_stride)
                        prefetch(ahead + plane + row * half_stride)
                        prefetch(out_u + half_to + 64 + row * half_pitch)
                        prefetch(out_v + half_to + 64 + row * half_pitch)
            _luma(
                out + to, pitch, under_y + at, under_alpha + at, over, over + 4 * samples, clip, width, source, stride,
                4 * plane, x0, x1, x2, x3, y0, y1, y2, y3, kind, min(16, width - x), min(16, height - y), side * width, scratch,
            )  # fmt: skip
            _chroma(
                out_u + half_to, out_v + half_to, half_pitch, under_u + half_at, under_v + half_at, over_u, over_u + samples,
                over_u + 2 * samples, half_clip, half_width, half_source, half_stride, plane,
                x0, x1, x2, x3, y0, y1, y2, y3, kind, min(16, width - x) // 2, min(16, height - y) // 2, scratch,
            )  # fmt: skip
            drawn += 1
    return drawn


def bend(fields: Any, used: Any, sizes: Any, nodes: Any, need: Any, place: Any, across: Any) -> None:
    """See :func:`visavis.avatar.kernels.bend`."""
    first_x, first_y, many_x, many_y = place[4], place[5], place[6], place[7]
    pitch = many_x + 1
    count = pitch * (many_y + 1)
    moved = np.zeros(count, np.int32)
    total = np.empty(count, np.float32)
    for axis in range(2):
        # Rounding by adding a half; the large number keeps what is cut off below on the same side for negative ones.
        total[:] = np.float32(65536.5)
        for term in range(len(sizes)):
            size, field = sizes[term], fields[axis, term]
            if size != 0 and used[axis * len(sizes) + term]:
                for node in range(count):
                    total[node] += size * field[node]
        old = nodes[axis]
        for node in range(count):
            value = np.int32(np.int32(total[node]) - np.int32(65536))
            moved[node] |= value ^ old[node]
            old[node] = value
    for row in range(many_y):
        at = (first_y + row) * across + first_x
        node = row * pitch
        upper, lower, marks = moved[node : node + pitch], moved[node + pitch : node + 2 * pitch], need[at : at + many_x]
        for column in range(many_x):
            changed = upper[column] | upper[column + 1] | lower[column] | lower[column + 1]
            marks[column] |= np.uint8(changed != 0)


@kernel
def _copy(to: Any, pitch: Any, at: Any, stride: Any, width: Any, height: Any) -> None:
    for row in range(height):
        column = 0
        while column + 16 <= width:
            store(to + row * pitch + column, load(at + row * stride + column))
            column += 16
        if column < width:
            store_some(to + row * pitch + column, load_some(at + row * stride + column, width - column), width - column)


def paste(
    sheet: Any, stride: Any, sheet_rows: Any, patch: Any, x: Any, y: Any, width: Any, height: Any, shapely: Any
) -> None:
    """See :func:`visavis.avatar.kernels.paste`; addresses and sizes one by one."""
    pixels, patch_pixels = stride * sheet_rows, width * height
    at = y * stride + x
    _copy(sheet + at, stride, patch, width, width, height)
    if shapely:
        _copy(sheet + pixels + at, stride, patch + patch_pixels, width, width, height)
    stride, width, height = stride // 2, width // 2, height // 2
    at = y // 2 * stride + x // 2
    for plane in range(3 if shapely else 2):
        to, source = sheet + 2 * pixels + plane * (pixels // 4), patch + 2 * patch_pixels + plane * (patch_pixels // 4)
        _copy(to + at, stride, source, width, width, height)


def touch(nodes: Any, need: Any, place: Any, across: Any, reach: Any, x: Any, y: Any, width: Any, height: Any) -> None:
    """See :func:`visavis.avatar.kernels.touch`."""
    first_x, first_y, many_x, many_y = place[4], place[5], place[6], place[7]
    pitch = many_x + 1
    x, y = x + place[2], y + place[3]
    # Blocks farther away than anything is displaced cannot show it.
    left, right = max(0, (x - reach) // 16 - first_x), min(many_x, (x + width + reach) // 16 + 1 - first_x)
    top, bottom = max(0, (y - reach) // 16 - first_y), min(many_y, (y + height + reach) // 16 + 1 - first_y)
    for row in range(top, bottom):
        for column in range(left, right):
            node = row * pitch + column
            below = node + pitch
            x0, x1, x2, x3 = nodes[0, node], nodes[0, node + 1], nodes[0, below], nodes[0, below + 1]
            y0, y1, y2, y3 = nodes[1, node], nodes[1, node + 1], nodes[1, below], nodes[1, below + 1]
            block_x, block_y = 16 * (first_x + column), 16 * (first_y + row)
            # Two pixels more on each side: neighbours that have a share, and chroma.
            if (
                block_x + (min(x0, x1, x2, x3) >> 5) - 2 < x + width
                and block_x + (max(x0, x1, x2, x3) >> 5) + 19 > x
                and block_y + (min(y0, y1, y2, y3) >> 5) - 2 < y + height
                and block_y + (max(y0, y1, y2, y3) >> 5) + 19 > y
            ):
                need[(first_y + row) * across + first_x + column] |= np.uint8(1)
