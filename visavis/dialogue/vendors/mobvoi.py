"""Mobvoi: questions to a role of its open platform, answered as a stream of events.

The request is JSON; ``signature`` is the MD5 of key, secret and time (epoch seconds), joined by plus signs.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import httpx

from visavis.dialogue.replies import ModelError, Reading, refusal
from visavis.dialogue.types import Turn
from visavis.dialogue.vendors.types import Account, VendorError
from visavis.urlpolicy import UrlPolicy

_LONGEST_S: Final = 300.0  # of one answer; the dialogue limits each wait


class Mobvoi:
    """One conversation with a role, which remembers it by its ``sessionId``."""

    stateful = True

    def __init__(self, account: Account, policy: UrlPolicy, clock: Callable[[], float]) -> None:
        """``clock``: epoch seconds."""
        self._account, self._clock = account, clock
        self._client = httpx.AsyncClient(
            transport=policy.transport(keep_alive=True),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=2.5),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def texts(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The answer's text as it comes."""
        account = self._account
        session = hashlib.sha256(f"{account.key}\n{turn.session_id}".encode()).hexdigest()[:32]
        asked = {
            **signed(account, self._clock()),
            "roleId": account.app_id,
            "question": turn.text,
            "sessionId": session,
        }
        headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
        secrets = (account.key, account.secret, asked["signature"])
        until = asyncio.get_running_loop().time() + _LONGEST_S
        try:
            async with self._client.stream("POST", account.url, json=asked, headers=headers) as response:
                if not response.is_success:
                    raise await refusal(response, time.time(), secrets)
                reading = Reading(response, secrets, first_by=until, next_s=_LONGEST_S, last_by=until)
                async with aclosing(reading.texts()) as texts:
                    async for text in texts:
                        yield text
        except ModelError as error:
            raise VendorError(str(error)) from None


def signed(account: Account, now: float) -> dict[str, str]:
    """Who asks. ``now``: epoch seconds."""
    stamp = str(int(now))
    raw = "+".join((account.key, account.secret, stamp))
    signature = hashlib.md5(raw.encode(), usedforsecurity=False).hexdigest()
    return {"appkey": account.key, "timestamp": stamp, "signature": signature}
