"""A motion frame as one binary message, for clients that draw for themselves (docs/protocol.md, "Motion").

All numbers are big-endian, as a browser's ``DataView`` reads them:

====== ======= ==================================================================================================
offset type    what
====== ======= ==================================================================================================
0      u8      version, 1
1      u8      flags: 1 = ``rtp`` is valid
2      u8      length of the gesture's name, bytes
3      u8      0
4      u32     RTP timestamp of the viewer's sound at which this moment is heard
8      f64     ``pts``, seconds of the stage clock
16     i16 x 7 yaw, pitch, roll (radians), shift x, shift y (heights of the face), gaze yaw, gaze pitch (radians),
               each in 1/16384
30     u16     breath, in 1/65535
32     u16 x52 weights of the ARKit blendshapes in the order of ``visavis.motion.frame.ARKIT``, in 1/65535
136    utf-8   name of a gesture that begins with this frame
====== ======= ==================================================================================================
"""

from __future__ import annotations

import math
from struct import Struct
from typing import Final

import numpy as np

from visavis.errors import VisavisError
from visavis.motion.frame import ARKIT, Head, MotionFrame

VERSION: Final = 1
SIZE: Final = 136
"""Bytes of a message without a gesture's name."""
MAX_GESTURE: Final = 64
"""Bytes of a gesture's name; what is longer is cut."""

_HEAD: Final = Struct("!BBBxId7hH")
_STAMP: Final = Struct("!I")
_HAS_RTP: Final = 1
_FIXED: Final = 16384
_FULL: Final = 65535
_WEIGHTS: Final = np.dtype(">u2")


class WireError(VisavisError):
    """The message is no motion frame of a version known here."""


def _fixed(value: float) -> int:
    """A number between -2 and 2 as i16; what is not finite counts as 0, what is larger as the largest."""
    return max(-32768, min(32767, round(value * _FIXED))) if math.isfinite(value) else 0


def encode_motion(frame: MotionFrame, rtp: int | None = None) -> bytes:
    """``frame`` as a message of :data:`SIZE` bytes and the gesture's name.

    Args:
        rtp: see :func:`stamp`; None: the viewer has no sound of ours.
    """
    head, gesture = frame.head, _cut(frame.gesture or "")
    breath = min(1.0, max(0.0, frame.breath)) if math.isfinite(frame.breath) else 0.0
    numbers = (head.yaw, head.pitch, head.roll, head.shift_x, head.shift_y, *frame.gaze)
    weights = np.nan_to_num(frame.blendshapes, nan=0.0, posinf=1.0, neginf=0.0)
    return b"".join(
        (
            _HEAD.pack(
                VERSION,
                0 if rtp is None else _HAS_RTP,
                len(gesture),
                0 if rtp is None else rtp & 0xFFFFFFFF,
                frame.pts if math.isfinite(frame.pts) else 0.0,
                *map(_fixed, numbers),
                round(breath * _FULL),
            ),
            np.rint(np.clip(weights, 0.0, 1.0) * _FULL).astype(_WEIGHTS).tobytes(),
            gesture,
        )
    )


def stamp(message: bytes, rtp: int) -> bytes:
    """``message`` for one viewer: a frame is encoded once, and only this differs.

    Args:
        rtp: RTP timestamp of the viewer's sound at which the frame's moment is heard (modulo 2**32).
    """
    return b"".join(
        (message[:1], bytes((message[1] | _HAS_RTP,)), message[2:4], _STAMP.pack(rtp & 0xFFFFFFFF), message[8:])
    )


def decode_motion(message: bytes) -> tuple[MotionFrame, int | None]:
    """The frame of a message, and its RTP timestamp if it has one. The inverse of :func:`encode_motion`, up to rounding.

    Raises:
        WireError: another version, or not of the length that it says.
    """
    if not message or message[0] != VERSION:
        raise WireError(f"motion of version {message[0] if message else 'none'}, wanted {VERSION}")
    if len(message) < SIZE or len(message) != SIZE + message[2]:
        raise WireError(f"a motion frame of {len(message)} bytes")
    _, flags, _, rtp, pts, *numbers, breath = _HEAD.unpack_from(message)
    yaw, pitch, roll, shift_x, shift_y, gaze_x, gaze_y = (number / _FIXED for number in numbers)
    weights = np.frombuffer(message, _WEIGHTS, len(ARKIT), _HEAD.size).astype(np.float32) / np.float32(_FULL)
    try:
        gesture = message[SIZE:].decode() or None
    except UnicodeDecodeError as error:
        raise WireError("the gesture's name is not UTF-8") from error
    frame = MotionFrame(
        pts=pts,
        blendshapes=weights,
        head=Head(yaw, pitch, roll, shift_x, shift_y),
        gaze=(gaze_x, gaze_y),
        breath=breath / _FULL,
        gesture=gesture,
    )
    return frame, rtp if flags & _HAS_RTP else None


def _cut(name: str) -> bytes:
    """``name`` in UTF-8, no longer than :data:`MAX_GESTURE`, and no letter cut in two."""
    return name.encode()[:MAX_GESTURE].decode(errors="ignore").encode()
