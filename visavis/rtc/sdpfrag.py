"""WHEP's trickle: ``application/trickle-ice-sdpfrag`` (RFC 8840)."""

from __future__ import annotations

from typing import Final

from visavis.rtc.errors import SdpRefused

_MAX_CHARS: Final = 32_768
_MAX_CANDIDATES: Final = 128

Trickled = tuple[str, str | None, int | None]
"""(candidate, sdp_mid, sdp_mline_index); an empty candidate ends them."""


def parse_sdpfrag(text: str) -> list[Trickled]:
    """The candidates of a fragment, in order.

    ``a=end-of-candidates`` becomes one entry with an empty candidate. Candidates before the first ``m=`` line have
    neither mid nor index.

    Raises:
        SdpRefused: not an SDP fragment, or too long.
    """
    if len(text) > _MAX_CHARS:
        raise SdpRefused(f"the SDP fragment is longer than {_MAX_CHARS} characters")
    found: list[Trickled] = []
    mid: str | None = None
    index: int | None = None
    ended = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line:
            continue
        if len(line) < 2 or line[1] != "=":
            raise SdpRefused(f"line {number} of the SDP fragment is not of the form x=...")
        if line.startswith("m="):
            index, mid = (0 if index is None else index + 1), None
        elif line.startswith("a=mid:"):
            mid = line.removeprefix("a=mid:")
        elif line.startswith("a=candidate:"):
            found.append((line.removeprefix("a="), mid, index))
        elif line == "a=end-of-candidates":
            ended = True
        if len(found) > _MAX_CANDIDATES:
            raise SdpRefused(f"more than {_MAX_CANDIDATES} candidates in one fragment")
    if ended:
        found.append(("", mid, index))
    return found
