"""Drawing pictures into the stage: scaled, turned, cut to what is shown, as premultiplied planes.

Planes are those of :mod:`visavis.avatar.planes`: Y, U and V multiplied by alpha, chroma and its alpha at half size.
Laying something over a picture is then ``over + picture * (1 - alpha)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from visavis.avatar.layout import Place
from visavis.avatar.planes import Plane, Planes, Rect, halved, yuva

MAX_ENLARGED: Final = 4096
"""Pixels of a side to which a picture is enlarged before it is turned and cut: 64 MB for a moment, at most."""


@dataclass(slots=True)
class Overlay:
    """A part of the picture: premultiplied planes of ``rect`` (even corners; it may be empty).

    Attributes:
        rect: where it lies, output pixels.
        y, a: shape (rect.height, rect.width), uint8.
        u, v, a_half: shape (rect.height // 2, rect.width // 2), uint8.
    """

    rect: Rect
    y: Plane
    u: Plane
    v: Plane
    a: Plane
    a_half: Plane

    @classmethod
    def nothing(cls) -> Overlay:
        """An overlay that shows nothing."""
        none = np.zeros((0, 0), np.uint8)
        return cls(Rect(0, 0, 0, 0), none, none, none, none, none)

    @classmethod
    def of(cls, bgra: Plane, rect: Rect) -> Overlay:
        """Of a premultiplied BGRA picture of ``rect``'s size."""
        full = yuva(bgra)
        half = halved(full)
        y, a = (np.ascontiguousarray(full[..., channel]) for channel in (0, 3))
        u, v, a_half = (np.ascontiguousarray(half[..., channel]) for channel in (1, 2, 3))
        return cls(rect, y, u, v, a, a_half)

    @classmethod
    def blank(cls, rect: Rect) -> Overlay:
        """An overlay of ``rect`` (even corners) that shows nothing yet."""
        full, half = (rect.height, rect.width), (rect.height // 2, rect.width // 2)
        y, a, u, v, a_half = (np.zeros(shape, np.uint8) for shape in (full, full, half, half, half))
        return cls(rect, y, u, v, a, a_half)

    def uncover(self, other: Overlay, rect: Rect) -> None:
        """Show the part ``rect`` (even corners) of ``other``, which lies in the same place."""
        mine = _inner(rect, self.rect)
        half = mine.halved()
        for into, source, part in (
            (self.y, other.y, mine), (self.a, other.a, mine),
            (self.u, other.u, half), (self.v, other.v, half), (self.a_half, other.a_half, half),
        ):  # fmt: skip
            np.copyto(part.of(into), part.of(source))

    def show(self, other: Overlay) -> None:
        """Become ``other``."""
        self.rect, self.y, self.u, self.v, self.a, self.a_half = (
            other.rect, other.y, other.u, other.v, other.a, other.a_half,
        )  # fmt: skip

    def lay(self, onto: Planes, alpha: Plane | None = None, within: Rect | None = None) -> None:
        """Lay it over a whole output picture (and its ``alpha``); only ``within``, where given (even corners)."""
        rect = self.rect if within is None else self.rect.cut(within)
        if rect.empty:
            return
        mine, half = _inner(rect, self.rect), _halved_rect(rect)
        mine_half = _halved_rect(mine)
        _over(mine.of(self.y), mine.of(self.a), rect.of(onto.y))
        below = mine_half.of(self.a_half)
        _over(mine_half.of(self.u), below, half.of(onto.u))
        _over(mine_half.of(self.v), below, half.of(onto.v))
        if alpha is not None:
            _over(mine.of(self.a), mine.of(self.a), rect.of(alpha))


def _halved_rect(rect: Rect) -> Rect:
    return Rect(rect.x // 2, rect.y // 2, rect.width // 2, rect.height // 2)


def _inner(rect: Rect, outer: Rect) -> Rect:
    """``rect`` in the coordinates of ``outer``'s own picture."""
    return Rect(rect.x - outer.x, rect.y - outer.y, rect.width, rect.height)


def _over(source: Plane, alpha: Plane, target: Plane) -> None:
    """``target`` = ``source`` + ``target`` * (1 - ``alpha``); exact where alpha is 0 or 255."""
    rest = cv2.multiply(target, cv2.bitwise_not(alpha), scale=1 / 255)
    np.copyto(target, cv2.add(source, rest))


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the stage the output is: ``width`` x ``height`` from ``offset`` of ``stage``."""

    width: int
    height: int
    stage: tuple[int, int]
    offset: tuple[int, int]

    @property
    def whole(self) -> Rect:
        """The output."""
        return Rect(0, 0, self.width, self.height)

    @property
    def visible(self) -> Rect:
        """The part of the output that lies on the stage (even corners); layers end there."""
        inside = Rect(-self.offset[0], -self.offset[1], *self.stage)
        return inside.evened().cut(self.whole)

    def matrix(self, place: Place, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Where the edges of a picture of ``width`` x ``height`` come to lie: 2x3, output = matrix * picture."""
        turn = np.deg2rad(place.rotation)
        cos, sin = float(np.cos(turn)), float(np.sin(turn))
        across, down = place.width / width, place.height / height
        middle_x = place.x + place.width / 2 - self.offset[0]
        middle_y = place.y + place.height / 2 - self.offset[1]
        # Clockwise on a screen, whose rows run downwards.
        a, b, d, e = cos * across, -sin * down, sin * across, cos * down
        x, y = width / 2, height / 2
        return np.array([[a, b, middle_x - a * x - b * y], [d, e, middle_y - d * x - e * y]])

    def rect(self, place: Place) -> Rect:
        """The output pixels that ``place`` touches: even corners, cut to what is visible."""
        corners = np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]], np.float64)
        x, y = self.matrix(place, 1, 1) @ corners
        # A hair's breadth of rounding error must not add two rows.
        left, top = int(np.floor(x.min() + 1e-6)), int(np.floor(y.min() + 1e-6))
        right, bottom = int(np.ceil(x.max() - 1e-6)), int(np.ceil(y.max() - 1e-6))
        return Rect(left, top, right - left, bottom - top).evened().cut(self.visible)


