"""iFLYTEK AIUI: questions over its Web API, version 2.

The request's body is the question itself; what is wanted stands in the header ``X-Param`` (JSON in Base64), and ``X-CheckSum`` is the
MD5 of key, time and that header. The answer is one JSON object, with a list of results of which those of the kind "nlp" have one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

from visavis.dialogue.types import Turn
from visavis.dialogue.vendors.asking import Asking
from visavis.dialogue.vendors.types import Account, NoAnswerError, VendorError
from visavis.urlpolicy import UrlPolicy


class Aiui:
    """One conversation with an AIUI application, which remembers it by its ``auth_id``."""

    stateful = True

    def __init__(self, account: Account, policy: UrlPolicy, clock: Callable[[], float]) -> None:
        """``clock``: epoch seconds."""
        self._account = account
        self._clock = clock
        self._asking = Asking(policy)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._asking.aclose()

    async def texts(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The answer, in one piece."""
        account = self._account
        wanted = {
            "scene": "main" if account.production else "main_box",
            "auth_id": hashlib.md5(f"{account.app_id}\n{turn.session_id}".encode(), usedforsecurity=False).hexdigest(),
            "data_type": "text",
        }
        headers = {"Content-Type": "text/plain; charset=utf-8", **signed(account, wanted, self._clock())}
        answer = await self._asking.post(account.url, turn.text.encode(), headers)
        code = str(answer.get("code"))
        if code != "0":
            raise VendorError(f"it reports code {code[:20]}: {str(answer.get('desc', ''))[:200]}")
        texts = list(_answers(answer))
        if not texts:
            raise NoAnswerError("no result has an answer")
        yield texts[0]


def signed(account: Account, wanted: dict[str, str], now: float) -> dict[str, str]:
    """The headers of a request. ``now``: epoch seconds."""
    time = str(int(now))
    param = base64.b64encode(json.dumps(wanted, separators=(",", ":")).encode()).decode()
    checksum = hashlib.md5(f"{account.key}{time}{param}".encode(), usedforsecurity=False).hexdigest()
    return {"X-Appid": account.app_id, "X-CurTime": time, "X-Param": param, "X-CheckSum": checksum}


def _answers(answer: dict[str, Any]) -> Iterator[str]:
    results = answer.get("data")
    for result in results if isinstance(results, list) else []:
        if not isinstance(result, dict) or result.get("sub") != "nlp":
            continue
        intent = result.get("intent")
        told = intent.get("answer") if isinstance(intent, dict) else None
        text = told.get("text") if isinstance(told, dict) else None
        if isinstance(text, str) and text.strip():
            yield text
