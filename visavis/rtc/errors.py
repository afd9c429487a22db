"""What the RTC room raises on purpose. Every message may be shown to the client."""

from __future__ import annotations

from visavis.errors import VisavisError


class RtcError(VisavisError):
    """Base of the room's errors."""


class SdpRefused(RtcError):
    """The offer or candidate cannot be used; the message says why."""


class PeerUnknown(RtcError):
    """No peer of that id (or it belongs to another user)."""


class RoomFull(RtcError):
    """The room takes no more viewers, or another user already speaks in it."""


class RoomClosed(RtcError):
    """The room has been closed."""


class PortsExhausted(RtcError):
    """Every UDP port of the configured range is in use."""
