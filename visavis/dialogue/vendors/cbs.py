"""Huawei Cloud's conversational bot service (CBS): a question-answering robot, asked by its REST interface.

Requests are signed with an AK and SK (SDK-HMAC-SHA256). An answer says of which kind it is (``reply_type``); each kind has a field of
its own. A session's id comes with the first answer and goes with the next question.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from visavis.dialogue import phrases
from visavis.dialogue.types import Turn
from visavis.dialogue.vendors.asking import Asking
from visavis.dialogue.vendors.types import Account, NoAnswerError, VendorError
from visavis.urlpolicy import UrlPolicy

_FIELDS: Final[Mapping[int, str]] = {
    1: "taskbot_answers",
    2: "chat_answers",
    3: "kbqa_answers",
    4: "docqa_answers",
    5: "tableqa_answers",
}
"""Where the answer of a kind is; kind 0, of stored questions, has a list."""

_OFFERED: Final = 2


class Cbs:
    """One conversation with a robot of CBS."""

    stateful = True

    def __init__(self, account: Account, policy: UrlPolicy, clock: Callable[[], float]) -> None:
        """``clock``: epoch seconds."""
        self._account = account
        self._clock = clock
        self._asking = Asking(policy)
        self._session_id = ""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._asking.aclose()

    async def texts(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The answer, in one piece."""
        account = self._account
        path = f"/v1/{quote(account.project_id, safe='')}/qabots/{quote(account.app_id, safe='')}/chat"
        question: dict[str, Any] = {"question": turn.text, "chat_enable": True}
        if self._session_id:
            question["session_id"] = self._session_id
        if turn.user_id:
            question["user_id"] = turn.user_id
        body = json.dumps(question, ensure_ascii=False).encode()
        url = account.url.rstrip("/") + path
        headers = signed(url, body, account.key, account.secret, self._clock())
        answer = await self._asking.post(url, body, headers)
        if answer.get("error_code"):
            raise VendorError(f"it reports {str(answer['error_code'])[:40]}: {str(answer.get('error_msg', ''))[:200]}")
        session_id = answer.get("session_id")
        self._session_id = session_id if isinstance(session_id, str) else ""
        yield _answer(answer, turn)


def signed(url: str, body: bytes, key: str, secret: str, now: float) -> dict[str, str]:
    """The headers of a JSON request by POST, without a query, signed by SDK-HMAC-SHA256. ``now``: epoch seconds."""
    parts = urlsplit(url)
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/json", "host": parts.netloc, "x-sdk-date": date}
    names = ";".join(headers)
    canonical = "\n".join(
        (
            "POST",
            f"{parts.path.rstrip('/')}/",
            "",
            *(f"{name}:{value}" for name, value in headers.items()),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    text = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    told = f"SDK-HMAC-SHA256 Access={key}, SignedHeaders={names}, Signature={signature}"
    return {
        "Content-Type": "application/json",
        "Host": parts.netloc,
        "X-Sdk-Date": date,
        "Authorization": told,
    }


def _answer(answer: dict[str, Any], turn: Turn) -> str:
    """What is to be said. Raises NoAnswerError."""
    kind = answer.get("reply_type")
    if isinstance(kind, int) and kind in _FIELDS:
        told = answer.get(_FIELDS[kind])
        if text := _text(told, "answer"):
            return text
        raise NoAnswerError(f"reply_type {kind} without an answer")
    stored = answer.get("qabot_answers")
    stored = stored if isinstance(stored, dict) else {}
    found = _list(stored.get("answers"))
    for one in found:
        if text := _text(one, "answer"):
            return text
    # An entry without an answer is a recommendation: a question that may have been meant.
    offers = [*found, *_list(stored.get("recommend_answers"))]
    questions = [text for one in offers if (text := _text(one, "st_question"))]
    if questions:
        return phrases.ask_back(questions[:_OFFERED], turn.language)
    raise NoAnswerError("no stored question is near")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any, name: str) -> str:
    text = value.get(name) if isinstance(value, dict) else None
    return text if isinstance(text, str) and text.strip() else ""
