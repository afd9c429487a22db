"""What stands behind the person: a colour, a picture (one's own or a shipped one), or by default a soft gradient."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from visavis.avatar.archive import PackError, picture_size

MAX_FILE: Final = 32 * 2**20
MAX_SIDE: Final = 8192
MAX_PIXELS: Final = 40_000_000
"""Decoded, that many take 160 MB for the moment it takes to scale them."""
SHIPPED: Final = Path(__file__).parent / "backgrounds"
"""The folder of the backgrounds that come with visavis, one WebP file each."""
DEFAULT_COLOR: Final = "#D9E1E8"

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Background:
    """GRADIENT: soft light around ``color``; COLOR: ``color`` (#RRGGBB) flat; IMAGE: the picture file ``image``.

    ``rect``: where the picture lies on the stage (x, y, width, height; pixels), stretched to it, mirrored beyond its edges;
    None: it is scaled until it covers the stage, and its middle is shown.
    """

    kind: Literal["GRADIENT", "COLOR", "IMAGE"] = "GRADIENT"
    color: str = DEFAULT_COLOR
    image: Path | None = None
    rect: tuple[int, int, int, int] | None = None

    def key(self) -> tuple[object, ...]:
        """Names the content, for caches: a picture file that changed has another key."""
        if self.kind != "IMAGE" or self.image is None:
            return self.kind, self.color.upper()
        try:
            status = self.image.stat()
        except OSError:
            raise PackError(f"background picture {self.image.name}: there is no such file") from None
        return self.kind, str(self.image.resolve()), status.st_mtime_ns, status.st_size, self.rect

    def draw(self, width: int, height: int, window: tuple[int, int, int, int] | None = None) -> Picture:
        """The background of a stage of ``width`` x ``height``: shape (height, width, 3), BGR.

        ``window``: the part of the stage that is wanted, x, y, width, height (the shape is then that part's). What of it
        lies beyond the stage shows the background mirrored.

        Raises:
            PackError: the colour is malformed, or the picture is missing, broken or too large.
        """
        left, top, wide, high = window = window or (0, 0, width, height)
        if self.kind == "IMAGE":
            picture = load_picture(self.image)
            if self.rect is None:
                return _part(_cover(picture, width, height), window)
            x, y, across, down = self.rect
            method = cv2.INTER_AREA if across < picture.shape[1] else cv2.INTER_CUBIC
            stretched = np.asarray(cv2.resize(picture, (across, down), interpolation=method), np.uint8)
            return _part(stretched, (left - x, top - y, wide, high))
        blue, green, red = colour(self.color)
        flat = np.empty((height, width, 3), np.uint8)
        flat[:] = (blue, green, red)
        return _part(flat if self.kind == "COLOR" else _gradient(flat), window)


def colour(color: str) -> tuple[int, int, int]:
    """#RRGGBB as (blue, green, red). PackError: malformed."""
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", color):
        raise PackError(f"colour {color!r}: wanted #RRGGBB")
    return int(color[5:7], 16), int(color[3:5], 16), int(color[1:3], 16)


def shipped() -> dict[str, Path]:
    """The backgrounds that come with visavis: name -> file."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.webp"))}


def load_picture(path: Path | None, alpha: bool = False) -> Picture:
    """Decode a PNG, JPEG or WebP file: shape (height, width, 3) BGR, or 4 (straight alpha) if ``alpha``.

    Raises:
        PackError: it is missing, broken, too large, or none of these.
    """
    if path is None:
        raise PackError("the background is to be a picture, but none is named")
    data, (width, height) = _read(path)
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise PackError(
            f"picture {path.name}: {width}x{height}, at most {MAX_SIDE} a side and {MAX_PIXELS} pixels are allowed"
        )
    # UNCHANGED ignores the turn that a camera notes in a JPEG's EXIF; only pictures without alpha have one.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_COLOR)
    if image is not None and alpha:
        image = _with_alpha(image, data)  # type: ignore[arg-type]
    if image is None:
        raise PackError(f"picture {path.name}: its pixels are damaged")
    return np.asarray(image, np.uint8)


def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) that :func:`load_picture` gives ``path``, without decoding it: cameras note in a JPEG that it lies on its side.

    Raises:
        PackError: it is missing, too large, or no picture.
    """
    data, (width, height) = _read(path)
    if not (width and height):
        raise PackError(f"picture {path.name}: it has no size")
    return (height, width) if _on_its_side(data) else (width, height)


def _read(path: Path) -> tuple[bytes, tuple[int, int]]:
    """The file, and the size in pixels that its header tells."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise PackError(f"picture {path.name}: larger than {MAX_FILE} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise PackError(f"picture {path.name}: {error.strerror or error}") from None
    try:
        return data, picture_size(data)
    except PackError as error:
        raise PackError(f"picture {path.name}: {error}") from None


def _on_its_side(data: bytes) -> bool:
    if not data.startswith(b"\xff\xd8"):
        return False
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            return picture.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
    except (OSError, ValueError, SyntaxError, struct.error):
        return False  # what cannot be read is not heeded when it is decoded either


def _with_alpha(image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], data: bytes) -> npt.NDArray[np.uint8] | None:
    """What OpenCV read (grey, colour or with alpha, 8 or 16 bits a channel) as BGRA."""
    if image.ndim == 3 and image.shape[2] == 4:
        return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else np.asarray(image, np.uint8)
    plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if plain is None else np.asarray(cv2.cvtColor(plain, cv2.COLOR_BGR2BGRA), np.uint8)


def _part(picture: Picture, window: tuple[int, int, int, int]) -> Picture:
    """The pixels ``window`` of ``picture``, which goes on mirrored beyond its edges."""
    height, width = picture.shape[:2]
    x, y, across, down = window
    if 0 <= x <= width - across and 0 <= y <= height - down:
        return np.ascontiguousarray(picture[y : y + down, x : x + across])
    rows = _mirrored(np.arange(y, y + down), height)
    columns = _mirrored(np.arange(x, x + across), width)
    return np.ascontiguousarray(picture[rows[:, None], columns])


def _mirrored(at: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    there = np.mod(at, 2 * size)
    return np.where(there < size, there, 2 * size - 1 - there)


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
