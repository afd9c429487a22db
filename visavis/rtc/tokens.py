"""RTC tokens by the published formula.

``signature`` = lower-case hex HMAC-SHA256(app_key, app_id + "+" + room_id + "+" + user_id + "+" + ctime), where
``ctime`` is the token's expiry in epoch seconds.
Clients present one as ``Authorization: Bearer {user_id}:{ctime}:{signature}``.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache

from visavis.errors import VisavisError

_BEARER = re.compile(r"^bearer +(?P<user>[^\s]+):(?P<ctime>[0-9]{1,10}):(?P<signature>[0-9a-f]{64})$", re.IGNORECASE)
_MAX_CTIME = 4294967295
_MAX_HEADER = 1024


class TokenRefused(VisavisError):
    """The RTC token is malformed, expired, or not of this room and user. The message never holds the token."""


def sign(app_key: str, app_id: str, room_id: str, user_id: str, ctime: int) -> str:
    """The signature (64 lower-case hex digits) that lets ``user_id`` into ``room_id`` until ``ctime``."""
    return _signed(app_key, f"{app_id}+{room_id}+{user_id}+{ctime}")


@lru_cache(8192)  # whoever waits for a job asks for the same tokens again and again
def _signed(app_key: str, text: str) -> str:
    return hmac.digest(app_key.encode(), text.encode(), "sha256").hex()


def verify(app_key: str, app_id: str, room_id: str, user_id: str, ctime: int, signature: str, now: float) -> None:
    """Check a token in constant time.

    Args:
        now: the present, epoch seconds. A token is valid while ``now < ctime``.

    Raises:
        TokenRefused: wrong signature (of another room, user, expiry or key), or expired.
    """
    wanted = sign(app_key, app_id, room_id, user_id, ctime)
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        raise TokenRefused("the RTC token is not valid for this room and user")
    # Only the bearer of a genuine signature learns that it is too old.
    if now >= ctime:
        raise TokenRefused("the RTC token has expired")


def bearer(user_id: str, ctime: int, signature: str) -> str:
    """The ``Authorization`` header's value; the inverse of :func:`parse_bearer`."""
    return f"Bearer {user_id}:{ctime}:{signature}"


def parse_bearer(header: str | None) -> tuple[str, int, str]:
    """Split ``Bearer {user_id}:{ctime}:{signature}``; the user's id may itself hold colons.

    Returns:
        (user_id, ctime, signature), none of them verified.

    Raises:
        TokenRefused: missing or malformed.
    """
    if not header:
        raise TokenRefused("an RTC token is wanted: Authorization: Bearer {user_id}:{ctime}:{signature}")
    match = _BEARER.match(header.strip()) if len(header) <= _MAX_HEADER else None
    if match is None:
        raise TokenRefused("the RTC token is malformed, wanted Bearer {user_id}:{ctime}:{signature}")
    ctime = int(match["ctime"])
    if ctime > _MAX_CTIME:
        raise TokenRefused("the RTC token is malformed: ctime is out of range")
    return match["user"], ctime, match["signature"].lower()
