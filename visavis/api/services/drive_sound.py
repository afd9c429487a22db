"""Sound as a third-party driver sends it: base64, with or without a WAV header, into plain PCM."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass, replace
from typing import Final

from visavis.contract.drive import DEFAULT_RATE, MAX_RATE, MIN_RATE, AudioData, DriveError
from visavis.contract.errors import ErrorCode

_PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE
_ENDLESS: Final = (0, 0xFFFFFFFF)
"""Lengths that encoders write into the header of what they stream."""


@dataclass(frozen=True, slots=True)
class SoundStream:
    """What is known of a stream of sound. ``left``: bytes of the WAV's sound still to come; None: whatever comes is sound."""

    rate: int = DEFAULT_RATE
    left: int | None = None


def decode(stream: SoundStream | None, data: AudioData) -> tuple[bytes, SoundStream]:
    """The sound of a frame (mono int16, little-endian), and what is known of its stream after it.

    Args:
        stream: as the frame before left it; None: the stream begins with this frame.

    Raises:
        DriveError: no base64; half a sample; a WAV file of another kind; another rate than before.
    """
    try:
        raw = base64.b64decode(data.audio, validate=True)
    except (binascii.Error, ValueError):
        raise DriveError(ErrorCode.DRIVE_PARSE, "payload.data.audio is no base64") from None
    if stream is None:
        raw, stream = _begin(raw, data.sample_rate)
    elif data.sample_rate not in (None, stream.rate):
        raise DriveError(ErrorCode.INVALID_PARAMETER, f"the stream began with {stream.rate} Hz")
    if stream.left is not None:  # other parts of the file may follow its sound
        raw = raw[: stream.left]
        stream = replace(stream, left=stream.left - len(raw))
    if len(raw) % 2:
        raise DriveError(ErrorCode.DRIVE_PARSE, "payload.data.audio ends within a sample of 16 bits")
    return raw, stream


def _begin(raw: bytes, rate: int | None) -> tuple[bytes, SoundStream]:
    if not raw.startswith(b"RIFF"):
        return raw, SoundStream(rate or DEFAULT_RATE)
    told, start, size = _header(raw)
    if rate not in (None, told):
        raise DriveError(ErrorCode.INVALID_PARAMETER, f"sample_rate is {rate}, the WAV header says {told}")
    if not MIN_RATE <= told <= MAX_RATE:
        raise DriveError(ErrorCode.DRIVE_PARSE, f"{told} Hz; wanted {MIN_RATE} to {MAX_RATE}")
    return raw[start:], SoundStream(told, None if size in _ENDLESS else size)


def _header(raw: bytes) -> tuple[int, int, int]:
    """Rate, where the sound begins, its length in bytes."""
    at, rate = 12, 0
    if raw[8:12] == b"WAVE":
        while len(raw) >= at + 8:
            name, size = struct.unpack_from("<4sI", raw, at)
            at += 8
            if name == b"data" and rate:
                return rate, at, size
            if name == b"fmt " and size >= 16 and len(raw) >= at + 16:
                kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", raw, at)
                if kind not in (_PCM, _EXTENSIBLE) or (channels, bits) != (1, 16):
                    raise DriveError(ErrorCode.DRIVE_PARSE, "the WAV is not mono 16-bit PCM")
            at += size + size % 2
    raise DriveError(ErrorCode.DRIVE_PARSE, "the WAV header is damaged, or not whole in the first frame")
