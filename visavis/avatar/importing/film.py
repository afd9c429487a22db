"""A film as pictures at an even rate near 25 a second, upright, of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.error
import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.importing.environment import ImportRefused

Picture = npt.NDArray[np.uint8]

MAX_BYTES: Final = 4 * 2**30
MAX_SECONDS: Final = 600.0
MIN_SIDE: Final = 360
MAX_SIDE: Final = 4096
CANVAS_SIDE: Final = 1920
"""A larger film is scaled down to this."""
MIN_FPS: Final = 20.0
RATE: Final = 25
# A playlist that calls itself a film must not make us read other files or addresses.
_SAFE: Final = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg,flv,ogg"}


@dataclass(frozen=True, slots=True)
class Film:
    """What a film is: its file, size in pixels (upright and scaled, even), pictures a second as read here, and seconds.

    A source of 24, 30, 50 or 60 pictures a second is not resampled to 25: every or every other picture is read. Played at
    25, 30 become a slower, 24 a faster idle life; a picture twice or left out would be seen as a jerk.
    """

    path: Path
    width: int
    height: int
    fps: float
    seconds: float

    @property
    def count(self) -> int:
        """How many pictures there are, about."""
        return int(self.seconds * self.fps)

    def pictures(self, limit: int | None = None) -> Iterator[Picture]:
        """All pictures: shape (height, width, 3), BGR. ImportRefused if the film cannot be read."""
        try:
            with av.open(str(self.path), options=_SAFE) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                due, number = None, 0
                for frame in container.decode(stream):
                    if frame.time is None:
                        raise ImportRefused(f"{self.path.name}: its pictures have no times")
                    if due is None:
                        due = frame.time
                    picture = None
                    # A rate that varies: the first picture about when one is due, twice if need be.
                    while frame.time >= due - 0.25 / self.fps:
                        if picture is None:
                            picture = self._upright(frame)
                        yield picture
                        number += 1
                        due += 1 / self.fps
                        if number == limit:
                            return
        except av.error.FFmpegError as error:
            raise ImportRefused(f"{self.path.name}: the video is damaged ({error.strerror})") from None

    def chosen(self, wanted: Iterable[int]) -> Iterator[tuple[int, Picture]]:
        """The pictures with the numbers ``wanted``, in the film's order."""
        numbers = set(wanted)
        if not numbers:
            return
        for number, picture in enumerate(self.pictures(max(numbers) + 1)):
            if number in numbers:
                yield number, picture

    def _upright(self, frame: av.VideoFrame) -> Picture:
        picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        if frame.rotation:
            picture = np.rot90(picture, round(frame.rotation / 90))
        if picture.shape[:2] != (self.height, self.width):
            picture = np.asarray(cv2.resize(picture, (self.width, self.height), interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(picture, np.uint8)


def probe(path: Path) -> Film:
    """Look at the film ``path`` without believing it.

    Raises:
        ImportRefused: it is missing, too large, no film, too small, too slow, or cannot be decoded.
    """
    name = path.name
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ImportRefused(f"{name}: {error.strerror or error}") from None
    if size > MAX_BYTES:
        raise ImportRefused(f"{name}: {size / 2**30:.1f} GiB, at most {MAX_BYTES // 2**30} are allowed")
    try:
        with av.open(str(path), options=_SAFE) as container:
            if not container.streams.video:
                raise ImportRefused(f"{name}: there are no pictures in it")
            stream = container.streams.video[0]
            width, height = stream.codec_context.width, stream.codec_context.height
            if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE:
                raise ImportRefused(
                    f"{name}: {width}x{height} pixels; the shorter side must have {MIN_SIDE}, the longer at most {MAX_SIDE}"
                )
            first = next(container.decode(stream), None)
            if first is None:
                raise ImportRefused(f"{name}: there are no pictures in it")
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            seconds = _seconds(container, stream)
    except av.error.FFmpegError as error:
        raise ImportRefused(f"{name}: not a video that can be read ({error.strerror})") from None
    if rate < MIN_FPS:
        raise ImportRefused(
            f"{name}: {rate:.0f} pictures a second, at least {MIN_FPS:.0f} are needed (film in more light)"
        )
    if seconds > MAX_SECONDS:
        raise ImportRefused(f"{name}: {seconds / 60:.1f} minutes, at most {MAX_SECONDS / 60:.0f} are read: cut it")
    if round(first.rotation / 90) % 2:
        width, height = height, width
    scale = min(1.0, CANVAS_SIDE / max(width, height))
    stride = max(1, round(rate / RATE))
    return Film(path, round(width * scale / 2) * 2, round(height * scale / 2) * 2, rate / stride, seconds)


def _seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / 1e6
    raise ImportRefused("the video does not say how long it is")
