"""What stands behind the person: a colour, a picture, or by default a soft gradient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.archive import PackError, picture_size

MAX_FILE: Final = 32 * 2**20
MAX_SIDE: Final = 8192
DEFAULT_COLOR: Final = "#D9E1E8"

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Background:
    """GRADIENT: soft light around ``color``; COLOR: ``color`` (#RRGGBB) flat; IMAGE: the picture file ``image``."""

    kind: Literal["GRADIENT", "COLOR", "IMAGE"] = "GRADIENT"
    color: str = DEFAULT_COLOR
    image: Path | None = None

    def key(self) -> tuple[object, ...]:
        """Names the content, for caches: a picture file that changed has another key."""
        if self.kind != "IMAGE" or self.image is None:
            return self.kind, self.color.upper()
        try:
            status = self.image.stat()
        except OSError:
            raise PackError(f"background picture {self.image.name}: there is no such file") from None
        return self.kind, str(self.image.resolve()), status.st_mtime_ns, status.st_size

    def draw(self, width: int, height: int) -> Picture:
        """The background: shape (height, width, 3), BGR.

        Raises:
            PackError: the colour is malformed, or the picture is missing, broken or too large.
        """
        if self.kind == "IMAGE":
            return _cover(_load(self.image), width, height)
        blue, green, red = _parse(self.color)
        flat = np.empty((height, width, 3), np.uint8)
        flat[:] = (blue, green, red)
        return flat if self.kind == "COLOR" else _gradient(flat)


def _parse(color: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", color):
        raise PackError(f"background colour {color!r}: wanted #RRGGBB")
    return int(color[5:7], 16), int(color[3:5], 16), int(color[1:3], 16)


def _load(path: Path | None) -> Picture:
    if path is None:
        raise PackError("the background is to be a picture, but none is named")
    try:
        if path.stat().st_size > MAX_FILE:
            raise PackError(f"background picture {path.name}: larger than {MAX_FILE} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise PackError(f"background picture {path.name}: {error.strerror or error}") from None
    try:
        width, height = picture_size(data)
    except PackError as error:
        raise PackError(f"background picture {path.name}: {error}") from None
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise PackError(f"background picture {path.name}: {width}x{height}, at most {MAX_SIDE} a side are allowed")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise PackError(f"background picture {path.name}: its pixels are damaged")
    return np.asarray(image, np.uint8)


def _cover(image: Picture, width: int, height: int) -> Picture:
    """Scale ``image`` until it covers width x height, and cut off what sticks out on both sides."""
    scale = max(width / image.shape[1], height / image.shape[0])
    size = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(image, size, interpolation=method)
    x, y = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(scaled[y : y + height, x : x + width], np.uint8)


def _gradient(flat: Picture) -> Picture:
    """A wall lit from behind the head: lighter around a point above the middle, a little darker towards the corners."""
    height, width = flat.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    side = float(max(width, height))
    distance = np.hypot((x - 0.5 * width) / side, (y - 0.36 * height) / side)
    light = 1.06 - 0.30 * np.clip(distance / 0.75, 0, 1) ** 1.6
    # Half a level of noise keeps the eye from seeing steps; seeded, so that every session shows the same.
    noise = np.random.default_rng(1).random((height, width), np.float32) - 0.5
    lit = flat * light[..., None] + noise[..., None]
    shade: Picture = np.clip(lit + 0.5, 0, 255).astype(np.uint8)
    return shade
