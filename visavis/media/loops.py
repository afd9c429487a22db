"""A loop of pictures, encoded once and sent for ever: what an idle or sleeping face costs then is reading a file.

A loop file holds H.264 access units and where each begins. It is mapped into memory, so all sessions and workers of a
machine share one copy. Every ``gop``-th access unit is an IDR: there a stream of other pictures may go over to the loop.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from visavis.errors import VisavisError
from visavis.media.clock import VIDEO_RATE
from visavis.media.h264 import H264Encoder
from visavis.media.types import I420, EncodedFrame

MAGIC: Final = b"VISAVIS-LOOP-2\n"
PRESET: Final = "veryfast"
"""Encoded once, so better than live pictures: an IDR among its neighbours is then not seen as a blink of sharpness."""
_HEAD: Final = struct.Struct("<I")
MAX_FRAMES: Final = 3000


class LoopError(VisavisError):
    """A loop file is damaged, or cannot be written."""


@dataclass(frozen=True, slots=True)
class LoopShape:
    """``count`` pictures of ``width`` x ``height``, ``fps`` a second, an IDR at each multiple of ``gop``."""

    width: int
    height: int
    fps: int
    count: int
    gop: int
    bitrate_kbps: int


class EncodedLoop:
    """A loop that lies in a file. Read-only, safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Map ``path``. Raises LoopError if it is missing or damaged."""
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise LoopError(f"loop {path.name}: {error}") from None
        try:
            start = len(MAGIC) + _HEAD.size
            if self._data[: len(MAGIC)] != MAGIC:
                raise ValueError("not a loop file")
            (length,) = _HEAD.unpack_from(self._data, len(MAGIC))
            head = json.loads(self._data[start : start + length])
            self.shape = LoopShape(**head["shape"])
            offsets = np.cumsum([start + length, *head["sizes"]])
            if len(offsets) != self.shape.count + 1 or offsets[-1] != len(self._data):
                raise ValueError("it was cut short")
            self._offsets: list[int] = offsets.tolist()
        except (ValueError, KeyError, TypeError, struct.error) as error:
            self._data.close()
            raise LoopError(f"loop {path.name}: {error}") from None

    def starts_at(self, index: int) -> bool:
        """Whether the access unit ``index`` is an IDR."""
        return index % self.shape.gop == 0

    def unit(self, index: int, pts_90k: int) -> EncodedFrame:
        """The access unit ``index`` (0 .. count - 1), presented at ``pts_90k``."""
        return EncodedFrame(self._data[self._offsets[index] : self._offsets[index + 1]], pts_90k, self.starts_at(index))


def encode_loop(path: Path, shape: LoopShape, draw: Callable[[int, I420], None]) -> EncodedLoop:
    """Make the loop file ``path``, unless another process has made it, or makes it just now (then this waits).

    ``draw(index, out)`` draws picture ``index`` into ``out``, shape (height * 3 // 2, width), which holds the one before.
    Takes seconds: call it in a thread. A damaged file is made anew; one that is half written is never seen.

    Raises LoopError: it cannot be written.
    """
    if not 1 <= shape.count <= MAX_FRAMES or shape.gop < 1:
        raise LoopError(f"a loop of {shape.count} pictures, an IDR each {shape.gop}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                try:
                    return EncodedLoop(path)
                except LoopError:
                    path.unlink()
            partial = path.with_suffix(f".{os.getpid()}.part")
            try:
                _write(partial, shape, draw)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise LoopError(f"loop {path.name}: {error}") from None
    return EncodedLoop(path)


def _write(path: Path, shape: LoopShape, draw: Callable[[int, I420], None]) -> None:
    encoder = H264Encoder(shape.width, shape.height, shape.fps, shape.bitrate_kbps, preset=PRESET)
    picture = np.zeros((shape.height * 3 // 2, shape.width), np.uint8)
    units = []
    # The loop's end goes before its beginning and is thrown away: an encoder codes its first pictures otherwise than
    # later ones, and that would be seen at the seam.
    for index in range(-shape.gop, shape.count):
        draw(index % shape.count, picture)
        unit = encoder.encode(picture, (index + shape.gop) * VIDEO_RATE // shape.fps, index % shape.gop == 0)
        if index >= 0:
            units.append(unit.data)
    head = json.dumps(
        {"shape": {name: getattr(shape, name) for name in LoopShape.__slots__}, "sizes": [len(u) for u in units]}
    )
    with path.open("wb") as file:
        file.write(MAGIC + _HEAD.pack(len(head)) + head.encode())
        file.writelines(units)
