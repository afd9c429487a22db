"""Reads a client's SDP offer: what it wants, and whether it can be served."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final, Literal

from aioice import Candidate
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import H264Profile, SessionDescription, parse_h264_profile_level_id

from visavis.rtc.errors import SdpRefused

MAX_SDP: Final = 65_536
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")
Role = Literal["END_USER", "PLAYER"]


@dataclass(frozen=True, slots=True)
class Section:
    """One ``m=`` section. ``used``: the first of its kind, the one that is answered; further ones stay inactive."""

    kind: str
    mid: str
    sends: bool
    receives: bool
    used: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A checked offer. ``sdp`` holds no candidates: those are in ``candidates`` (mDNS names take long to resolve)."""

    sdp: str
    sections: tuple[Section, ...]
    candidates: tuple[str, ...]
    complete: bool
    ice_ufrag: str
    ice_password: str
    fingerprints: frozenset[str]

    @property
    def sends_audio(self) -> bool:
        return any(one.used and one.kind == "audio" and one.sends for one in self.sections)


def parse_offer(text: str, role: Role) -> Offer:
    """Parse and check an offer.

    An END_USER must offer to hear (and usually to speak) Opus; pictures are H.264 constrained baseline, if any.
    A PLAYER must offer to receive pictures or sound.

    Raises:
        SdpRefused: with the reason.
    """
    if len(text) > MAX_SDP:
        raise SdpRefused(f"the SDP is longer than {MAX_SDP} characters")
    if not text.lstrip().startswith("v=0"):
        raise SdpRefused("this is not an SDP: it must start with v=0")
    try:
        description = SessionDescription.parse(text)
        sections = _sections(description)
    except (ValueError, AssertionError, LookupError, AttributeError, TypeError, StopIteration) as error:
        raise SdpRefused(f"the SDP cannot be parsed: {error or type(error).__name__}") from error
    _check_transport(description)
    _check_media(description, sections, role)
    lines = text.splitlines()
    return Offer(
        sdp="\r\n".join(line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates")))
        + "\r\n",
        sections=sections,
        candidates=tuple(dict.fromkeys(line[2:] for line in lines if line.startswith("a=candidate:"))),
        complete=any(line.startswith("a=end-of-candidates") for line in lines),
        ice_ufrag=_ice(description)[0],
        ice_password=_ice(description)[1],
        fingerprints=frozenset(
            f"{one.algorithm.lower()} {one.value.upper()}"
            for media in description.media
            if media.dtls is not None
            for one in media.dtls.fingerprints
        ),
    )


def parse_candidate(text: str) -> Candidate | None:
    """An ICE candidate, with or without ``candidate:`` before it. None: one that cannot be used here (TCP, RTCP), or
    must not be: the server sends to whatever address a client names, so those of no single peer and the ports of
    well-known services are left out.

    Raises:
        SdpRefused: malformed.
    """
    try:
        candidate = Candidate.from_sdp(text.strip().removeprefix("a=").removeprefix("candidate:"))
    except ValueError as error:
        raise SdpRefused(f"malformed ICE candidate: {error}") from error
    if candidate.transport.lower() != "udp" or candidate.component != 1 or not _is_peer(candidate.host, candidate.port):
        return None
    return candidate


def _is_peer(host: str, port: int) -> bool:
    # Relays are at times behind the ports of HTTP(S), to pass firewalls.
    if not (1024 <= port < 65536 or port in (80, 443)):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True  # an mDNS name; aioice takes no other
    return not (address.is_multicast or address.is_unspecified or address == _BROADCAST)


def _sections(description: SessionDescription) -> tuple[Section, ...]:
    seen: set[str] = set()
    found = []
    for media in description.media:
        direction = media.direction or "sendrecv"
        found.append(
            Section(
                kind=media.kind,
                mid=media.rtp.muxId,
                sends=direction in ("sendrecv", "sendonly"),
                receives=direction in ("sendrecv", "recvonly"),
                used=media.kind not in seen,
            )
        )
        seen.add(media.kind)
    return tuple(found)


def _ice(description: SessionDescription) -> tuple[str, str]:
    parameters = description.media[0].ice
    assert parameters is not None, "checked by _check_transport"
    return parameters.usernameFragment or "", parameters.password or ""


def _check_transport(description: SessionDescription) -> None:
    if not description.media:
        raise SdpRefused("the offer has no media sections")
    if len(description.media) > 12:
        raise SdpRefused("the offer has more than 12 media sections")
    mids = [media.rtp.muxId for media in description.media]
    if len(mids) > 1:
        bundle = next((group.items for group in description.group if group.semantic == "BUNDLE"), [])
        if {str(item) for item in bundle} != set(mids):
            raise SdpRefused("the offer must put all its sections into one BUNDLE group")
    for media in description.media:
        if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
            raise SdpRefused("the offer lacks ICE credentials (a=ice-ufrag, a=ice-pwd)")
        if media.dtls is None or not media.dtls.fingerprints:
            raise SdpRefused("the offer lacks a DTLS fingerprint (a=fingerprint)")
        if media.kind in ("audio", "video") and not media.rtcp_mux:
            raise SdpRefused("the offer must use a=rtcp-mux")
        if media.kind not in ("audio", "video", "application"):
            raise SdpRefused(f"the offer has a section of unknown kind {media.kind!r}")


def _check_media(description: SessionDescription, sections: tuple[Section, ...], role: Role) -> None:
    first = {
        section.kind: (section, media)
        for section, media in zip(sections, description.media, strict=True)
        if section.used
    }
    audio, video = first.get("audio"), first.get("video")
    hears = audio is not None and audio[0].receives
    if role == "END_USER" and not hears:
        raise SdpRefused("an END_USER must offer an audio section with direction sendrecv (or recvonly)")
    if role == "PLAYER" and not hears and not (video is not None and video[0].receives):
        raise SdpRefused("a PLAYER must offer to receive video or audio (direction recvonly)")
    if audio is not None and not any(codec.mimeType.lower() == "audio/opus" for codec in audio[1].rtp.codecs):
        raise SdpRefused("the audio section offers no Opus")
    if video is not None and video[0].receives and not any(map(_is_our_h264, video[1].rtp.codecs)):
        raise SdpRefused(
            "the video section offers no H.264 constrained baseline (profile-level-id=42e01f, packetization-mode=1)"
        )


def _is_our_h264(codec: RTCRtpCodecParameters) -> bool:
    if codec.mimeType.lower() != "video/h264" or str(codec.parameters.get("packetization-mode")) != "1":
        return False
    try:
        profile, _ = parse_h264_profile_level_id(str(codec.parameters.get("profile-level-id", "42E01F")))
    except ValueError:
        return False
    return profile is H264Profile.PROFILE_CONSTRAINED_BASELINE
