"""Colour planes: BT.601 limited range, premultiplied by alpha, scaled and placed.

A person is kept as four bytes a pixel, Y U V A, each of Y, U and V multiplied by A: what is drawn over
a background is then simply ``person + background * (1 - alpha)``, before and after any warp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.manifest import Box

Plane = npt.NDArray[np.uint8]

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

    @property
    def empty(self) -> bool:
        """It holds no pixel."""
        return self.width <= 0 or self.height <= 0

    def of(self, plane: Plane) -> Plane:
        """Its part of ``plane``, a view."""
        return plane[self.y : self.bottom, self.x : self.right]


@dataclass(frozen=True)
class Placement:
    """Where the canvas lies in the output: output = canvas * scale + shift (edges of pixels, not centres)."""

    width: int
    height: int
    scale: float
    shift_x: float
    shift_y: float

    @classmethod
    def of(cls, view: Box, stage: tuple[int, int], crop: Rect) -> Placement:
        """Let ``view`` of the canvas cover a stage (width, height), of which ``crop`` is kept.

        A stage of another shape than the view's shows the view's middle, and its top: that is where the head is.
        """
        scale = max(stage[0] / view.width, stage[1] / view.height)
        left = (stage[0] - view.width * scale) / 2
        return cls(crop.width, crop.height, scale, left - view.x * scale - crop.x, -view.y * scale - crop.y)

    def x(self, canvas_x: float) -> float:
        return canvas_x * self.scale + self.shift_x

    def y(self, canvas_y: float) -> float:
        return canvas_y * self.scale + self.shift_y

    def rect(self, box: Rect) -> Rect:
        """The output pixels that a rectangle of the canvas touches."""
        left, top = int(np.floor(self.x(box.x))), int(np.floor(self.y(box.y)))
        right, bottom = int(np.ceil(self.x(box.right))), int(np.ceil(self.y(box.bottom)))
        return Rect(left, top, right - left, bottom - top)

    def canvas_rect(self, rect: Rect, margin: int) -> Rect:
        """The canvas pixels that a rectangle of the output shows, and ``margin`` more on each side."""
        left = int(np.floor((rect.x - self.shift_x) / self.scale)) - margin
        top = int(np.floor((rect.y - self.shift_y) / self.scale)) - margin
        right = int(np.ceil((rect.right - self.shift_x) / self.scale)) + margin
        bottom = int(np.ceil((rect.bottom - self.shift_y) / self.scale)) + margin
        return Rect(left, top, right - left, bottom - top)

    def render(self, image: Plane, origin: tuple[int, int], rect: Rect) -> Plane:
        """Draw ``image``, whose top-left pixel is ``origin`` of the canvas, as the pixels ``rect`` of the output.

        Beyond the image it is transparent. The same canvas pixels give the same output pixels whatever ``rect`` is,
        so a patch lies exactly over its base.
        """
        scale = self.scale
        shift_x = scale * (origin[0] + 0.5) - 0.5 + self.shift_x - rect.x
        shift_y = scale * (origin[1] + 0.5) - 0.5 + self.shift_y - rect.y
        if scale == 1.0 and shift_x == round(shift_x) and shift_y == round(shift_y):
            return _pasted(image, int(shift_x), int(shift_y), rect)
        if scale < 1:
            # A low-pass filter before sampling: without it, hair turns into dots.
            sigma = 0.42 * float(np.sqrt(1 / scale**2 - 1))
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)
        matrix = np.array([[scale, 0, shift_x], [0, scale, shift_y]], np.float64)
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
