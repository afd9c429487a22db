"""What the hearing model hears: loudness in 36 mel bands, 100 times a second, from mono sound of any rate.

Each band is given twice: against the recent loudness of the voice (so that gain does not matter) and against the
lowest loudness of that band in the last 1.6 s (so that steady noise does not matter). Both trackers are causal and
forget, so an endless stream is heard like a sentence. Training (tools/train_hearing.py) uses this very code.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

HOP: Final = 0.01
"""Seconds between two frames."""
WINDOW: Final = 0.025
"""Seconds of sound that a frame is computed from; its time is the middle of them."""
BANDS: Final = 36
WIDTH: Final = 2 * BANDS
"""Features of a frame."""

_LOW_HZ, _HIGH_HZ = 60.0, 7800.0
_FLOOR: Final = 1e-8  # power; -80 dBFS
_START_LEVEL: Final = -20.0  # dBFS, before anything is heard
_QUIETEST: Final = -42.0  # a voice softer than this is not lifted further
_ATTACK: Final = 0.15  # share of the way a frame takes
_DECAY: Final = 0.04  # dB a frame
_SCALE: Final = 20.0  # dB that count 1
_BLOCK: Final = 8  # frames whose minimum is kept ...
_BLOCKS: Final = 20  # ... and how many of them
_SMOOTH: Final = np.float32(0.4)

SILENCE: Final[Floats] = np.concatenate([np.full(BANDS, -3.0), np.zeros(BANDS)]).astype(np.float32)
"""The frame of digital silence, shape (WIDTH,)."""
SILENCE.setflags(write=False)


def _fast_length(at_least: int) -> int:
    """The next length whose only prime factors are 2, 3 and 5."""
    length = at_least
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


@lru_cache(maxsize=8)
def _tables(rate: int) -> tuple[Floats, int, Floats]:
    """Window, length of the transform, and the bands' weights on the power spectrum (bins, BANDS).

    The weights are triangles on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy), scaled so that their sum over
    a spectrum is the mean square of the sound in the band (Parseval), whatever the rate.
    """
    size = round(rate * WINDOW)
    window = np.hanning(size + 1)[:size]
    length = _fast_length(size)
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    low, high = (2595 * float(np.log10(1 + f / 700)) for f in (_LOW_HZ, _HIGH_HZ))
    mels = np.linspace(low, high, BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling)) * 2 / (length * np.square(window).sum())
    return window.astype(np.float32), length, weights.astype(np.float32)


class FeatureStream:
    """Sound in, frames out. Frame ``i`` is centred at ``i * HOP`` seconds of the stream."""

    def __init__(self, rate: int) -> None:
        """``rate``: samples a second, at least 8000. Raises ValueError for less."""
        if rate < 8000:
            raise ValueError(f"sound of {rate} Hz is too coarse for lips: at least 8000 Hz")
        self._rate = rate
        self._window, self._length, self._weights = _tables(rate)
        self._sound = np.zeros(len(self._window) // 2, np.float32)  # silence before the beginning
        self._first = -len(self._sound)  # position of its first sample in the stream
        self._next = 0  # frame
        self._level = _START_LEVEL
        self._smoothed: Floats | None = None
        self._minima: deque[Floats] = deque(maxlen=_BLOCKS)
        self._lowest: Floats | None = None  # over the finished blocks
        self._block: Floats | None = None
        self._in_block = 0

    def push(self, sound: Floats) -> Floats:
        """Append sound (1-D, -1..1); the frames that are now complete, shape (n, WIDTH)."""
        self._sound = np.concatenate([self._sound, sound])
        size = len(self._window)
        starts = []
        while True:
            start = round(self._next * HOP * self._rate) - size // 2 - self._first
            if start + size > len(self._sound):
                break
            starts.append(start)
            self._next += 1
        if starts:
            pieces = np.stack([self._sound[start : start + size] for start in starts])
        upcoming = round(self._next * HOP * self._rate) - size // 2 - self._first
        if upcoming > 0:
            self._sound = self._sound[upcoming:].copy()
            self._first += upcoming
        return self._frames(pieces) if starts else np.empty((0, WIDTH), np.float32)

    def _frames(self, pieces: Floats) -> Floats:
        spectrum = np.fft.rfft(pieces * self._window, self._length)
        power = (np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32) @ self._weights
        bands = 10 * np.log10(power + np.float32(_FLOOR))
        totals = 10 * np.log10(power.sum(axis=1) + _FLOOR)
        frames = np.empty((len(pieces), WIDTH), np.float32)
        for i, (band, total) in enumerate(zip(bands, totals.tolist(), strict=True)):
            frames[i, :BANDS] = band - np.float32(self._loudness(total))
            frames[i, BANDS:] = band - self._lowest_of(band)
        frames /= np.float32(_SCALE)
        np.clip(frames[:, :BANDS], -3.0, 1.0, out=frames[:, :BANDS])
        np.clip(frames[:, BANDS:], 0.0, 2.5, out=frames[:, BANDS:])
        return frames

    def _loudness(self, total: float) -> float:
        if total > self._level:
            self._level += _ATTACK * (total - self._level)
        else:
            self._level = max(_QUIETEST, self._level - _DECAY)
        return self._level

    def _lowest_of(self, band: Floats) -> Floats:
        smoothed = band if self._smoothed is None else self._smoothed + _SMOOTH * (band - self._smoothed)
        self._smoothed = smoothed
        block = smoothed if self._block is None else np.minimum(self._block, smoothed)
        self._block = block
        self._in_block += 1
        lowest = block if self._lowest is None else np.minimum(self._lowest, block)
        if self._in_block == _BLOCK:
            self._minima.append(block)
            self._lowest = np.min(self._minima, axis=0)
            self._block, self._in_block = None, 0
        return lowest
