"""Loudness: the published volume scale as a gain, and a limiter that keeps peaks below full scale."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from visavis.speech.timing import Sound
from visavis.speech.types import Pcm

DECIBELS_PER_STEP = 0.1
"""Of the volume scale: 90 is -5 dB, 140 (normal) 0 dB, 240 is +10 dB."""
_CEILING = 0.891
"""-1 dBFS."""
_LOOK_SECONDS = 0.004


def volume_db(volume: int) -> float:
    """Gain in dB of a published volume (90..240, 140 is normal)."""
    return (volume - 140) * DECIBELS_PER_STEP


def to_pcm(sound: Sound, gain_db: float, rate: int) -> Pcm:
    """Apply ``gain_db``, limit peaks to -1 dBFS with a gain that moves smoothly (4 ms ahead and after), and
    quantise."""
    amplified = sound * np.float32(10 ** (gain_db / 20))
    if len(amplified) and float(np.abs(amplified).max()) > _CEILING:
        reach = 2 * round(_LOOK_SECONDS * rate) + 1
        # The maximum over twice the smoothing window: its mean can then never fall below the peak under it.
        peaks = maximum_filter1d(np.abs(amplified), size=2 * reach + 1)
        gain = uniform_filter1d(_CEILING / np.maximum(peaks, _CEILING), size=reach)
        amplified = amplified * gain
    pcm: Pcm = (np.clip(amplified, -1.0, 1.0) * 32767.0).round().astype(np.int16)
    return pcm
