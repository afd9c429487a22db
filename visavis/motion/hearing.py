"""A mouth that follows sound alone: any voice, any rate, no phoneme timings.

A small network of our own (docs/hearing-model.md) hears which visemes shape the mouth and whether lips are closed;
the shapes themselves come from the same tables as those of timed speech. It needs sound up to 92.5 ms after the moment
that is shown. Where a stream ends earlier, silence is assumed to follow until more sound comes.

The work is done when a mouth is asked for, a little at a time, so a long sentence may be added at once.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.motion import hearing_net
from visavis.motion.articulation import Shapes, lock_into, smootherstep
from visavis.motion.frame import ARKIT
from visavis.motion.hearing_features import HOP, WINDOW, FeatureStream
from visavis.motion.hearing_net import AHEAD, NetStream
from visavis.motion.visemes import STRENGTHS, TARGETS, Viseme

LOOKAHEAD: Final = AHEAD * HOP + WINDOW / 2
"""Seconds of sound after a moment that its mouth depends on."""

_JOIN: Final = 0.012  # seconds between the end of one piece of sound and the start of the next that are no gap
_HUSH: Final = 0.12  # a mouth closes in this time
_LATE: Final = 0.08  # easing when sound arrives too late to be anticipated
_KEEP: Final = 2.0  # seconds of the past that stay samplable
_SKIP: Final = 1.0  # sound older than this when a mouth is asked for is not listened to ...
_WARM: Final = 0.5  # ... but for its last half second
_STEP: Final = 0.1  # seconds of sound that are worked on at once
_MOST: Final = 120.0  # seconds of sound that may wait; the oldest is forgotten
_SHUT: Final = (0.15, 0.45)  # what the model gives for closed lips goes through a smooth step between these two
_BITTEN: Final = (0.2, 0.5)  # and this for bitten ones
_HOLD: Final = 2  # frames for which a lock is kept up: what is heard of it may be shorter than a picture is shown
_PULLS: Final = STRENGTHS * TARGETS


def mouth_of(heard: npt.NDArray[np.float32]) -> Shapes:
    """Blendshapes, shape (52,), of one output of the model (hearing_net.OUTPUTS,).

    The visemes pull as in articulation.SpeechTrack: each by its share and its strength for the shape; closed lips
    and bitten ones are laid over that.
    """
    shares = heard[: len(Viseme)]
    shapes: Shapes = (shares @ _PULLS) / (shares @ STRENGTHS)
    shut, bitten = heard[len(Viseme) :].tolist()
    for viseme, lock, (none, full) in ((Viseme.FF, bitten, _BITTEN), (Viseme.PP, shut, _SHUT)):
        weight = smootherstep((lock - none) / (full - none))
        if weight > 0.0:
            lock_into(shapes, viseme, weight)
    return shapes


def held(heard: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Outputs of successive frames (n, hearing_net.OUTPUTS) with closed and bitten lips kept up for 20 ms: a new array.

    In quick speech less than one picture's time of a closure may be certain; it must not fall between two pictures.
    """
    out = heard.copy()
    for k in range(1, min(_HOLD, len(heard) - 1) + 1):
        np.maximum(out[k:, len(Viseme) :], heard[:-k, len(Viseme) :], out=out[k:, len(Viseme) :])
    return out


@dataclass
class _Run:
    """Sound without a gap: what of it waits to be heard."""

    rate: int
    start: float
    """Stage time of its first sample."""
    samples: int = 0
    waiting: deque[npt.NDArray[np.int16]] = field(default_factory=deque)
    waits: int = 0
    """Samples in ``waiting``."""

    @property
    def end(self) -> float:
        return self.start + self.samples / self.rate

    def add(self, pcm: npt.NDArray[np.int16]) -> None:
        self.waiting.append(pcm)
        self.samples += len(pcm)
        self.waits += len(pcm)

    def take(self, count: int) -> npt.NDArray[np.float32]:
        """At most ``count`` of the samples that wait, -1..1."""
        parts: list[npt.NDArray[np.int16]] = []
        while count > 0 and self.waiting:
            first = self.waiting.popleft()
            parts.append(first[:count])
            if len(first) > count:
                self.waiting.appendleft(first[count:])
            count -= len(parts[-1])
            self.waits -= len(parts[-1])
        sound = np.concatenate(parts) if parts else np.empty(0, np.int16)
        return sound.astype(np.float32) / np.float32(32768)

    def cut(self, end: float) -> None:
        """Drop what sounds at ``end`` or later."""
        keep = max(self.samples - self.waits, round((end - self.start) * self.rate))
        while self.samples > keep:
            last = self.waiting.pop()
            kept = last[: max(0, len(last) - (self.samples - keep))]
            self.samples -= len(last) - len(kept)
            self.waits -= len(last) - len(kept)
            if len(kept):
                self.waiting.append(kept)


