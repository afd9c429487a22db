"""Cuts H.264 access units into RTP payloads (RFC 6184, packetization-mode 1). Done once for all viewers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MAX_PAYLOAD: Final = 1180
"""Bytes of one RTP payload: with RTP, SRTP, TURN, UDP and IPv6 headers a packet stays under IPv6's least MTU, 1280."""

_START: Final = re.compile(rb"\x00\x00(?:\x00)?\x01")
_STAP_A: Final = 24
_FU_A: Final = 28
_NON_VCL: Final = frozenset({6, 7, 8, 9})


def nal_units(access_unit: bytes) -> Iterator[memoryview]:
    """The NAL units of an Annex B access unit, without start codes."""
    view = memoryview(access_unit)
    begin = -1
    for match in _START.finditer(access_unit):
        if begin >= 0 and match.start() > begin:
            yield view[begin : match.start()]
        begin = match.end()
    if 0 <= begin < len(access_unit):
        yield view[begin:]


def packetize_h264(access_unit: bytes) -> tuple[bytes, ...]:
    """RTP payloads of one access unit; the last one takes the marker bit.

    Parameter sets and SEI travel together in a STAP-A, what is larger than a packet is cut into FU-As of even size.
    """
    payloads: list[bytes] = []
    small: list[memoryview] = []
    room = MAX_PAYLOAD - 1
    for nal in nal_units(access_unit):
        if nal[0] & 31 in _NON_VCL and len(nal) + 2 <= room:
            small.append(nal)
            room -= len(nal) + 2
            continue
        _flush(small, payloads)
        room = MAX_PAYLOAD - 1
        if len(nal) <= MAX_PAYLOAD:
            payloads.append(bytes(nal))
        else:
            payloads += _fragments(nal)
    _flush(small, payloads)
    return tuple(payloads)


def _flush(small: list[memoryview], payloads: list[bytes]) -> None:
    if len(small) == 1:
        payloads.append(bytes(small[0]))
    elif small:
        # NRI is the highest of the parts' (RFC 6184, 5.7.1).
        header = bytes([max(nal[0] & 0x60 for nal in small) | _STAP_A])
        payloads.append(header + b"".join(len(nal).to_bytes(2, "big") + nal for nal in small))
    small.clear()


def _fragments(nal: memoryview) -> Iterator[bytes]:
    indicator, kind, body = nal[0] & 0xE0 | _FU_A, nal[0] & 31, nal[1:]
    count = -(-len(body) // (MAX_PAYLOAD - 2))
    for index in range(count):
        begin, end = len(body) * index // count, len(body) * (index + 1) // count
        flags = (0x80 if index == 0 else 0) | (0x40 if index == count - 1 else 0)
        yield bytes((indicator, flags | kind)) + body[begin:end]
