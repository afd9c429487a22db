"""The stage: one clock for sound, motion and picture.

The clock counts samples of sound at 48 kHz. Every 20 ms of it an Opus packet leaves; every frame time a picture is drawn for
the very sample that leaves with it, and encoded on a thread of its own. What is spoken next waits in one bounded queue;
:meth:`Stage.clear` empties it at once, and what was sent of each utterance is known to the sample.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from visavis import log
from visavis.avatar.types import Listener, Renderer
from visavis.media.h264 import H264Encoder
from visavis.media.opus import OpusEncoder
from visavis.media.types import EncodedAudio, EncodedFrame
from visavis.motion.director import Director
from visavis.motion.frame import MotionFrame
from visavis.motion.wire import encode_motion
from visavis.session.replay import Replay
from visavis.session.script import STAGE_RATE, Utterance

TICK: Final = 960
"""Samples of one Opus packet: 20 ms."""
MAX_QUEUED: Final = 30 * STAGE_RATE
"""Sound that may wait: 30 s. Who pushes more waits (synthesis is faster than speech)."""
LEAD: Final = 2 * TICK
"""Silence before the first sound after a pause: lips move before the voice does."""
GAP: Final = 2 * TICK
"""Pause between two sentences, besides the silence that a synthesised sentence ends with."""
MAX_CATCH_UP: Final = 0.2
"""Seconds the stage catches up after the process was stalled; beyond that the clock is set anew."""
REST_STRIDE: Final = 3
"""Of a sleeper's pictures only each third is sent: slow breath needs no more."""

_log = log.get("stage")


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


class StageListener(Protocol):
    """Who is told what really sounds. Called on the event loop; must not block."""

    def utterance_started(self, utterance: Utterance, pts: float) -> None: ...

    def utterance_ended(self, utterance: Utterance, interrupted: bool) -> None: ...

    def speaking_changed(self, speaking: bool) -> None: ...


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


@dataclass(slots=True, eq=False)
class _Piece:
    utterance: Utterance
    pcm: npt.NDArray[np.int16]
    start: int
    taken: int = field(default=0)


