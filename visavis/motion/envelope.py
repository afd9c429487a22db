"""A mouth driven by loudness alone, for synthesisers that tell no phoneme timings."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.motion.articulation import Shapes, smootherstep
from visavis.motion.frame import ARKIT_INDEX
from visavis.motion.visemes import TARGETS, Viseme

_HOP: Final = 0.02  # seconds between levels
_ATTACK: Final = 0.03  # time constants of the level, seconds
_RELEASE: Final = 0.08
_FLOOR_DB: Final = -48.0  # dBFS at which the mouth is shut ...
_FULL_DB: Final = -16.0  # ... and fully open
_HUSH: Final = 0.12
_KEEP: Final = 2.0
_JAW: Final = ARKIT_INDEX["jawOpen"]


class EnvelopeTrack:
    """Loudness to an open mouth, hissing to spread teeth. Feed PCM, sample on the stage clock (forwards)."""

    def __init__(self) -> None:
        self._times = np.empty(0)  # middles of the hops
        self._levels = np.empty((0, 2), np.float32)  # openness, hiss
        self._state = (0.0, 0.0)
        self._tail, self._tail_at = np.empty(0, np.float32), -math.inf  # sound too short for a hop, and its time
        self._ease: tuple[float, Shapes] | None = None

    def add(self, pcm: npt.NDArray[np.int16], sample_rate: int, offset: float) -> None:
        """Append mono sound that is heard from stage time ``offset`` on; chunks come in order."""
        hop = max(2, round(sample_rate * _HOP))
        expected = self._tail_at + len(self._tail) / sample_rate
        if not len(self._tail) or abs(offset - expected) > _HOP:
            if offset - expected > 2 * _HOP:
                self._state = (0.0, 0.0)
            self._tail, self._tail_at = np.empty(0, np.float32), offset
        sound = np.concatenate([self._tail, pcm.astype(np.float32) / 32768.0])
        count, offset = len(sound) // hop, self._tail_at
        self._tail, self._tail_at = sound[count * hop :], offset + count * hop / sample_rate
        if count == 0:
            return
        blocks = sound[: count * hop].reshape(count, hop)
        rms = np.sqrt((blocks**2).mean(axis=1)) + 1e-6
        loud = np.clip((20 * np.log10(rms) - _FLOOR_DB) / (_FULL_DB - _FLOOR_DB), 0.0, 1.0)
        crossings = np.diff(np.signbit(blocks), axis=1).sum(axis=1) * sample_rate / (2 * hop)
        hiss = np.clip((crossings - 2500.0) / 2500.0, 0.0, 1.0) * (loud > 0.15)
        levels = np.empty((count, 2), np.float32)
        level, hissing = self._state
        for index in range(count):
            wanted = float(loud[index])
            level += (wanted - level) * (1 - math.exp(-_HOP / (_ATTACK if wanted > level else _RELEASE)))
            hissing += (float(hiss[index]) - hissing) * (1 - math.exp(-_HOP / _ATTACK))
            levels[index] = level, hissing
        self._state = (level, hissing)
        self._times = np.concatenate([self._times, offset + (np.arange(count) + 0.5) * hop / sample_rate])
        self._levels = np.concatenate([self._levels, levels])

    def clear(self, t: float) -> None:
        """Stop at ``t``; the mouth closes within 120 ms."""
        shapes = self.sample(t)
        self._times, self._levels, self._state = np.empty(0), np.empty((0, 2), np.float32), (0.0, 0.0)
        self._tail, self._tail_at = np.empty(0, np.float32), -math.inf
        self._ease = (t, shapes)

    def resting(self, t: float) -> bool:
        """Whether the mouth is at rest at ``t`` and stays so unless something is added."""
        eased = self._ease is None or t >= self._ease[0] + _HUSH
        return eased and (len(self._times) == 0 or t > self._times[-1] + _HUSH)

    def sample(self, t: float) -> Shapes:
        """The mouth at stage time ``t``: a new array, shape (52,), 0..1."""
        level, hiss = self._level(t)
        shapes: Shapes = level * ((1 - hiss) * TARGETS[Viseme.aa] + hiss * TARGETS[Viseme.SS])
        shapes[_JAW] *= np.float32(0.85)
        if self._ease is not None:
            done = smootherstep((t - self._ease[0]) / _HUSH)
            shapes = self._ease[1] + np.float32(done) * (shapes - self._ease[1])
            if done >= 1.0:
                self._ease = None
        return shapes.astype(np.float32)

    def _level(self, t: float) -> tuple[float, float]:
        if len(self._times) == 0:
            return 0.0, 0.0
        stale = int(np.searchsorted(self._times, t - _KEEP))
        if stale > 256:
            self._times, self._levels = self._times[stale:], self._levels[stale:]
        index = int(np.searchsorted(self._times, t))
        if index == 0:
            fade = smootherstep(1 - (float(self._times[0]) - t) / 0.06)
            return fade * float(self._levels[0, 0]), float(self._levels[0, 1])
        if index == len(self._times):
            fade = smootherstep(1 - (t - float(self._times[-1])) / _HUSH)
            return fade * float(self._levels[-1, 0]), float(self._levels[-1, 1])
        before, after = float(self._times[index - 1]), float(self._times[index])
        gap = after - before
        if gap > 2 * _HOP:  # a hole in the sound: closed in it
            left = smootherstep(1 - (t - before) / _HUSH) * self._levels[index - 1]
            right = smootherstep(1 - (after - t) / 0.06) * self._levels[index]
            mixed = np.maximum(left, right)
            return float(mixed[0]), float(mixed[1])
        part = (t - before) / gap
        mixed = (1 - part) * self._levels[index - 1] + part * self._levels[index]
        return float(mixed[0]), float(mixed[1])
