"""Co-articulation: phoneme timings to smooth mouth shapes.

Each phoneme's visemes pull every blendshape towards their target with a dominance that is full inside the
phoneme and falls off to both sides (after Cohen & Massaro, "Modeling coarticulation in synthetic visual
speech", 1993; here with Gaussian flanks, which makes the curves C1). Lips prepare earlier than they let go:
anticipation is wider than carry-over. Two things are too visible to be left to a compromise between
neighbours and are laid over the blend as *locks*: closed lips in p, b, m and the lower lip under the
teeth in f, v.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.motion.frame import ARKIT, ARKIT_INDEX
from visavis.motion.visemes import ANTICIPATION, CARRY_OVER, STRENGTHS, TARGETS, Viseme, visemes_of

Shapes = npt.NDArray[np.float32]
"""Blendshapes in the order of ARKIT: shape (52,), 0..1."""

PAUSE: Final = 0.12  # seconds; a shorter silence does not bring the mouth to rest
_LEAD: Final = 0.02  # the whole mouth runs this much ahead of the sound: sight tolerates early, not late
_REACH_BEFORE: Final = 3.0 * float(ANTICIPATION.max())
_REACH_AFTER: Final = 3.0 * float(CARRY_OVER.max())
_HELD_MIN: Final = 0.044  # a lock holds longer than one video frame of 40 ms, so that one always falls into it
_LOCK_IN: Final = 0.06
_LOCK_OUT: Final = 0.05
_EARLY: Final = 0.012
_KEPT_SHUT: Final = 0.1  # seconds before a closure after silence that lips do not part in
_HUSH: Final = 0.04  # one frame time: the second picture shows it shut
_LATE: Final = 0.08  # easing when a sentence arrives too late to be anticipated
_KEEP: Final = 2.0  # seconds of the past that stay samplable
_REST: Final = np.zeros(len(ARKIT), np.float32)
_PUCKER: Final = ARKIT_INDEX["mouthPucker"]
_SMILE: Final = [ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]
_STRETCH: Final = [ARKIT_INDEX["mouthStretchLeft"], ARKIT_INDEX["mouthStretchRight"]]
_KEPT_ROUND: Final = 0.5  # of the pucker around a lock
_KEPT_WIDE: Final = 0.6  # of the width around it


def smootherstep(x: float) -> float:
    """0 at 0, 1 at 1, flat at both ends (first and second derivative 0); clamped outside."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    return x * x * x * (x * (6.0 * x - 15.0) + 10.0)


@dataclass(frozen=True, slots=True)
class _Lock:
    """Lips held in the shape of ``viseme`` from ``start`` to ``end``; eased in before and out after."""

    start: float
    end: float
    viseme: Viseme

    def weight(self, t: float) -> float:
        if t < self.start:
            return smootherstep(1.0 - (self.start - t) / _LOCK_IN)
        return smootherstep(1.0 - (t - self.end) / _LOCK_OUT)


def lock_into(shapes: Shapes, viseme: Viseme, weight: float) -> None:
    """Draw ``shapes`` to the lock's target by ``weight`` 0..1; what is round or wide stays so a little.

    The lips of "poo" are rounded already while they are closed, those of "pea" are drawn apart. Width is kept as a
    smile: neither it nor a pucker parts pressed lips, as a funnel or a stretch does.
    """
    pucker = np.float32(_KEPT_ROUND * weight) * shapes[_PUCKER]
    wide = np.float32(_KEPT_WIDE * weight) * (shapes[_SMILE] + np.float32(0.5) * shapes[_STRETCH])
    shapes += np.float32(weight) * (TARGETS[viseme] - shapes)
    shapes[_PUCKER] = max(shapes[_PUCKER], pucker)
    shapes[_SMILE] = np.maximum(shapes[_SMILE], wide)


def _lock(viseme: Viseme, start: float, end: float, silence: float) -> _Lock:
    """Lips shut just before the sound stops and open just before its release: the vowel after it is loud at once.

    After ``silence`` (seconds, before the sound) they were shut, and do not part for what comes after the closure.
    """
    if end - start < _HELD_MIN:
        start = (start + end - _HELD_MIN) / 2
    shut = start - _EARLY
    opens = max(shut + _HELD_MIN, end - 2 * _EARLY)
    return _Lock(shut - (_KEPT_SHUT if silence > PAUSE else 0.0), opens, viseme)


def _expand(phonemes: Sequence[tuple[str, float, float]], offset: float) -> list[tuple[float, float, Viseme]]:
    """Visemes with absolute times, in order. Raises ValueError on times that are not finite or run backwards."""
    out: list[tuple[float, float, Viseme]] = []
    for phoneme, start, end in phonemes:
        if not (math.isfinite(start) and math.isfinite(end) and end >= start):
            raise ValueError(f"phoneme {phoneme!r}: bad times {start}..{end}")
        at = offset + start
        for viseme, share in visemes_of(phoneme):
            until = at + share * (end - start)
            out.append((at, until, viseme))
            at = until
    out.sort(key=lambda segment: segment[0])
    return out


def _close_gaps(
    segments: list[tuple[float, float, Viseme]], begin: float
) -> tuple[list[float], list[float], list[Viseme]]:
    """Drop silences (written or mere gaps) up to PAUSE, make longer ones explicit ``sil``; no overlaps.

    ``begin`` is where the sound before ended (-inf: there was none).
    """
    starts: list[float] = []
    ends: list[float] = []
    visemes: list[Viseme] = []
    last = begin
    for start, end, viseme in segments:
        if viseme is Viseme.sil:
            continue
        if PAUSE < start - last < math.inf:
            starts.append(last)
            ends.append(start)
            visemes.append(Viseme.sil)
        start = max(start, last)
        end = max(start, end)
        starts.append(start)
        ends.append(end)
        visemes.append(viseme)
        last = end
    return starts, ends, visemes


