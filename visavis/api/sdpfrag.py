"""``application/trickle-ice-sdpfrag`` (RFC 8840, section 9): ICE candidates as a piece of SDP."""

from __future__ import annotations

from visavis.session.spec import Candidate

_MAX_CANDIDATES = 256


def parse_fragment(text: str) -> list[Candidate]:
    """The candidates, each with its media section; ``a=end-of-candidates`` becomes an empty one."""
    found: list[Candidate] = []
    mid: str | None = None
    index = -1
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name.startswith("m="):
            index += 1
            mid = None
        elif name == "a=mid":
            mid = value
        elif name == "a=candidate":
            found.append(_candidate(f"candidate:{value}", mid, index))
        elif name == "a=end-of-candidates":
            found.append(_candidate("", mid, index))
        if len(found) >= _MAX_CANDIDATES:
            break
    return found


def _candidate(text: str, mid: str | None, index: int) -> Candidate:
    return Candidate(candidate=text, sdp_mid=mid, sdp_mline_index=index if index >= 0 else None)
