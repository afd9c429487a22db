"""iFLYTEK Spark: a language model behind a WebSocket whose address is signed.

The signature is made of three lines (host, date, request line) with HMAC-SHA256 and the application's secret; it, the key and the
names of what was signed go into the query parameter ``authorization``, in Base64. One request is one connection: a JSON object is
sent, frames come back until one has ``status`` 2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from visavis.dialogue.endpoint import brief, recent
from visavis.dialogue.types import Turn
from visavis.dialogue.vendors.types import LARGEST, Account, VendorError
from visavis.urlpolicy import UrlPolicy

MODELS: Final[Mapping[str, str]] = {
    "/v1.1/chat": "lite",
    "/v2.1/chat": "generalv2",
    "/v3.1/chat": "generalv3",
    "/v3.5/chat": "generalv3.5",
    "/v4.0/chat": "4.0Ultra",
    "/chat/pro-128k": "pro-128k",
    "/chat/max-32k": "max-32k",
}
"""The model (``domain``) that a path of the service belongs to."""

_BRIEFED: Final = ("generalv3.5", "4.0Ultra", "max-32k")
"""Models that take a message of the role "system"."""

_CONNECT_S: Final = 2.5
_MOST: Final = 4 << 20
_LAST: Final = 2


def signed_url(url: str, key: str, secret: str, now: float) -> str:
    """The address with its signature. ``now``: epoch seconds."""
    parts = urlsplit(url)
    host, date = parts.netloc, formatdate(now, usegmt=True)
    lines = f"host: {host}\ndate: {date}\nGET {parts.path} HTTP/1.1"
    signature = base64.b64encode(hmac.new(secret.encode(), lines.encode(), hashlib.sha256).digest()).decode()
    told = (
        f'api_key="{key}", algorithm="hmac-sha256", headers="host date request-line", signature="{signature}"'.encode()
    )
    query = {"authorization": base64.b64encode(told).decode(), "date": date, "host": host}
    return f"{parts.scheme}://{host}{parts.path}?{urlencode(query)}"


class Spark:
    """One conversation with Spark. It remembers nothing: every request carries what was said before."""

    stateful = False

    def __init__(self, account: Account, policy: UrlPolicy, clock: Callable[[], float]) -> None:
        """``policy``: for ws and wss addresses; ``clock``: epoch seconds. The connector needs a running event loop."""
        self._account = account
        self._policy = policy
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._model = account.model or MODELS.get(urlsplit(account.url).path, "")

    async def aclose(self) -> None:
        """End what is left of the connections."""
        if self._http is not None:
            await self._http.close()

    async def texts(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The model's words as they come."""
        account = self._account
        await self._policy.check(account.url)  # an address in figures is not resolved, so it is looked at here
        if self._http is None:
            connector = aiohttp.TCPConnector(resolver=_Checked(self._policy), use_dns_cache=False, force_close=True)
            self._http = aiohttp.ClientSession(connector=connector, trust_env=False)
        url = signed_url(account.url, account.key, account.secret, self._clock())
        timeout = aiohttp.ClientWSTimeout(ws_close=_CONNECT_S)
        async with self._http.ws_connect(url, timeout=timeout, max_msg_size=LARGEST) as connection:
            await connection.send_json(self._asked(turn))
            size = 0
            async for frame in connection:
                if frame.type != aiohttp.WSMsgType.TEXT:
                    break
                size += len(frame.data)
                if size > _MOST:
                    raise VendorError("the answer is too long")
                text, status = _read(frame.data)
                if text:
                    yield text
                if status == _LAST:
                    return
        raise VendorError("the connection ended before the answer did")

    def _asked(self, turn: Turn) -> dict[str, Any]:
        account = self._account
        messages = [{"role": "system", "content": brief(turn.language)}] if self._model in _BRIEFED else []
        messages += [{"role": one.role, "content": one.text} for one in recent(turn.history, account.chat_rounds)]
        messages.append({"role": "user", "content": turn.text})
        uid = hashlib.sha256((turn.user_id or turn.session_id).encode()).hexdigest()[:32]  # at most 32 characters
        return {
            "header": {"app_id": account.app_id, "uid": uid},
            "parameter": {"chat": {"domain": self._model}},
            "payload": {"message": {"text": messages}},
        }


def _read(data: str) -> tuple[str, int]:
    """A frame's text and status. Raises VendorError."""
    try:
        frame = json.loads(data)
        header = frame["header"]
        code = header["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise VendorError("a frame is not as published") from None
    if code != 0:
        raise VendorError(f"it reports code {code}: {str(header.get('message', ''))[:200]}")
    choices = (frame.get("payload") or {}).get("choices") or {}
    pieces = choices.get("text") if isinstance(choices, dict) else None
    texts = [one.get("content") for one in pieces or [] if isinstance(one, dict)]
    status = header.get("status", choices.get("status"))
    return "".join(text for text in texts if isinstance(text, str)), status if isinstance(status, int) else 0


class _Checked(AbstractResolver):
    """Resolves a name to the addresses that the policy lets through."""

    def __init__(self, policy: UrlPolicy) -> None:
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._policy.addresses(host, port)
        ]

    async def close(self) -> None:
        """Nothing is held."""
