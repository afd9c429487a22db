"""What encoding costs: x264 and Opus, CPU milliseconds."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from visavis.media.h264 import H264Encoder
from visavis.media.opus import FRAME_SAMPLES, OpusEncoder


def measure(seconds: float) -> dict[str, Any]:
    """CPU ms for each second of sound (speech-like noise and silence), and for each picture of a moving pattern."""
    return {
        "opus_ms_per_s": {"sound": _opus(seconds, 3000.0), "silence": _opus(seconds, 0.0)},
        "h264_ms_per_frame": {f"{w}x{h}": _h264(w, h) for w, h in ((720, 1280), (1080, 1920))},
    }


def _opus(seconds: float, level: float) -> float:
    encoder = OpusEncoder()
    rng = np.random.default_rng(1)
    blocks = (rng.standard_normal((50, FRAME_SAMPLES)) * level).astype(np.int16)
    packets = int(seconds * 50)
    began = time.process_time()
    for number in range(packets):
        encoder.encode(blocks[number % 50], number * FRAME_SAMPLES)
    return round((time.process_time() - began) / seconds * 1000, 2)


def _h264(width: int, height: int, frames: int = 100) -> float:
    encoder = H264Encoder(width, height)
    rng = np.random.default_rng(1)
    texture = rng.integers(40, 220, (height * 3 // 2, width * 2), dtype=np.uint8)
    picture = np.empty((height * 3 // 2, width), np.uint8)
    spent = 0.0
    for number in range(frames):
        picture[:] = texture[:, number * 2 : number * 2 + width]
        began = time.process_time()
        encoder.encode(picture, number * 3600)
        spent += time.process_time() - began
    return round(spent / frames * 1000, 2)
