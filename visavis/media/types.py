"""Encoded media as it travels from the encoders to the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

I420 = npt.NDArray[np.uint8]
"""A planar YUV 4:2:0 picture: shape (height * 3 // 2, width), Y then U then V, BT.601 limited range."""

Pcm = npt.NDArray[np.int16]
"""Mono sound, shape (samples,)."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One H.264 access unit (Annex B). ``pts``: 1/90000 s on the stage clock. ``keyframe``: an IDR with SPS and PPS."""

    data: bytes
    pts: int
    keyframe: bool


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """One Opus packet. ``pts`` and ``samples``: 1/48000 s on the stage clock."""

    data: bytes
    pts: int
    samples: int = 960
