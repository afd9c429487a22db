"""Video layers: decoded ahead of their time on another thread, at the size they are shown.

At most two pictures of a video wait. Drawing never waits for a video: if its next picture is not ready, the one before stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.container import InputContainer
from av.video import VideoStream
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from visavis import log
from visavis.avatar.archive import PackError
from visavis.avatar.layers import Overlay, Window, drawn
from visavis.avatar.layout import VideoLayer
from visavis.avatar.planes import Plane, Rect, premultiplied

MAX_FILE: Final = 128 * 2**20
MAX_PIXELS: Final = 3840 * 2160
MAX_RATE: Final = 120.0
AHEAD: Final = 2
"""Pictures that wait to be shown."""
MAX_STEP: Final = 0.5
"""A pause of the drawing of more seconds than this is not made up for: the video goes on where it stopped."""

_CODECS: Final = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mjpeg", "qtrle", "png", "prores"}
)
_ALPHA: Final = frozenset({"argb", "rgba", "bgra", "abgr", "yuva420p", "yuva422p", "yuva444p", "rgba64be", "rgba64le"})
_UNSPECIFIED: Final = 2
_RUNAWAY: Final = 20_000
"""Packets that are read in search of one picture: a file without pictures must not keep a thread."""

_log = log.get("film")


def container(path: Path) -> str:
    """The demuxer for ``path`` by its first bytes: "mov" (MP4, QuickTime) or "matroska" (WebM).

    FFmpeg is not left to guess: playlists and scripts would let a file name others, or addresses of the network.

    Raises:
        PackError: missing, too large, or neither.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise PackError(f"video {path.name}: larger than {MAX_FILE} bytes")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise PackError(f"video {path.name}: {error.strerror or error}") from None
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    raise PackError(f"video {path.name}: neither MP4, QuickTime nor WebM")


def film_size(path: Path) -> tuple[int, int]:
    """(width, height) of the video ``path``. PackError: broken, too large, of an unknown kind, or it holds no pictures."""
    with _opened(path) as file:
        context = _stream(path.name, file).codec_context
        return context.width, context.height


