"""Colour planes: BT.601 limited range, premultiplied by alpha, scaled and placed.

A person is kept as four bytes a pixel, Y U V A, each of Y, U and V multiplied by A: what is drawn over
a background is then simply ``person + background * (1 - alpha)``, before and after any warp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.manifest import Box

Plane = npt.NDArray[np.uint8]
Points = npt.NDArray[Any]

# ITU-R BT.601-7, limited range: Y 16..235, U and V 16..240 around 128. Columns: blue, green, red, alpha.
# The offsets stand in the column of alpha, so that premultiplied colours become premultiplied Y, U, V.
_FROM_BGRA: Final = np.array(
    [
        [0.114 * 219 / 255, 0.587 * 219 / 255, 0.299 * 219 / 255, 16 / 255],
        [0.5 * 224 / 255, -0.587 / 1.772 * 224 / 255, -0.299 / 1.772 * 224 / 255, 128 / 255],
        [-0.114 / 1.402 * 224 / 255, -0.587 / 1.402 * 224 / 255, 0.5 * 224 / 255, 128 / 255],
        [0, 0, 0, 1],
    ],
    np.float32,
)
_FROM_BGR: Final = np.column_stack([_FROM_BGRA[:3, :3], 255 * _FROM_BGRA[:3, 3]]).astype(np.float32)


def premultiplied(bgra: Plane) -> Plane:
    """Straight BGRA to premultiplied BGRA, shape (h, w, 4)."""
    return np.asarray(cv2.cvtColor(bgra, cv2.COLOR_RGBA2mRGBA), np.uint8)


def yuva(bgra: Plane) -> Plane:
    """Premultiplied BGRA to premultiplied YUVA, shape (h, w, 4)."""
    return np.asarray(cv2.transform(bgra, _FROM_BGRA), np.uint8)


def halved(plane: Plane) -> Plane:
    """Half the size, the mean of 2x2 pixels: how 4:2:0 chroma is sited at the middle of four luma samples."""
    height, width = plane.shape[:2]
    return np.asarray(cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True)
class Planes:
    """Y (h, w), U and V (h/2, w/2) of a picture."""

    y: Plane
    u: Plane
    v: Plane

    @classmethod
    def of_bgr(cls, bgr: Plane) -> Planes:
        """Convert an opaque BGR picture with even sides."""
        yuv = np.asarray(cv2.transform(bgr, _FROM_BGR), np.uint8)
        half = halved(yuv)
        u, v = np.ascontiguousarray(half[..., 1]), np.ascontiguousarray(half[..., 2])
        return cls(np.ascontiguousarray(yuv[..., 0]), u, v)

    @classmethod
    def view(cls, buffer: Plane, width: int, height: int) -> Planes:
        """The planes of an I420 buffer, shape (height * 3 // 2, width), without copying."""
        flat = buffer.reshape(-1)
        luma, chroma = width * height, width * height // 4
        return cls(
            flat[:luma].reshape(height, width),
            flat[luma : luma + chroma].reshape(height // 2, width // 2),
            flat[luma + chroma : luma + 2 * chroma].reshape(height // 2, width // 2),
        )


@dataclass(frozen=True)
class Rect:
    """A rectangle of the output, pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """One beyond its last column."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """One beyond its last row."""
        return self.y + self.height

    def cut(self, other: Rect) -> Rect:
        """What lies in both; width or height 0 if nothing does."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Rect(x, y, max(0, min(self.right, other.right) - x), max(0, min(self.bottom, other.bottom) - y))

    def grown(self, pixels: int) -> Rect:
        """Larger by ``pixels`` on each side."""
        return Rect(self.x - pixels, self.y - pixels, self.width + 2 * pixels, self.height + 2 * pixels)

    def evened(self) -> Rect:
        """The smallest rectangle around it whose corners are even."""
        x, y = self.x & ~1, self.y & ~1
        return Rect(x, y, (self.right - x + 1) & ~1, (self.bottom - y + 1) & ~1)

    def halved(self) -> Rect:
        """The same part of a plane of half the size; corners must be even."""
        return Rect(self.x // 2, self.y // 2, self.width // 2, self.height // 2)

    @property
    def empty(self) -> bool:
        """It holds no pixel."""
        return self.width <= 0 or self.height <= 0

    def of(self, plane: Plane) -> Plane:
        """Its part of ``plane``, a view."""
        return plane[self.y : self.bottom, self.x : self.right]


@dataclass(frozen=True)
class Sheet:
    """Five planes of one picture, premultiplied, in one flat array: Y and A of all pixels, U, V and A at half the size.

    ``flat``: shape (width * height * 11 // 4,), uint8; width and height even.
    """

    width: int
    height: int
    flat: Plane

    @classmethod
    def bytes(cls, width: int, height: int) -> int:
        """The length of a sheet's array."""
        return width * height * 11 // 4

    @classmethod
    def empty(cls, width: int, height: int) -> Sheet:
        """A sheet that shows nothing."""
        return cls(width, height, np.zeros(cls.bytes(width, height), np.uint8))

    @classmethod
    def of_yuva(cls, yuva_picture: Plane) -> Sheet:
        """Of premultiplied YUVA, shape (height, width, 4)."""
        height, width = yuva_picture.shape[:2]
        sheet = cls.empty(width, height)
        half = halved(yuva_picture) if width and height else yuva_picture
        for plane, source, channel in zip(
            sheet.planes, (yuva_picture, yuva_picture, half, half, half), (0, 3, 1, 2, 3), strict=True
        ):
            np.copyto(plane, source[..., channel])
        return sheet

    @property
    def planes(self) -> tuple[Plane, Plane, Plane, Plane, Plane]:
        """Y, A, U, V, A at half size: views of shape (height, width) and (height / 2, width / 2)."""
        pixels, height, width = self.width * self.height, self.height, self.width
        full = self.flat[: 2 * pixels].reshape(2, height, width)
        half = self.flat[2 * pixels : 2 * pixels + 3 * pixels // 4].reshape(3, height // 2, width // 2)
        return full[0], full[1], half[0], half[1], half[2]


@dataclass(frozen=True)
class Placement:
    """Where the canvas lies in the output: scaled and shifted, then turned (edges of pixels, not centres).

    An output point is ``turn(canvas * scale + shift)``, where ``turn`` turns by ``rotation`` radians clockwise about
    ``pivot``. Points before the turn are called *upright*: the person's measures and movements are in those.
    """

    width: int
    height: int
    scale: float
    shift_x: float
    shift_y: float
    rotation: float = 0.0
    pivot: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, view: Box, stage: tuple[int, int], crop: Rect) -> Placement:
        """Let ``view`` of the canvas cover a stage (width, height), of which ``crop`` is kept.

        A stage of another shape than the view's shows the view's middle, and its top: that is where the head is.
        """
        return cls.within(view, (0.0, 0.0, float(stage[0]), float(stage[1])), 0.0, crop)

    @classmethod
    def within(cls, view: Box, place: tuple[float, float, float, float], rotation: float, crop: Rect) -> Placement:
        """Let ``view`` cover the rectangle ``place`` (x, y, width, height) of the stage, turned about its own middle.

        A place of another shape than the view's shows the view's middle, and its top. What the place does not show is
        for the compositor to cut off.
        """
        x, y, width, height = place
        scale = max(width / view.width, height / view.height)
        left = (width - view.width * scale) / 2
        return cls(
            crop.width,
            crop.height,
            scale,
            left - view.x * scale + x - crop.x,
            y - view.y * scale - crop.y,
            rotation,
            (x + width / 2 - crop.x, y + height / 2 - crop.y) if rotation else (0.0, 0.0),
        )

    def x(self, canvas_x: float) -> float:
        """The upright column of a canvas column."""
        return canvas_x * self.scale + self.shift_x

    def y(self, canvas_y: float) -> float:
        """The upright row of a canvas row."""
        return canvas_y * self.scale + self.shift_y

    def upright(self, x: Points, y: Points) -> tuple[Points, Points]:
        """Points of the output before the turn."""
        if not self.rotation:
            return x, y
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        right, down = x - self.pivot[0], y - self.pivot[1]
        return cos * right + sin * down + self.pivot[0], cos * down - sin * right + self.pivot[1]

    def turned(self, x: Points, y: Points) -> tuple[Points, Points]:
        """Upright directions (not points) as directions of the output."""
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        return (cos * x - sin * y, sin * x + cos * y) if self.rotation else (x, y)

    def rect(self, box: Rect) -> Rect:
        """The output pixels that a rectangle of the canvas touches."""
        x = np.array([self.x(box.x), self.x(box.right)] * 2)
        y = np.repeat([self.y(box.y), self.y(box.bottom)], 2)
        if self.rotation:
            x, y = self.turned(x - self.pivot[0], y - self.pivot[1])
            x, y = x + self.pivot[0], y + self.pivot[1]
        left, top = int(np.floor(x.min())), int(np.floor(y.min()))
        right, bottom = int(np.ceil(x.max())), int(np.ceil(y.max()))
        return Rect(left, top, right - left, bottom - top)

    def canvas_rect(self, rect: Rect, margin: int) -> Rect:
        """The canvas pixels that a rectangle of the output shows, and ``margin`` more on each side."""
        x, y = self.upright(
            np.array([rect.x, rect.right] * 2, np.float64), np.repeat([float(rect.y), float(rect.bottom)], 2)
        )
        left = int(np.floor((x.min() - self.shift_x) / self.scale)) - margin
        top = int(np.floor((y.min() - self.shift_y) / self.scale)) - margin
        right = int(np.ceil((x.max() - self.shift_x) / self.scale)) + margin
        bottom = int(np.ceil((y.max() - self.shift_y) / self.scale)) + margin
        return Rect(left, top, right - left, bottom - top)

    @property
    def margin(self) -> int:
        """Canvas pixels beyond a pixel that have a share in it when it is scaled."""
        return 4 + (int(np.ceil(3 * 0.42 * np.sqrt(1 / self.scale**2 - 1))) + 1 if self.scale < 1 else 0)

    def render(self, image: Plane, origin: tuple[int, int], rect: Rect) -> Plane:
        """Draw ``image``, whose top-left pixel is ``origin`` of the canvas, as the pixels ``rect`` of the output.

        Beyond the image it is transparent. The same canvas pixels give the same output pixels whatever ``rect`` is,
        so a patch lies exactly over its base.
        """
        scale = self.scale
        shift_x = scale * (origin[0] + 0.5) - 0.5 + self.shift_x - rect.x
        shift_y = scale * (origin[1] + 0.5) - 0.5 + self.shift_y - rect.y
        if not self.rotation and scale == 1.0 and shift_x == round(shift_x) and shift_y == round(shift_y):
            return _pasted(image, int(shift_x), int(shift_y), rect)
        if scale < 1:
            # A low-pass filter before sampling: without it, hair turns into dots.
            sigma = 0.42 * float(np.sqrt(1 / scale**2 - 1))
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)
        matrix = np.array([[scale, 0, shift_x], [0, scale, shift_y]], np.float64)
        if self.rotation:
            cos, sin = np.cos(self.rotation), np.sin(self.rotation)
            x, y = self.pivot[0] - 0.5 - rect.x, self.pivot[1] - 0.5 - rect.y
            turn = np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])
            matrix = (turn @ np.vstack([matrix, [0, 0, 1]]))[:2]
        size = rect.width, rect.height
        return np.asarray(
            cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=(0, 0, 0, 0)), np.uint8
        )


def _pasted(image: Plane, x: int, y: int, rect: Rect) -> Plane:
    result = np.zeros((rect.height, rect.width, *image.shape[2:]), np.uint8)
    there = Rect(x, y, image.shape[1], image.shape[0]).cut(Rect(0, 0, rect.width, rect.height))
    if not there.empty:
        there.of(result)[:] = Rect(there.x - x, there.y - y, there.width, there.height).of(image)
    return result
