"""Idle and sleeping faces repeat themselves: their pictures are encoded once and then replayed.

While a motion frame is one of a loop's (:attr:`MotionFrame.loop`), the loop's own access units are sent. A stream goes over
to them where the loop has an IDR, and leaves them at any moment with an IDR of its own.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final, Protocol

from visavis import log
from visavis.avatar.types import Renderer
from visavis.errors import VisavisError
from visavis.media.loops import EncodedLoop, LoopShape, encode_loop
from visavis.media.types import I420, EncodedFrame
from visavis.motion.frame import MotionFrame
from visavis.speech.priority import yield_to_pictures

GOP_S: Final = 2.0
"""Seconds between the IDRs of a loop: so long a falling-idle face is drawn at most before it is replayed."""
SLACK: Final = 5
"""Pictures by which the replay may lag behind the motion (a stall), before it starts anew at an IDR."""
NICENESS: Final = 10
KEPT: Final = 16
"""Loops that a worker keeps mapped."""
FOLDER_BYTES: Final = 2**30
"""Loop files of all rooms together; the longest unused are deleted."""

_log = log.get("replay")


class LoopMotion(Protocol):
    """A periodic motion; frame ``frames`` would be frame 0 again."""

    @property
    def frames(self) -> int: ...

    def frame(self, index: int) -> MotionFrame: ...


@dataclass(frozen=True, slots=True)
class Repeated:
    """A motion and how it is sent: each ``stride``-th frame of it, ``fps`` a second before striding."""

    motion: LoopMotion
    fps: int = 25
    stride: int = 1


class LoopShelf:
    """The encoded loops of one worker. Makes what is missing on one thread of low priority; ``get`` never waits."""

    def __init__(self, folder: Path, loops: Mapping[str, Repeated]) -> None:
        self._folder, self.loops = folder, loops
        self._digests = {name: _digest(repeated) for name, repeated in loops.items()}
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="loops", initializer=yield_to_pictures, initargs=(NICENESS,)
        )
        self._made: OrderedDict[Path, Future[EncodedLoop | None]] = OrderedDict()
        self._closing = threading.Event()

    def get(
        self, name: str, renderer: Renderer, bitrate_kbps: int, another: Callable[[], Renderer]
    ) -> EncodedLoop | None:
        """The loop ``name`` as ``renderer`` draws it; None: not ready yet. ``another`` makes a second renderer like it."""
        repeated = self.loops.get(name)
        if repeated is None or not renderer.cacheable:
            return None
        path = self._path(name, renderer, bitrate_kbps)
        future = self._made.get(path)
        if future is None:
            future = self._made[path] = self._thread.submit(self._make, path, repeated, bitrate_kbps, another)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(path)
        return future.result() if future.done() and not future.cancelled() else None

    def close(self) -> None:
        """Stop what is being made."""
        self._closing.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _path(self, name: str, renderer: Renderer, bitrate_kbps: int) -> Path:
        content = f"{renderer.key} {renderer.width}x{renderer.height} {bitrate_kbps} {self._digests[name]} {GOP_S}"
        return self._folder / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:32]}.loop"

    def _make(
        self, path: Path, repeated: Repeated, bitrate_kbps: int, another: Callable[[], Renderer]
    ) -> EncodedLoop | None:
        try:
            renderer = another()
            count = repeated.motion.frames // repeated.stride
            fps = round(repeated.fps / repeated.stride)
            shape = LoopShape(renderer.width, renderer.height, fps, count, max(1, round(GOP_S * fps)), bitrate_kbps)

            def draw(index: int, out: I420) -> None:
                if self._closing.is_set():
                    raise VisavisError("the worker is closing")
                renderer.draw(repeated.motion.frame(index * repeated.stride), out)

            loop = encode_loop(path, shape, draw)
            path.touch()
            self._prune()
            return loop
        except Exception:  # drawing goes on as before: replaying only saves work
            if not self._closing.is_set():
                _log.exception("a loop could not be made", loop=path.name)
            return None

    def _prune(self) -> None:
        """Delete the files that were unused longest, until the rest is small enough."""
        files = sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in self._folder.glob("*.loop")), reverse=True)
        total = 0
        for _, size, file in files:
            total += size
            if total > FOLDER_BYTES:
                file.unlink(missing_ok=True)
                file.with_suffix(".lock").unlink(missing_ok=True)


def _digest(repeated: Repeated) -> str:
    """Names the motion's content: a loop that moves otherwise has other files."""
    digest = hashlib.sha256(f"{repeated.fps} {repeated.stride} {repeated.motion.frames}".encode())
    for index in range(0, repeated.motion.frames, repeated.stride):
        frame = repeated.motion.frame(index)
        digest.update(frame.blendshapes.tobytes())
        digest.update(repr((astuple(frame.head), frame.gaze, frame.breath)).encode())
    return digest.hexdigest()


class Replay:
    """Decides for one session, picture by picture, whether a ready-made one is sent."""

    def __init__(
        self, shelf: LoopShelf, renderer: Renderer, bitrate_kbps: int, another: Callable[[], Renderer]
    ) -> None:
        self._shelf, self._renderer, self._bitrate_kbps, self._another = shelf, renderer, bitrate_kbps, another
        self._on: tuple[str, int] | None = None

    @property
    def replaying(self) -> bool:
        """The last picture came from a loop."""
        return self._on is not None

    def unit(self, motion: MotionFrame, pts_90k: int, keyframe: bool) -> EncodedFrame | None:
        """The picture of ``motion`` from its loop; None: draw it (as an IDR, if :attr:`replaying` was true).

        ``keyframe``: a viewer needs an IDR now.
        """
        found = self._next(motion)
        if found is None or (keyframe and not found[1].starts_at(found[2])):
            self._on = None
            return None
        name, loop, index = found
        self._on = name, (index + 1) % loop.shape.count
        return loop.unit(index, pts_90k)

    def _next(self, motion: MotionFrame) -> tuple[str, EncodedLoop, int] | None:
        if motion.loop is None:
            return None
        name, frame = motion.loop
        loop = self._shelf.get(name, self._renderer, self._bitrate_kbps, self._another)
        if loop is None:
            return None
        count = loop.shape.count
        wanted = frame // self._shelf.loops[name].stride % count
        if self._on is not None and self._on[0] == name:
            lag = (wanted - self._on[1]) % count
            if min(lag, count - lag) <= SLACK:
                return name, loop, self._on[1]
        return (name, loop, wanted) if loop.starts_at(wanted) else None