def _opened(path: Path) -> InputContainer:
    kind = container(path)
    try:
        return av.open(str(path), format=kind, options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise PackError(f"video {path.name}: cannot be read ({error.strerror})") from None


def _stream(name: str, file: InputContainer) -> VideoStream:
    if not file.streams.video:
        raise PackError(f"video {name}: it holds no pictures")
    stream = file.streams.video[0]
    context = stream.codec_context
    if context.name not in _CODECS:
        raise PackError(f"video {name}: its coding ({context.name}) is not played here")
    if not 0 < context.width * context.height <= MAX_PIXELS:
        raise PackError(
            f"video {name}: {context.width}x{context.height}, at most as many pixels as 3840x2160 are played"
        )
    return stream


@dataclass(slots=True)
class _Picture:
    """``at``: seconds since the video's (first) start."""

    at: float
    overlay: Overlay


class Film:
    """One video layer.

    Raises:
        PackError: the file is missing, broken, too large, of an unknown kind, or holds no picture.
    """

    def __init__(self, layer: VideoLayer, window: Window, workers: Executor) -> None:
        self._reader = _Reader(layer, window)
        self._workers = workers
        self._ready: deque[_Picture] = deque()
        self._job: Future[_Picture | None] | None = None
        self._over = False
        self._clock = 0.0
        self._last: float | None = None
        first = self._reader.next()
        if first is None:
            raise PackError(f"video {layer.file.name}: it holds no picture")
        self._first = first.overlay

    @property
    def playing(self) -> bool:
        """Whether pictures are still to come."""
        return not self._over or bool(self._ready)

    def first(self) -> Overlay:
        """The first picture, as an object of its own."""
        shown = Overlay.nothing()
        shown.show(self._first)
        return shown

    def at(self, pts: float) -> Overlay | None:
        """The picture to show from ``pts`` (stage clock, seconds) on; None: the one before stays."""
        if self._last is not None:
            self._clock += min(max(0.0, pts - self._last), MAX_STEP)
        self._last = pts
        self._collect()
        due: Overlay | None = None
        while self._ready and self._ready[0].at <= self._clock + 1e-6:
            due = self._ready.popleft().overlay
        self._collect()
        return due

    def _collect(self) -> None:
        """Take what was decoded, and have the next picture decoded while there is room for it."""
        if self._job is not None and self._job.done():
            job, self._job = self._job, None
            try:
                picture = job.result()
            except (av.FFmpegError, PackError, ValueError, MemoryError):
                _log.warning("video layer broken off", exc_info=True)
                picture = None
            if picture is None:
                self._over = True
            else:
                self._ready.append(picture)
        if self._job is None and not self._over and len(self._ready) < AHEAD:
            # A picture whose time has passed is not worth scaling.
            self._job = self._workers.submit(self._reader.next, self._clock)


class _Reader:
    """Decodes and scales. Used by one thread at a time."""

    def __init__(self, layer: VideoLayer, window: Window) -> None:
        self._layer, self._window = layer, window
        self._name = layer.file.name
        self._even = _even_rect(layer, window)
        self._pictures = self._all()

    def next(self, since: float = 0.0) -> _Picture | None:
        """The next picture; of those whose time is before ``since`` only the last. None: the video is over."""
        skipped: tuple[float, av.VideoFrame] | None = None
        for at, frame in self._pictures:
            if at < since - 1e-6 and (skipped is None or at > skipped[0]):
                skipped = at, frame
                if since - at > 1 / 15:  # far behind: look further
                    continue
            return _Picture(at, self._overlay(frame))
        return None if skipped is None else _Picture(skipped[0], self._overlay(skipped[1]))

    def _all(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """All pictures with their times, loop after loop; the times grow."""
        played, start = 0, 0.0
        with _opened(self._layer.file) as file:
            stream = _stream(self._name, file)
            stream.codec_context.thread_count = 1
            while self._layer.loops < 0 or played < max(1, self._layer.loops):
                end = start
                for at, length, frame in self._once(file, stream):
                    end = start + at + length
                    yield start + at, frame
                if end <= start:
                    return
                played, start = played + 1, end
                file.seek(0, stream=stream)

    def _once(self, file: InputContainer, stream: VideoStream) -> Iterator[tuple[float, float, av.VideoFrame]]:
        """(time since the first picture, how long it stays, the picture), from the first to the last."""
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        length = 1 / min(max(rate, 1.0), MAX_RATE)
        first, at, since = None, -length, 0
        for packet in file.demux(stream):
            since += 1
            if since > _RUNAWAY:
                return
            for frame in packet.decode():
                if frame.width * frame.height > MAX_PIXELS:
                    raise PackError(f"video {self._name}: its size changes")
                first = frame.time if first is None else first
                # Times that are missing or run backwards are those of an even rate.
                told = None if frame.time is None or first is None else frame.time - first
                at = told if told is not None and at < told < at + 10 else at + length
                since = 0
                yield max(0.0, at), length, frame

    def _overlay(self, frame: av.VideoFrame) -> Overlay:
        rect = self._even
        if rect is not None and frame.format.name not in _ALPHA:
            return _opaque(frame, rect, self._window.visible)
        place = self._layer.place
        width, height = max(1, round(place.width)), max(1, round(place.height))
        scale = min(1.0, width / frame.width), min(1.0, height / frame.height)
        small = frame.reformat(
            max(1, round(frame.width * scale[0])),
            max(1, round(frame.height * scale[1])),
            "bgra",
            src_colorspace=_colours(frame),
            interpolation=Interpolation.AREA,
        )
        return drawn(premultiplied(np.asarray(small.to_ndarray(), np.uint8)), place, self._window)


def _even_rect(layer: VideoLayer, window: Window) -> Rect | None:
    """Where an upright video lies, to the nearest even pixels; None: it is turned."""
    place = layer.place
    if place.rotation % 360:
        return None
    x, y = 2 * round((place.x - window.offset[0]) / 2), 2 * round((place.y - window.offset[1]) / 2)
    return Rect(x, y, max(2, 2 * round(place.width / 2)), max(2, 2 * round(place.height / 2)))


def _opaque(frame: av.VideoFrame, rect: Rect, visible: Rect) -> Overlay:
    """Without alpha and upright: scaled as planes, which is several times as fast."""
    shown = rect.cut(visible)
    if shown.empty:
        return Overlay.nothing()
    scaled = frame.reformat(
        rect.width,
        rect.height,
        "yuv420p",
        src_colorspace=_colours(frame),
        dst_colorspace=Colorspace.ITU601,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.AREA if rect.width < frame.width else Interpolation.BICUBIC,
    )
    inner = Rect(shown.x - rect.x, shown.y - rect.y, shown.width, shown.height)
    half = Rect(inner.x // 2, inner.y // 2, inner.width // 2, inner.height // 2)
    y, u, v = (_plane(scaled, index) for index in range(3))
    full = np.full((inner.height, inner.width), 255, np.uint8)
    return Overlay(
        shown,
        np.ascontiguousarray(inner.of(y)),
        np.ascontiguousarray(half.of(u)),
        np.ascontiguousarray(half.of(v)),
        full,
        np.full((half.height, half.width), 255, np.uint8),
    )


def _colours(frame: av.VideoFrame) -> Colorspace | None:
    """The colour space to read ``frame`` with; None: as it says. Those that do not say are of their time: HD is BT.709."""
    if frame.colorspace != _UNSPECIFIED or not frame.format.name.startswith("yuv"):
        return None
    return Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601


def _plane(frame: av.VideoFrame, index: int) -> Plane:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    return np.asarray(rows[:, : plane.width], np.uint8)
