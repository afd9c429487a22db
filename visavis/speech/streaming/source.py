"""The harmonic source that Kokoro's generator follows: sines at multiples of the fundamental, as a spectrogram.

Its phase is summed up over the whole clause, so it runs on across the generator's windows. The shipped graph does the
same with an operator of onnxruntime that takes longer than the text encoder.
"""

from __future__ import annotations

import numpy as np

from visavis.speech.streaming.graph import FRAME_SAMPLES
from visavis.speech.timing import Sound

_RATE = 24000
_HARMONICS = np.arange(1, 10, dtype=np.float64)
_MIX = np.array(
    [-0.08154187, -0.18519667, -0.18263398, -0.17837206, -0.09873895, 0.08264039, 0.08743999, -0.39068547, -0.54774433],
    np.float32,
)
"""Of the harmonics: the weights of the shipped graph."""
_MIX_BIAS = np.float32(-0.02945026)
_AMPLITUDE = np.float32(0.1)
_VOICED_HZ = 10.0
_WINDOW = 20
_HOP = 5


def _transform() -> Sound:
    """Real and imaginary parts of a windowed Fourier transform, shape (_WINDOW, 22)."""
    n = np.arange(_WINDOW)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / _WINDOW)
    angle = 2 * np.pi * np.outer(n, np.arange(_WINDOW // 2 + 1)) / _WINDOW
    parts = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return np.asarray(window[:, None] * parts, np.float32)


_TRANSFORM = _transform()


class HarmonicSource:
    """Of one clause. ``f0``: Hz for each frame of 300 samples, shape (frames,)."""

    def __init__(self, f0: Sound) -> None:
        turns = np.mod(f0[:, None].astype(np.float64) * _HARMONICS / _RATE, 1.0)
        # In whole turns of each harmonic; the phase runs linearly from the middle of one frame to that of the next.
        self._turns = np.cumsum(turns, axis=0) * FRAME_SAMPLES
        self._voiced = f0 > _VOICED_HZ

    def window(self, begin: int, end: int) -> Sound:
        """Magnitudes and phases of the frames ``begin`` to ``end``: shape (22, 60 (end - begin) + 1)."""
        margin = _WINDOW // 2
        first, last = begin * FRAME_SAMPLES - margin, end * FRAME_SAMPLES + margin
        here = np.arange(max(first, 0), min(last, len(self._turns) * FRAME_SAMPLES))
        wave = self._wave(here)
        wave = np.pad(wave, (max(0, -first), last - (here[-1] + 1)), mode="reflect")
        spectrum = np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[::_HOP] @ _TRANSFORM
        half = _WINDOW // 2 + 1
        real, imaginary = spectrum[:, :half], spectrum[:, half:]
        return np.ascontiguousarray(np.concatenate([np.hypot(real, imaginary), np.arctan2(imaginary, real)], axis=1).T)

    def _wave(self, samples: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Sound:
        frames = len(self._turns)
        at = np.clip((samples + 0.5) / FRAME_SAMPLES - 0.5, 0, frames - 1)
        below = np.minimum(at.astype(np.int64), max(frames - 2, 0))
        above = np.minimum(below + 1, frames - 1)
        start = self._turns[below]
        turns = start + (self._turns[above] - start) * (at - below)[:, None]
        sines = np.sin((turns - np.floor(turns)).astype(np.float32) * np.float32(2 * np.pi))
        voiced = self._voiced[samples // FRAME_SAMPLES]
        return np.asarray(np.tanh((sines @ _MIX) * _AMPLITUDE * voiced + _MIX_BIAS), np.float32)


def harmonic_source(f0: Sound) -> Sound:
    """All of a clause's."""
    return HarmonicSource(f0).window(0, len(f0))
