"""What the model should say: from timed phonemes to shares of visemes and locks, 100 times a second.

The shares are the dominances that articulation.SpeechTrack blends with; the model's mouth is made from them in the same
way, so a perfect model would move exactly like timed speech.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from visavis.motion.articulation import PAUSE
from visavis.motion.hearing_features import HOP
from visavis.motion.visemes import Viseme, visemes_of

_LEAD = 0.02  # seconds; the mouth runs ahead of the sound, as in articulation
_BEFORE, _AFTER = 0.07, 0.05  # widths of the flanks of dominance, as there for the jaw
_HELD, _EARLY, _IN, _OUT = 0.044, 0.012, 0.06, 0.05  # locks, as there
Segments = list[tuple[float, float, Viseme]]


def segments(phonemes: Sequence[tuple[str, float, float]]) -> Segments:
    """Visemes with their times, silences left out."""
    out: Segments = []
    for phoneme, start, end in phonemes:
        at = start
        for viseme, share in visemes_of(phoneme):
            if viseme is not Viseme.sil:
                out.append((at, at + share * (end - start), viseme))
            at += share * (end - start)
    return sorted(out, key=lambda segment: segment[0])


def targets(spoken: Segments, count: int) -> npt.NDArray[np.float32]:
    """``count`` frames from time 0 on: shape (count, 17), shares of the 15 visemes, lips closed, lips bitten."""
    out = np.zeros((count, len(Viseme) + 2), np.float32)
    if not spoken:
        out[:, Viseme.sil] = 1
        return out
    times = np.arange(count) * HOP
    silences = [(-np.inf, spoken[0][0])]
    silences += [(a[1], b[0]) for a, b in itertools.pairwise(spoken) if b[0] - a[1] > PAUSE]
    silences.append((spoken[-1][1], np.inf))
    for start, end, viseme in [*spoken, *((start, end, Viseme.sil) for start, end in silences)]:
        first, last = (round(np.clip(t / HOP, 0, count)) for t in (start - 0.25, end + 0.2))
        at = times[first:last] + _LEAD
        before, after = np.maximum(start - at, 0) / _BEFORE, np.maximum(at - end, 0) / _AFTER
        out[first:last, viseme] += np.exp(-(before * before) - after * after)
        if viseme in (Viseme.PP, Viseme.FF):
            column = len(Viseme) + (viseme is Viseme.FF)
            weight = _lock(times[first:last], start, end)
            out[first:last, column] = np.maximum(out[first:last, column], weight)
    out[:, : len(Viseme)] /= out[:, : len(Viseme)].sum(axis=1, keepdims=True) + 1e-9
    return out


def _lock(times: npt.NDArray[np.float64], start: float, end: float) -> npt.NDArray[np.float64]:
    if end - start < _HELD:
        start = (start + end - _HELD) / 2
    start, end = start - _EARLY, max(start - _EARLY + _HELD, end - 2 * _EARLY)
    x = np.clip(1 - np.maximum(start - times, 0) / _IN - np.maximum(times - end, 0) / _OUT, 0, 1)
    weights: npt.NDArray[np.float64] = x * x * x * (x * (6 * x - 15) + 10)
    return weights
