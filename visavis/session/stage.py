"""The stage: one clock for sound, motion and picture.

The clock counts samples of sound at 48 kHz. Every 20 ms of it an Opus packet leaves; every frame time the easel is given the
motion of the very sample that leaves with it. What is spoken next waits in one bounded queue;
:meth:`Stage.clear` empties it at once, and what was sent of each utterance is known to the sample.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from visavis import log
from visavis.media.opus import OpusEncoder
from visavis.motion.director import Director
from visavis.motion.wire import encode_motion
from visavis.session.easel import Easel, Outlet
from visavis.session.halt import FADE, Recent, Timing
from visavis.session.script import STAGE_RATE, Utterance
from visavis.session.subtitles import said

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


class StageListener(Protocol):
    """Who is told what really sounds. Called on the event loop; must not block."""

    def utterance_started(self, utterance: Utterance, pts: float) -> None: ...

    def utterance_ended(self, utterance: Utterance, interrupted: bool) -> None: ...

    def speaking_changed(self, speaking: bool) -> None: ...


@dataclass(slots=True, eq=False)
class _Piece:
    utterance: Utterance
    pcm: npt.NDArray[np.int16]
    start: int
    timings: list[Timing] | None
    """Its phonemes, by the stage clock; None: nobody knows them."""
    taken: int = field(default=0)

    def move(self, samples: int) -> None:
        """Sound later."""
        self.start += samples
        if self.timings is not None:
            shift = samples / STAGE_RATE
            self.timings = [(name, start + shift, end + shift) for name, start, end in self.timings]


class Stage:
    """Plays utterances and draws the face. ``run()`` is the session's heartbeat; everything else is called from the same loop."""

    def __init__(
        self,
        *,
        director: Director,
        easel: Easel,
        audio: OpusEncoder,
        outlet: Outlet,
        listener: StageListener,
        fps: int = 25,
    ) -> None:
        self._director, self._easel, self._audio = director, easel, audio
        self._outlet, self._listener = outlet, listener
        self._frame_samples = STAGE_RATE // fps
        self._queue: deque[_Piece] = deque()
        self._queued = 0
        self._current: Utterance | None = None
        self._seen = 0  # characters of it in the subtitle
        self._room_in_queue = asyncio.Event()
        self._room_in_queue.set()
        self._stir = asyncio.Event()
        self._resting = False
        self._origin = 0.0  # when the clock was at 0, on the event loop's
        self._waiting = False
        self._shown = -1  # the position shown last
        self._speaking = False
        self._halted: int | None = None  # where the voice stopped for a moment
        self._recent = Recent()
        self._silence = np.zeros(TICK, np.int16)
        self._buffer = np.zeros(TICK, np.int16)
        self.position = 0
        """The stage clock: samples since the stage opened."""
        self.stats = easel.stats
        self.on_sound: Callable[[npt.NDArray[np.int16], int], None] | None = None
        """Called with each 20 ms that are not silent and their position; the array is used again afterwards."""
        self.on_played: Callable[[Utterance, float], None] | None = None
        """Called for an utterance each time more of it leaves, with the stage clock (s) behind its last sample."""

    @property
    def now(self) -> float:
        """The stage clock in seconds."""
        return self.position / STAGE_RATE

    def clock(self) -> int:
        """The stage clock at this very moment, between ticks and in pauses too."""
        return round((asyncio.get_running_loop().time() - self._origin) * STAGE_RATE)

    @property
    def speaking(self) -> bool:
        """Whether it says something; it still does while it is paused."""
        return self._speaking

    @property
    def paused(self) -> bool:
        """Whether the voice waits for :meth:`resume` or :meth:`clear`."""
        return self._halted is not None

    def keyframe(self) -> None:
        """The next picture must be decodable by itself (a viewer joined or lost packets)."""
        self._easel.keyframe()
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
            now = self.position if self._halted is None else self._halted
            start = now + (LEAD if fresh else 0)
        begin = start / STAGE_RATE
        timings = None if phonemes is None else [(name, begin + a, begin + b) for name, a, b in phonemes]
        piece = _Piece(utterance, pcm, start, timings)
        self._queue.append(piece)
        self._queued += len(pcm)
        utterance.add(len(pcm), phonemes)
        if self._halted is None:
            self._rehearse(piece)
        self._stir.set()

    def _rehearse(self, piece: _Piece) -> None:
        """Tell the face what will sound."""
        start, pcm = piece.start + piece.taken, piece.pcm[piece.taken :]
        self._easel.hear(pcm, start)
        if piece.timings is None:
            self._director.speak_sound(pcm, STAGE_RATE, start / STAGE_RATE)
        else:
            begin = start / STAGE_RATE
            timings = [(name, max(a - begin, 0.0), b - begin) for name, a, b in piece.timings if b > begin]
            self._director.speak(timings, begin)

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
        self._halted = None
        self._recent.forget()
        self._room_in_queue.set()
        self._director.hush(self.now)
        self._easel.hush(self.position)
        for utterance in cut:
            self._end(utterance, interrupted=True)
        self._settle()
        return cut

    def pause(self) -> None:
        """Fall silent within 20 ms and close the mouth, but keep all that is to be said. Nothing to say: nothing happens."""
        if self._halted is not None or not self._speaking:
            return
        self._halted = self.position + TICK  # one more packet, which fades
        self._director.hush(self.now)
        self._easel.hush(self.position)

    def resume(self) -> None:
        """Go on after :meth:`pause`, from a quiet place shortly before the one where the voice stopped. Its mouth and what waits
        move along."""
        if self._halted is None:
            return
        halted, self._halted = min(self._halted, self.position), None
        self._catch_up()
        again, timings = self._recent.since(self._current)
        later = self.position + LEAD - halted + len(again)
        if len(again) and self._current is not None:
            piece = _Piece(self._current, again, halted - len(again), timings)
            self._current.played -= len(again)
            self._queue.appendleft(piece)
            self._queued += len(again)
        self._recent.forget()
        for piece in self._queue:
            piece.move(later)
            self._rehearse(piece)
        self._stir.set()

    async def run(self) -> None:
        """Play until cancelled."""
        loop = asyncio.get_running_loop()
        self._origin = loop.time() - self.position / STAGE_RATE
        try:
            while True:
                while self.position % self._frame_samples == 0 and self._idle():
                    await self._wait()
                delay = self._due(self.position) - loop.time()
                if delay > 0:
                    await asyncio.sleep(delay)
                elif delay < -MAX_CATCH_UP:
                    # Stalled (a suspended machine): later is better than a burst that every viewer would drop.
                    self._origin -= delay
                    self.stats.stalls += 1
                    _log.warning("stage stalled", seconds=round(-delay, 3))
                self._tick()
        finally:
            self._easel.close()

    def _due(self, position: int) -> float:
        """When ``position`` is to be heard, on the event loop's clock."""
        return self._origin + position / STAGE_RATE

    def _catch_up(self) -> None:
        """In a pause the clock goes on with real time, as RTP expects, in whole frames."""
        if self._waiting:
            passed = round((asyncio.get_running_loop().time() - self._origin) * STAGE_RATE)
            self.position = max(self.position, passed // self._frame_samples * self._frame_samples)

    def _idle(self) -> bool:
        if self._queue:
            return False
        return self._outlet.viewers == 0 or (self._resting and self._director.resting(self.now))

    async def _wait(self) -> None:
        """Wait for a viewer, a word or a wake-up; asleep before viewers, until the next breath is to be seen."""
        until = None
        if self._outlet.viewers:
            stride = REST_STRIDE if self._draw() else 1
            until = self._due(self.position + stride * self._frame_samples)
        self._stir.clear()
        self._waiting = True
        try:
            async with asyncio.timeout_at(until):
                await self._stir.wait()
        except TimeoutError:
            pass
        finally:
            self._catch_up()
            self._waiting = False

    def _tick(self) -> None:
        if self.position % self._frame_samples == 0:
            self._uncover()
            self._draw()
        block = self._next_block()
        if self.on_sound is not None and block is not self._silence:
            self.on_sound(block, self.position)
        if self._outlet.viewers:
            self._outlet.push_audio(self._audio.encode(block, self.position))
        self.position += TICK

    def _next_block(self) -> npt.NDArray[np.int16]:
        """The next 20 ms of sound."""
        end = self.position + TICK
        if self._halted is not None and self.position >= self._halted:
            return self._silence
        if not self._queue or self._queue[0].start >= end:
            return self._silence
        out = self._buffer
        out.fill(0)
        while self._queue and self._queue[0].start + self._queue[0].taken < end:
            piece = self._queue[0]
            begin = max(piece.start + piece.taken, self.position)
            if piece.taken == 0:
                self._recent.speaks(piece.utterance, piece.timings, begin)
                if not piece.utterance.started:
                    self._begin(piece.utterance)
            count = min(end - begin, len(piece.pcm) - piece.taken)
            sound = piece.pcm[piece.taken : piece.taken + count]
            out[begin - self.position : begin - self.position + count] = sound
            self._recent.sounded(sound)
            piece.taken += count
            piece.utterance.played += count
            self._queued -= count
            if self.on_played is not None:
                self.on_played(piece.utterance, (begin + count) / STAGE_RATE)
            if piece.taken < len(piece.pcm):
                break
            self._queue.popleft()
            if self._queued < MAX_QUEUED:
                self._room_in_queue.set()
            if piece.utterance.complete and not any(p.utterance is piece.utterance for p in self._queue):
                self._end(piece.utterance, interrupted=False)
        self._settle()
        if self._halted is not None:
            out[:FADE] = (out[:FADE] * np.linspace(1, 0, FADE)).astype(np.int16)
            out[FADE:] = 0
        return out

    def _begin(self, utterance: Utterance) -> None:
        utterance.started = True
        self._current = utterance
        self._seen = 0 if utterance.words else len(utterance.text)
        self._easel.subtitle(utterance.text, self._seen)
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
            self._easel.subtitle(None)
            self._listener.speaking_changed(False)

    def _uncover(self) -> None:
        """Let the subtitle show the words that have begun to sound; what was shown stays, should their times turn out otherwise."""
        utterance = self._current
        if utterance is None or self._seen == len(utterance.text):
            return
        words = utterance.words
        begun = words[: said(words, utterance.played / STAGE_RATE)]
        seen = sum(len(word.text) for word in begun)
        if seen > self._seen:
            self._seen = seen
            self._easel.subtitle(utterance.text, seen)

    def _draw(self) -> bool:
        """Show this very moment to whoever watches; False: nobody does, or they saw it already."""
        outlet = self._outlet
        if not outlet.viewers or self.position == self._shown:
            return False
        self._shown = self.position
        motion = self._director.frame(self.now)
        motion.pts = self.now
        if outlet.motion_viewers:
            outlet.push_motion(encode_motion(motion), self.position)
        if outlet.picture_viewers:
            self._easel.show(motion, self.position, self._speaking)
        return True