class SpeechTrack:
    """The mouth of everything that is said, on the stage clock.

    ``add`` appends a sentence while earlier ones play; ``sample`` costs only what lies near its time.
    Sample forwards: the past is forgotten after two seconds.
    """

    def __init__(self) -> None:
        self._starts = np.empty(0)
        self._ends = np.empty(0)
        self._visemes = np.empty(0, np.intp)
        self._locks: list[_Lock] = []
        self._ease: tuple[float, float, Shapes] | None = None  # from when, for how long, from which shape
        self._last: tuple[float, Shapes] = (-math.inf, _REST)

    @property
    def end(self) -> float:
        """When the last phoneme known ends; -inf if there is none."""
        return float(self._ends[-1]) if len(self._ends) else -math.inf

    def add(self, phonemes: Sequence[tuple[str, float, float]], offset: float) -> None:
        """Append a sentence: (phoneme, start, end) in seconds from its beginning, which sounds at ``offset``.

        Raises ValueError on impossible times.
        """
        segments = [segment for segment in _expand(phonemes, offset) if segment[2] is not Viseme.sil]
        if not segments:
            return
        now, shapes = self._last
        if segments[0][0] - _REACH_BEFORE < now:  # too late to be anticipated: ease into it instead of jumping
            self._ease = (now, _LATE, shapes)
        self._forget(now - _KEEP)
        last = self.end
        starts, ends, visemes = _close_gaps(segments, last)
        self._starts = np.concatenate([self._starts, starts])
        self._ends = np.concatenate([self._ends, ends])
        self._visemes = np.concatenate([self._visemes, np.asarray(visemes, np.intp)])
        for start, end, viseme in segments:
            if viseme in (Viseme.PP, Viseme.FF):
                self._locks.append(_lock(viseme, start, end, start - last))
            last = end
        self._locks.sort(key=lambda lock: lock.end)

    def clear(self, t: float) -> None:
        """Stop speaking at ``t``: forget what was to come and close the mouth within 40 ms."""
        shapes = self.sample(t)
        self._starts, self._ends, self._visemes = np.empty(0), np.empty(0), np.empty(0, np.intp)
        self._locks.clear()
        self._ease = (t, _HUSH, shapes)

    def resting(self, t: float) -> bool:
        """Whether the mouth is at rest at ``t`` and stays so unless something is added."""
        eased = self._ease is None or t >= self._ease[0] + self._ease[1]
        return eased and (len(self._ends) == 0 or t > self.end + max(_REACH_AFTER, _LOCK_OUT))

    def sample(self, t: float) -> Shapes:
        """The mouth at stage time ``t``: a new array, shape (52,), 0..1."""
        if self.resting(t):
            self._last = (t, _REST)
            return _REST.copy()
        shapes = self._blend(t + _LEAD)
        if self._ease is not None:
            since, duration, before = self._ease
            done = smootherstep((t - since) / duration)
            if done >= 1.0:
                self._ease = None
            else:
                shapes = before + np.float32(done) * (shapes - before)
        self._apply_locks(t, shapes)
        self._last = (t, shapes)
        return shapes.copy()

    def _blend(self, t: float) -> Shapes:
        if len(self._starts) == 0:
            return _REST.copy()
        low = int(np.searchsorted(self._ends, t - _REACH_AFTER))
        high = int(np.searchsorted(self._starts, t + _REACH_BEFORE, side="right"))
        before = np.maximum(self._starts[low:high] - t, 0.0).astype(np.float32)[:, None] / ANTICIPATION
        after = np.maximum(t - self._ends[low:high], 0.0).astype(np.float32)[:, None] / CARRY_OVER
        visemes = self._visemes[low:high]
        weights = np.exp(-(before * before) - after * after) * STRENGTHS[visemes]
        rest = self._edge(t) * STRENGTHS[Viseme.sil]
        shapes: Shapes = (weights * TARGETS[visemes]).sum(axis=0) / (weights.sum(axis=0) + rest)
        return shapes

    def _edge(self, t: float) -> Shapes:
        """Dominance of the silence before the first and after the last phoneme, shape (52,); never quite 0."""
        into = np.float32(max(0.0, t - float(self._starts[0]))) / CARRY_OVER
        left = np.float32(max(0.0, float(self._ends[-1]) - t)) / ANTICIPATION
        edge: Shapes = np.exp(-into * into) + np.exp(-left * left) + np.float32(1e-6)
        return edge

    def _apply_locks(self, t: float, shapes: Shapes) -> None:
        weights = {Viseme.FF: 0.0, Viseme.PP: 0.0}
        index = bisect_left(self._locks, t - _LOCK_OUT, key=lambda lock: lock.end)
        while index < len(self._locks) and self._locks[index].start < t + _LOCK_IN + 1.0:
            lock = self._locks[index]
            weights[lock.viseme] = max(weights[lock.viseme], lock.weight(t))
            index += 1
        for viseme, weight in weights.items():  # closed lips win where both want the mouth
            if weight > 0.0:
                lock_into(shapes, viseme, weight)

    def _forget(self, before: float) -> None:
        count = int(np.searchsorted(self._ends, before))
        if count:
            self._starts, self._ends, self._visemes = (
                self._starts[count:],
                self._ends[count:],
                self._visemes[count:],
            )
            del self._locks[: bisect_left(self._locks, before, key=lambda lock: lock.end)]
