"""STUN and TURN servers with time-limited credentials.

TURN credentials follow coturn's REST scheme (``use-auth-secret``; draft-uberti-behave-turn-rest-00): the user name is
``{expiry in epoch seconds}:{user}`` and the password is base64(HMAC-SHA1(shared secret, user name)).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from visavis.settings import Settings


@dataclass(frozen=True, slots=True)
class IceServer:
    """One entry of WebRTC's ``iceServers``. The credential never shows in a repr."""

    urls: list[str]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, list[str] | str]:
        """As JSON for clients; absent fields are left out."""
        entry: dict[str, list[str] | str] = {"urls": list(self.urls)}
        if self.username is not None:
            entry["username"] = self.username
        if self.credential is not None:
            entry["credential"] = self.credential
        return entry


def turn_credentials(secret: str, user_id: str, expiry: int) -> tuple[str, str]:
    """(username, credential) for a TURN server with the shared ``secret``, valid until ``expiry`` (epoch seconds)."""
    username = f"{expiry}:{re.sub(r'[^A-Za-z0-9_.@-]', '_', user_id)}"
    # SHA-1 is what coturn's REST scheme prescribes; HMAC-SHA1 is not affected by SHA-1's collisions.
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


def ice_servers(settings: Settings, user_id: str, now: float) -> list[IceServer]:
    """The servers that ``user_id`` may use; empty when none is configured (there is no default STUN server).

    Args:
        now: the present, epoch seconds; TURN credentials expire ``settings.turn_ttl_s`` later.
    """
    servers = [IceServer(urls=list(settings.stun_urls))] if settings.stun_urls else []
    if settings.turn_urls:
        if settings.turn_secret:
            username, credential = turn_credentials(settings.turn_secret, user_id, int(now) + settings.turn_ttl_s)
            servers.append(IceServer(list(settings.turn_urls), username, credential))
        else:
            # A TURN server without authentication: unusual, but the operator's choice.
            servers.append(IceServer(list(settings.turn_urls)))
    return servers


def link_header(server: IceServer) -> list[str]:
    """WHEP's ``Link`` headers of one server (draft-ietf-wish-whep, section on STUN/TURN configuration)."""
    lines = []
    for url in server.urls:
        line = f'<{url}>; rel="ice-server"'
        if server.username is not None and server.credential is not None:
            line += f'; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
        lines.append(line)
    return lines
