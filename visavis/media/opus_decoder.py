"""Decodes Opus packets of which some never come: libopus itself, since FFmpeg's decoders neither conceal a loss nor use the copy of
the packet before that a packet may carry (in-band FEC)."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from visavis import log
from visavis.media.clock import SAMPLE_RATE
from visavis.media.h264 import EncoderError
from visavis.media.types import Pcm

LONGEST: Final = SAMPLE_RATE * 120 // 1000
"""Samples of the longest packet."""
CONCEALED: Final = SAMPLE_RATE * 60 // 1000
"""A gap is filled with what would have gone on for so many samples; a longer one is silent from there on."""
_PACKET: Final = SAMPLE_RATE * 20 // 1000

_log = log.get("media")


class OpusDecoder:
    """Decodes one stream, mono at 48 kHz. Not thread-safe. Without libopus (a PyAV built from source beside no shared one) losses
    become silence."""

    def __init__(self) -> None:
        self._library = _libopus()
        self._out = np.zeros(LONGEST, np.int16)
        self._state: int | None = None
        if self._library is None:
            self._codec: Any = av.CodecContext.create("libopus", "r")
            self._codec.sample_rate, self._codec.layout, self._codec.format = SAMPLE_RATE, "mono", "s16"
            return
        error = ctypes.c_int(0)
        self._state = self._library.opus_decoder_create(SAMPLE_RATE, 1, ctypes.byref(error))
        if not self._state:
            raise EncoderError(f"libopus made no decoder: error {error.value}")

    def __del__(self) -> None:
        state, self._state = getattr(self, "_state", None), None
        if state and self._library is not None:
            self._library.opus_decoder_destroy(state)

    def decode(self, packet: bytes) -> Pcm:
        """The packet's sound. Raises EncoderError: it is no Opus."""
        if self._state is None:
            try:
                frames = self._codec.decode(av.Packet(packet))
            except av.FFmpegError as error:
                raise EncoderError(str(error)) from error
            parts = [frame.to_ndarray().reshape(-1).astype(np.int16, copy=False) for frame in frames]
            return np.concatenate(parts) if parts else np.zeros(0, np.int16)
        return self._decode(packet, LONGEST, recover=False)

    def bridge(self, samples: int, following: bytes) -> Pcm:
        """``samples`` that never came, before the packet ``following``: what would have gone on, and of the last packet the copy that
        ``following`` carries, if it does."""
        out = np.zeros(samples, np.int16)
        if self._state is None or samples < _PACKET:
            return out
        at, last = 0, samples - _PACKET
        while at + _PACKET <= min(last, CONCEALED):
            out[at : at + _PACKET] = self._decode(None, _PACKET, recover=False)
            at += _PACKET
        with contextlib.suppress(EncoderError):  # decode() will say so
            out[last:] = self._decode(following, _PACKET, recover=True)
        return out

    def _decode(self, packet: bytes | None, samples: int, *, recover: bool) -> Pcm:
        assert self._library is not None
        count = self._library.opus_decode(
            self._state, packet, len(packet) if packet else 0, self._out.ctypes.data, samples, int(recover)
        )
        if count < 0:
            raise EncoderError(f"not Opus: error {count}")
        return self._out[:count].copy()


@lru_cache(maxsize=1)
def _libopus() -> Any:
    """The library that PyAV brings, else the system's; None: there is none."""
    bundled = sorted((Path(av.__file__).parents[1] / "av.libs").glob("libopus-*.so*"))
    for name in (*map(str, bundled), ctypes.util.find_library("opus")):
        if name is None:
            continue
        try:
            library = ctypes.CDLL(name)
            library.opus_decoder_create.restype = ctypes.c_void_p
            library.opus_decoder_create.argtypes = [ctypes.c_int32, ctypes.c_int, ctypes.c_void_p]
            library.opus_decoder_destroy.restype = None
            library.opus_decoder_destroy.argtypes = [ctypes.c_void_p]
            library.opus_decode.restype = ctypes.c_int
            library.opus_decode.argtypes = [
                ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_void_p, ctypes.c_int, ctypes.c_int,
            ]  # fmt: skip
        except (OSError, AttributeError):
            continue
        return library
    _log.warning("no libopus: sound that is lost on the network becomes silence")
    return None
