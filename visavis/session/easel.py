"""The easel: draws and encodes the pictures of one session on a thread of its own, or replays those made before."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from visavis import log
from visavis.avatar.types import Listener, Renderer
from visavis.media.h264 import H264Encoder
from visavis.media.types import EncodedAudio, EncodedFrame
from visavis.motion.frame import MotionFrame
from visavis.session.replay import Replay
from visavis.session.script import STAGE_RATE

_log = log.get("easel")


class Outlet(Protocol):
    """Where encoded packets go: one outlet serves all viewers."""

    @property
    def viewers(self) -> int: ...

    @property
    def picture_viewers(self) -> int: ...

    @property
    def motion_viewers(self) -> int: ...

    def push_motion(self, message: bytes, position: int) -> None: ...

    def push_video(self, frame: EncodedFrame) -> None: ...

    def push_audio(self, packet: EncodedAudio) -> None: ...


@dataclass(slots=True)
class StageStats:
    """Counters since the start of the session."""

    frames: int = 0
    late_frames: int = 0
    dropped_frames: int = 0
    replayed_frames: int = 0
    speaking_frames: int = 0
    speaking_late_frames: int = 0
    stalls: int = 0
    draw_s: float = 0.0
    encode_s: float = 0.0
    video_bytes: int = 0
    failed_frames: int = 0

    def as_dict(self) -> dict[str, float]:
        """For the heartbeat: counts, and seconds to the millisecond."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


class Easel:
    """Shows motion frames, one at a time: what comes while a picture is still on its way is dropped. Positions: 1/48000 s."""

    def __init__(
        self, renderer: Renderer, video: H264Encoder, outlet: Outlet, fps: int = 25, replay: Replay | None = None
    ) -> None:
        self._renderer, self._video, self._outlet, self._replay = renderer, video, outlet, replay
        self._listener = renderer if isinstance(renderer, Listener) else None
        self._frame_s = 1 / fps
        self._picture = np.zeros((renderer.height * 3 // 2, renderer.width), np.uint8)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="easel")
        self._drawing = False
        self._keyframe = True
        self.stats = StageStats()

    def keyframe(self) -> None:
        """The next picture must be decodable by itself."""
        self._keyframe = True

    def hear(self, pcm: npt.NDArray[np.int16], position: int) -> None:
        """Sound (mono, 48 kHz) that will be heard from ``position`` on: some mouths are painted from it."""
        if self._listener is not None:
            self._listener.hear(pcm, STAGE_RATE, position / STAGE_RATE)

    def hush(self, position: int) -> None:
        """What would be heard from ``position`` on will not be."""
        if self._listener is not None:
            self._listener.hush(position / STAGE_RATE)

    def subtitle(self, text: str | None, upto: int | None = None) -> None:
        """Burn the first ``upto`` characters of ``text`` (None: all) into the next pictures, if the room wants that; no ``text``:
        no more."""
        self._thread.submit(self._renderer.subtitle, text, upto)

    def close(self) -> None:
        """Draw no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def show(self, motion: MotionFrame, position: int, speaking: bool) -> None:
        """Send the picture of ``motion``: at once if it was made before, else as soon as it is drawn and encoded."""
        stats = self.stats
        if self._drawing:
            stats.dropped_frames += 1
            stats.late_frames += 1
            stats.speaking_late_frames += speaking
            return
        force, self._keyframe = self._keyframe, False
        if self._replay is not None:
            leaving = self._replay.replaying
            ready = self._replay.unit(motion, _ticks(position), force)
            if ready is not None:
                stats.replayed_frames += 1
                self._send(ready)
                return
            force = force or leaving
        loop = asyncio.get_running_loop()
        due = loop.time() + self._frame_s
        self._drawing = True
        done = loop.run_in_executor(self._thread, self._draw, motion, position, force)
        done.add_done_callback(lambda done: self._drawn(done, due, speaking))

    def _draw(self, motion: MotionFrame, position: int, force: bool) -> EncodedFrame:
        began = time.perf_counter()
        self._renderer.draw(motion, self._picture)
        drawn = time.perf_counter()
        frame = self._video.encode(self._picture, _ticks(position), force)
        self.stats.draw_s += drawn - began
        self.stats.encode_s += time.perf_counter() - drawn
        return frame

    def _drawn(self, done: asyncio.Future[EncodedFrame], due: float, speaking: bool) -> None:
        self._drawing = False
        if done.cancelled():
            return
        stats, error = self.stats, done.exception()
        if error is not None:
            stats.failed_frames += 1
            self._keyframe = True
            if stats.failed_frames.bit_count() == 1:  # the 1st, 2nd, 4th ...: a broken face fails at every frame
                _log.error("a picture could not be drawn", failed=stats.failed_frames, exc_info=error)
            return
        late = asyncio.get_running_loop().time() > due
        stats.late_frames += late
        stats.speaking_frames += speaking
        stats.speaking_late_frames += speaking and late
        self._send(done.result())

    def _send(self, frame: EncodedFrame) -> None:
        self.stats.frames += 1
        self.stats.video_bytes += len(frame.data)
        self._outlet.push_video(frame)


def _ticks(position: int) -> int:
    """Samples of the stage clock (48 kHz) in ticks of the pictures' (90 kHz)."""
    return position * 15 // 8