class Stage:
    """Plays utterances and draws the face. ``run()`` is the session's heartbeat; everything else is called from the same loop."""

    def __init__(
        self,
        *,
        director: Director,
        renderer: Renderer,
        video: H264Encoder,
        audio: OpusEncoder,
        outlet: Outlet,
        listener: StageListener,
        fps: int = 25,
        replay: Replay | None = None,
    ) -> None:
        self._replay = replay
        self._director, self._renderer, self._video, self._audio = director, renderer, video, audio
        self._outlet, self._listener = outlet, listener
        self._frame_samples = STAGE_RATE // fps
        self._picture = np.zeros((renderer.height * 3 // 2, renderer.width), np.uint8)
        self._drawer = ThreadPoolExecutor(1, thread_name_prefix="stage")
        self._drawing: asyncio.Future[EncodedFrame] | None = None
        self._queue: deque[_Piece] = deque()
        self._queued = 0
        self._current: Utterance | None = None
        self._room_in_queue = asyncio.Event()
        self._room_in_queue.set()
        self._stir = asyncio.Event()
        self._keyframe = True
        self._resting = False
        self._idle_since: tuple[float, int] | None = None
        self._speaking = False
        self._silence = np.zeros(TICK, np.int16)
        self._buffer = np.zeros(TICK, np.int16)
        self.position = 0
        """The stage clock: samples since the stage opened."""
        self.stats = StageStats()

    @property
    def now(self) -> float:
        """The stage clock in seconds."""
        return self.position / STAGE_RATE

    @property
    def speaking(self) -> bool:
        return self._speaking

    def keyframe(self) -> None:
        """The next picture must be decodable by itself (a viewer joined or lost packets)."""
        self._keyframe = True
        self._stir.set()

    def stir(self) -> None:
        """Look again whether there is something to do (a viewer came or left)."""
        self._stir.set()

    def rest(self, resting: bool) -> None:
        """Sleep (a few pictures a second once the eyes are closed, no sound) or be awake."""
        self._resting = resting
        self._stir.set()

    async def push(
        self, utterance: Utterance, pcm: npt.NDArray[np.int16], phonemes: Sequence[tuple[str, float, float]] | None
    ) -> None:
        """Queue sound (mono int16, 48 kHz) of ``utterance`` with its phonemes (symbol, start, end; seconds from the start of ``pcm``).

        ``phonemes`` None: the engine gave no timings; the mouth then follows the loudness. Waits while the queue is full.
        """
        while self._queued >= MAX_QUEUED:
            self._room_in_queue.clear()
            await self._room_in_queue.wait()
        if not len(pcm) or utterance.ended:  # it was cut while this waited
            return
        self._catch_up()
        if self._queue:
            last = self._queue[-1]
            start = last.start + len(last.pcm) + (GAP if last.utterance is not utterance else 0)
        else:
            fresh = self._current is not utterance
            start = self.position + (LEAD if fresh else 0)
        self._queue.append(_Piece(utterance, pcm, start))
        self._queued += len(pcm)
        utterance.samples += len(pcm)
        if isinstance(self._renderer, Listener):
            self._renderer.hear(pcm, STAGE_RATE, start / STAGE_RATE)
        if phonemes is None:
            self._director.speak_sound(pcm, STAGE_RATE, start / STAGE_RATE)
        else:
            self._director.speak(phonemes, start / STAGE_RATE)
        self._stir.set()

    def finish(self, utterance: Utterance) -> None:
        """No more sound of ``utterance`` will come."""
        utterance.complete = True
        if not any(piece.utterance is utterance for piece in self._queue):
            self._end(utterance, interrupted=False)
            self._settle()

    def clear(self) -> list[Utterance]:
        """Silence, at once: drops what waits and closes the mouth. Returns the utterances that were cut."""
        cut: list[Utterance] = []
        if self._current is not None:
            cut.append(self._current)
        for piece in self._queue:
            if piece.utterance not in cut:
                cut.append(piece.utterance)
        self._queue.clear()
        self._queued = 0
        self._room_in_queue.set()
        self._director.hush(self.now)
        if isinstance(self._renderer, Listener):
            self._renderer.hush(self.now)
        for utterance in cut:
            self._end(utterance, interrupted=True)
        self._settle()
        return cut

    async def run(self) -> None:
        """Play until cancelled."""
        loop = asyncio.get_running_loop()
        origin = loop.time()
        try:
            while True:
                if self._idle():
                    self._idle_since = (loop.time(), self.position)
                    await self._wait_for_a_stir()
                    self._catch_up()
                    self._idle_since = None
                    origin = loop.time() - self.position / STAGE_RATE
                delay = origin + self.position / STAGE_RATE - loop.time()
                if delay > 0:
                    await asyncio.sleep(delay)
                elif delay < -MAX_CATCH_UP:
                    # Stalled (a suspended machine): later is better than a burst that every viewer would drop.
                    origin -= delay
                    self.stats.stalls += 1
                    _log.warning("stage stalled", seconds=round(-delay, 3))
                self._tick()
        finally:
            self._drawer.shutdown(wait=False, cancel_futures=True)

    def _catch_up(self) -> None:
        """After idling the clock has gone on with real time, as RTP expects of a pause, in whole frames."""
        if self._idle_since is not None:
            since, position = self._idle_since
            slept = int((asyncio.get_running_loop().time() - since) * STAGE_RATE)
            self.position = max(self.position, position + slept // self._frame_samples * self._frame_samples)

    def _idle(self) -> bool:
        if self._queue:
            return False
        return self._outlet.viewers == 0 or (self._resting and self._director.resting(self.now))

    async def _wait_for_a_stir(self) -> None:
        """Wait for a viewer, a word or a wake-up; asleep before viewers, until the next breath is to be seen."""
        if self._outlet.viewers:
            self._draw()
        self._stir.clear()
        asleep = self._outlet.viewers > 0
        try:
            async with asyncio.timeout(REST_STRIDE * self._frame_samples / STAGE_RATE if asleep else None):
                await self._stir.wait()
        except TimeoutError:
            pass

    def _tick(self) -> None:
        if self.position % self._frame_samples == 0:
            self._draw()
        block = self._next_block()
        if self._outlet.viewers:
            self._outlet.push_audio(self._audio.encode(block, self.position))
        self.position += TICK

    def _next_block(self) -> npt.NDArray[np.int16]:
        """The next 20 ms of sound."""
        end = self.position + TICK
        if not self._queue or self._queue[0].start >= end:
            return self._silence
        out = self._buffer
        out.fill(0)
        while self._queue and self._queue[0].start + self._queue[0].taken < end:
            piece = self._queue[0]
            begin = max(piece.start + piece.taken, self.position)
            if piece.taken == 0 and not piece.utterance.started:
                self._begin(piece.utterance)
            count = min(end - begin, len(piece.pcm) - piece.taken)
            out[begin - self.position : begin - self.position + count] = piece.pcm[piece.taken : piece.taken + count]
            piece.taken += count
            piece.utterance.played += count
            self._queued -= count
            if piece.taken < len(piece.pcm):
                break
            self._queue.popleft()
            if self._queued < MAX_QUEUED:
                self._room_in_queue.set()
            if piece.utterance.complete and not any(p.utterance is piece.utterance for p in self._queue):
                self._end(piece.utterance, interrupted=False)
        self._settle()
        return out

    def _begin(self, utterance: Utterance) -> None:
        utterance.started = True
        self._current = utterance
        self._drawer.submit(self._renderer.subtitle, utterance.text)
        if not self._speaking:
            self._speaking = True
            self._listener.speaking_changed(True)
        self._listener.utterance_started(utterance, self.now)

    def _end(self, utterance: Utterance, *, interrupted: bool) -> None:
        if utterance.ended:
            return
        utterance.ended = True
        if self._current is utterance:
            self._current = None
        self._listener.utterance_ended(utterance, interrupted)

    def _settle(self) -> None:
        """Tell when the digital human falls silent."""
        if self._speaking and self._current is None and not self._queue:
            self._speaking = False
            self._drawer.submit(self._renderer.subtitle, None)
            self._listener.speaking_changed(False)

    # --- picture --------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Start drawing the picture of this very moment, unless the one before is still on its way."""
        outlet = self._outlet
        if not outlet.viewers:
            return
        motion = self._director.frame(self.now)
        motion.pts = self.now
        if outlet.motion_viewers:
            outlet.push_motion(encode_motion(motion), self.position)
        if not outlet.picture_viewers:
            return
        if self._drawing is not None:
            self.stats.dropped_frames += 1
            self.stats.late_frames += 1
            if self._speaking:
                self.stats.speaking_late_frames += 1
            return
        force, self._keyframe = self._keyframe, False
        if self._replay is not None:
            leaving = self._replay.replaying
            ready = self._replay.unit(motion, _ticks(self.position), force)
            if ready is not None:
                self.stats.frames += 1
                self.stats.replayed_frames += 1
                self.stats.video_bytes += len(ready.data)
                self._outlet.push_video(ready)
                return
            force = force or leaving
        loop = asyncio.get_running_loop()
        due = loop.time() + self._frame_samples / STAGE_RATE
        speaking = self._speaking
        self._drawing = loop.run_in_executor(self._drawer, self._render, motion, self.position, force)
        self._drawing.add_done_callback(lambda done: self._drawn(done, due, speaking))

    def _render(self, motion: MotionFrame, position: int, force: bool) -> EncodedFrame:
        began = time.perf_counter()
        self._renderer.draw(motion, self._picture)
        drawn = time.perf_counter()
        frame = self._video.encode(self._picture, _ticks(position), force)
        self.stats.draw_s += drawn - began
        self.stats.encode_s += time.perf_counter() - drawn
        return frame

    def _drawn(self, done: asyncio.Future[EncodedFrame], due: float, speaking: bool) -> None:
        self._drawing = None
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self.stats.failed_frames += 1
            self._keyframe = True
            if self.stats.failed_frames.bit_count() == 1:  # the 1st, 2nd, 4th ...: a broken face fails at every frame
                _log.error("a picture could not be drawn", failed=self.stats.failed_frames, exc_info=error)
            return
        late = asyncio.get_running_loop().time() > due
        self.stats.frames += 1
        self.stats.late_frames += late
        self.stats.speaking_frames += speaking
        self.stats.speaking_late_frames += speaking and late
        frame = done.result()
        self.stats.video_bytes += len(frame.data)
        self._outlet.push_video(frame)


def _ticks(position: int) -> int:
    """Samples of the stage clock (48 kHz) in ticks of the pictures' (90 kHz)."""
    return position * 15 // 8