class _Ear:
    """Hears one run from its beginning, or from a later moment of it."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self._features = FeatureStream(run.rate)
        self._net = NetStream(hearing_net.load())
        self._time = run.end - run.waits / run.rate - AHEAD * HOP  # of the next output

    def listen(self, seconds: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Work on so much more of the run: times and outputs that are now certain."""
        heard = self._net.push(self._features.push(self.run.take(max(1, round(seconds * self.run.rate)))))
        times = self._time + HOP * np.arange(len(heard), dtype=np.float64)
        self._time += HOP * len(heard)
        return times, heard

    def ending(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Times and outputs after the certain ones if silence followed now."""
        heard = self._net.ending()
        return self._time + HOP * np.arange(len(heard), dtype=np.float64), heard


class HearingTrack:
    """The mouth of sound without timings, on the stage clock. Feed PCM as it comes; sample forwards."""

    def __init__(self) -> None:
        """Loads the model the first time (a few milliseconds). Raises VisavisError if it is damaged."""
        hearing_net.load()
        self._runs: deque[_Run] = deque()
        self._ear: _Ear | None = None
        self._times = np.empty(0)
        self._heard = np.empty((0, hearing_net.OUTPUTS), np.float32)
        self._guessed = 0  # how many of these are an ending that later sound may change
        self._end = -math.inf
        self._ease: tuple[float, float, Shapes] | None = None  # from when, for how long, from which shape
        self._last: tuple[float, Shapes] = (-math.inf, np.zeros(len(ARKIT), np.float32))

    def add(self, pcm: npt.NDArray[np.int16], sample_rate: int, offset: float) -> None:
        """Append mono sound that is heard from stage time ``offset`` on; pieces of any length come in order.

        Where a piece starts before the last one ends, it replaces the rest of that. Raises ValueError for a rate
        below 8000 Hz or an ``offset`` that is no number.
        """
        if sample_rate < 8000 or not math.isfinite(offset):
            raise ValueError(f"sound of {sample_rate} Hz at {offset} s cannot be heard")
        if not len(pcm):
            return
        last = self._runs[-1] if self._runs else None
        now, shapes = self._last
        if last is not None and last.rate == sample_rate and abs(offset - last.end) <= _JOIN:
            if self._guessed and now > self._times[-self._guessed]:  # what was shown may have been a wrong guess
                self._ease = (now, _LATE, shapes)
        else:
            while self._runs and self._runs[-1].start >= offset:
                self._drop_last()
            if self._runs:
                self._runs[-1].cut(offset)
            last = _Run(sample_rate, offset)
            self._runs.append(last)
            if offset - LOOKAHEAD < now:
                self._ease = (now, _LATE, shapes)
        self._unguess()
        last.add(pcm)
        self._end = last.end
        self._limit()

    def clear(self, t: float) -> None:
        """Stop at ``t``; the mouth closes within 120 ms."""
        shapes = self.sample(t)
        self._runs.clear()
        self._ear, self._end = None, -math.inf
        self._times, self._heard, self._guessed = self._times[:0], self._heard[:0], 0
        self._ease = (t, _HUSH, shapes)

    def resting(self, t: float) -> bool:
        """Whether the mouth is at rest at ``t`` and stays so unless something is added."""
        eased = self._ease is None or t >= self._ease[0] + self._ease[1]
        return eased and t > self._end + _HUSH

    def sample(self, t: float) -> Shapes:
        """The mouth at stage time ``t``: a new array, shape (52,), 0..1. Takes about 0.3 ms for 40 ms of sound."""
        self._hear(t)
        shapes = self._mouth(t)
        if self._ease is not None:
            since, duration, before = self._ease
            done = smootherstep((t - since) / duration)
            if done >= 1.0:
                self._ease = None
            else:
                shapes = before + np.float32(done) * (shapes - before)
        self._last = (t, shapes)
        return shapes.copy()

    def _mouth(self, t: float) -> Shapes:
        index = int(np.searchsorted(self._times, t, side="right"))
        before = _fade(t - float(self._times[index - 1]), _HUSH) if index else 0.0
        after = _fade(float(self._times[index]) - t, _LATE) if index < len(self._times) else 0.0
        if before and after and (gap := float(self._times[index] - self._times[index - 1])) < 2 * HOP:
            part = np.float32((t - float(self._times[index - 1])) / gap)
            one, other = held(self._heard[max(0, index - 1 - _HOLD) : index + 1])[-2:]
            return mouth_of((1 - part) * one + part * other)
        shapes = np.zeros(len(ARKIT), np.float32)
        if before:
            shapes = np.float32(before) * mouth_of(held(self._heard[max(0, index - 1 - _HOLD) : index])[-1])
        if after:
            np.maximum(shapes, np.float32(after) * mouth_of(self._heard[index]), out=shapes)
        return shapes

    def _hear(self, t: float) -> None:
        """Listen until the mouth at ``t`` is certain, or to the end of what there is."""
        stale = int(np.searchsorted(self._times, t - _KEEP))
        if stale > 256:
            self._times, self._heard = self._times[stale:], self._heard[stale:]
        while self._runs and (len(self._times) - self._guessed == 0 or self._certain() < t + HOP):
            run = self._runs[0]
            if run.waits:
                self._skip(run, t)
                if self._ear is None or self._ear.run is not run:
                    if run.start - LOOKAHEAD > t + HOP:
                        return
                    self._ear = _Ear(run)
                self._store(*self._ear.listen(_STEP))
            elif len(self._runs) > 1:
                self._guess()
                self._guessed, self._ear = 0, None
                self._runs.popleft()
            else:
                self._guess()
                return

    def _certain(self) -> float:
        return float(self._times[-1 - self._guessed])

    def _guess(self) -> None:
        """Assume silence after what was heard."""
        if self._ear is not None and not self._guessed:
            times, heard = self._ear.ending()
            self._store(times, heard)
            self._guessed = len(heard)

    def _unguess(self) -> None:
        if self._guessed:
            self._times, self._heard = self._times[: -self._guessed], self._heard[: -self._guessed]
            self._guessed = 0

    def _store(self, times: npt.NDArray[np.float64], heard: npt.NDArray[np.float32]) -> None:
        if len(self._times) and len(times) and times[0] <= self._times[-1]:  # a new run begins in the old one's ending
            kept = int(np.searchsorted(self._times, times[0]))
            self._times, self._heard = self._times[:kept], self._heard[:kept]
        self._times = np.concatenate([self._times, times])
        self._heard = np.concatenate([self._heard, heard])

    def _skip(self, run: _Run, t: float) -> None:
        """Do not listen to what is long past."""
        late = t - (run.end - run.waits / run.rate)
        if late > _SKIP:
            run.take(round((late - _WARM) * run.rate))
            self._ear = None

    def _drop_last(self) -> None:
        run = self._runs.pop()
        if self._ear is not None and self._ear.run is run:
            self._ear = None

    def _limit(self) -> None:
        over = sum(run.waits / run.rate for run in self._runs) - _MOST
        while over > 0:
            run = self._runs[0]
            dropped = min(run.waits, math.ceil(over * run.rate))
            run.take(dropped)
            over -= dropped / run.rate
            if self._ear is not None and self._ear.run is run:
                self._ear = None
            if not run.waits:
                self._runs.popleft()


def _fade(distance: float, over: float) -> float:
    """1 at no distance, 0 from ``over`` on."""
    return smootherstep(1.0 - distance / over)