def drawn(picture: Plane, place: Place, window: Window) -> Overlay:
    """A premultiplied BGRA picture scaled into ``place``, turned, with smooth edges."""
    rect = window.rect(place)
    if rect.empty:
        return Overlay.nothing()
    picture = _sized(picture, place)
    height, width = picture.shape[:2]
    # A transparent frame of two pixels: the edge is then sampled like any other part, half covered pixels come out half.
    framed = cv2.copyMakeBorder(picture, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    matrix = window.matrix(place, width, height)
    # From edges to centres of pixels, and past the frame.
    matrix[:, 2] += matrix[:, 0] * (0.5 - 2) + matrix[:, 1] * (0.5 - 2) - (0.5 + rect.x, 0.5 + rect.y)
    turned = cv2.warpAffine(framed, matrix, (rect.width, rect.height), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0, 0))
    return Overlay.of(np.asarray(turned, np.uint8), rect)


def _sized(picture: Plane, place: Place) -> Plane:
    """The picture at its place's size.

    Smaller: by averaging, so that nothing flickers or turns into dots. Larger: before it gets its frame, because an edge that
    is enlarged with what lies around it is blurred as much (a picture of one pixel would be nothing but edge).
    """
    height, width = picture.shape[:2]
    wanted = round(place.width), round(place.height)
    small = min(width, max(1, wanted[0])), min(height, max(1, wanted[1]))
    if small != (width, height):
        picture = np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.uint8)
    large = max(small[0], min(wanted[0], MAX_ENLARGED)), max(small[1], min(wanted[1], MAX_ENLARGED))
    if large == small:
        return picture
    enlarged = np.asarray(cv2.resize(picture, large, interpolation=cv2.INTER_CUBIC), np.uint8)
    # Cubic interpolation may overshoot: a colour above its alpha would glow.
    return np.minimum(enlarged, np.ascontiguousarray(enlarged[..., 3])[..., None])
