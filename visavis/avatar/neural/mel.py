"""Mel spectrograms as Wav2Lip-shaped models want them.

Parameters as published with Wav2Lip (hparams.py): 16 kHz, frames of 800 samples, hop 200, 80 bands from 55 to 7600 Hz
(Slaney's scale and norm), pre-emphasis 0.97, decibels relative to 20 dB, floor -100 dB, mapped to -4..4.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.avatar.neural.types import Sound

RATE: Final = 16_000
WINDOW: Final = 800
HOP: Final = 200
BANDS: Final = 80
_LOW, _HIGH = 55.0, 7600.0
_PREEMPHASIS: Final = 0.97
_REFERENCE_DB, _FLOOR_DB, _RANGE = 20.0, -100.0, 4.0


def samples_for(steps: int) -> int:
    """How many samples ``steps`` columns need."""
    return WINDOW + (steps - 1) * HOP


def mel(sound: Sound) -> npt.NDArray[np.float32]:
    """``sound`` (16 kHz) as shape (80, 1 + (samples - 800) // 200), -4..4. Column k is about sample 400 + 200 k."""
    if len(sound) < WINDOW:
        raise ValueError(f"{len(sound)} samples, at least {WINDOW} are wanted")
    emphasised = np.append(sound[:1], sound[1:] - _PREEMPHASIS * sound[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, WINDOW)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(WINDOW + 1)[:-1], axis=1))
    decibels = 20 * np.log10(np.maximum(1e-5, magnitude @ _filters().T)) - _REFERENCE_DB
    scaled = (decibels - _FLOOR_DB) / -_FLOOR_DB * 2 * _RANGE - _RANGE
    return np.clip(scaled, -_RANGE, _RANGE).T.astype(np.float32)


@cache
def _filters() -> npt.NDArray[np.float64]:
    """Triangular filters, shape (80, 401)."""
    edges = _hertz(np.linspace(_mels(_LOW), _mels(_HIGH), BANDS + 2))
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rise, fall))
    filters: npt.NDArray[np.float64] = triangles * (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters


# Slaney, Auditory Toolbox (1998): linear below 1 kHz, then 27 steps for each factor of 6.4.
_STEP: Final = 200 / 3
_KNEE: Final = 1000 / _STEP
_LOG_STEP: Final = np.log(6.4) / 27


def _mels(hertz: float) -> float:
    return float(_KNEE + np.log(hertz / 1000) / _LOG_STEP) if hertz >= 1000 else hertz / _STEP


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mels < _KNEE, mels * _STEP, 1000 * np.exp(_LOG_STEP * (mels - _KNEE)))
