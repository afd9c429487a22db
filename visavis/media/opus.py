"""Opus for speech: libopus through PyAV, 48 kHz mono, packets of 20 ms."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

import av
import numpy as np

from visavis.media.clock import SAMPLE_RATE
from visavis.media.h264 import EncoderError
from visavis.media.types import EncodedAudio, Pcm

FRAME_SAMPLES: Final = 960
"""Samples of one packet: 20 ms at 48 kHz."""

_TIME_BASE: Final = Fraction(1, SAMPLE_RATE)
_SETTLE: Final = 10  # silent packets until the encoder's memory of the last sound has faded: 200 ms


class OpusEncoder:
    """Encodes 20 ms of sound at a time. Not thread-safe.

    Digital silence is encoded only until the encoder has settled; after that the same packet is handed out again, which
    costs nothing.
    """

    def __init__(self, bitrate: int = 48_000, application: Literal["voip", "audio"] = "audio") -> None:
        """``bitrate``: bit/s, 6000..256000. "voip" favours intelligibility at low rates, "audio" fidelity."""
        if not 6_000 <= bitrate <= 256_000:
            raise EncoderError(f"Opus at {bitrate} bit/s is out of range")
        codec = av.CodecContext.create("libopus", "w")
        codec.sample_rate = SAMPLE_RATE
        codec.layout = "mono"
        codec.format = "s16"
        codec.bit_rate = bitrate
        codec.time_base = _TIME_BASE
        # In-band FEC lets a receiver rebuild one lost packet from the next.
        codec.options = {"application": application, "frame_duration": "20", "fec": "1", "packet_loss": "10"}
        codec.open()
        self._codec = codec
        self._encoded = 0
        self._quiet = 0
        self._silence: bytes | None = None

    def encode(self, pcm: Pcm, pts: int) -> EncodedAudio:
        """Encode ``pcm`` (shape (960,), int16, 48 kHz); ``pts`` in 1/48000 s."""
        if pcm.shape != (FRAME_SAMPLES,) or pcm.dtype != np.int16:
            raise EncoderError(f"sound of shape {pcm.shape} and type {pcm.dtype}, wanted ({FRAME_SAMPLES},) int16")
        self._quiet = 0 if pcm.any() else self._quiet + 1
        if self._quiet > _SETTLE and self._silence is not None:
            return EncodedAudio(self._silence, pts)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = _TIME_BASE
        frame.pts = self._encoded
        self._encoded += FRAME_SAMPLES
        data = b"".join(bytes(packet) for packet in self._codec.encode(frame))
        if not data:
            raise EncoderError("libopus held a packet back")
        if self._quiet == _SETTLE:
            self._silence = data
        return EncodedAudio(data, pts)
