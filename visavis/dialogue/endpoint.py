"""Where a language model is, and what it is asked: OpenAI-compatible, or the published third-party callback."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlencode

from visavis.dialogue.types import Message, Turn
from visavis.speech.types import Language

_BRIEF: Final[dict[Language, str]] = {
    "en": "You are Mira, a digital human. Your words are spoken aloud: answer in English, in one to three short "
    "sentences, without lists, markup or links.",
    "zh": "你是数字人米拉。你的回答会被朗读出来：请用中文回答，一到三个短句，不要使用列表、标记或链接。",
}
_HEADERS: Final = {
    "Accept": "text/event-stream, application/json",
    # A reply is some kilobytes; compressed, a few of them could become a gigabyte here.
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is and how it is asked.

    ``url``: for "openai" the base URL or the .../chat/completions URL; for "metastudio" the callback's URL.
    ``api_key``: the bearer token, or the app key that signs the callback.
    ``chat_rounds``: questions with their answers that a request carries, the present question included.
    ``extend_param``, ``user``: of the job, for the callback; an empty user: the turn's.
    ``trusted``: it is the operator's own, and may be at this machine; never an address that a user gave.
    """

    url: str
    protocol: Literal["openai", "metastudio"] = "openai"
    model: str = ""
    api_key: str = field(default="", repr=False)
    app_id: str = ""
    stream: bool = True
    chat_rounds: int = 5
    system_prompt: str = ""
    extend_param: str = field(default="", repr=False)
    user: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a model. ``secrets``: what must not reach a log, even when the model sends it back."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: dict[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def brief(language: Language) -> str:
    """The system prompt of whoever gives none."""
    return _BRIEF[language]


def signed_query(app_key: str, url: str, milliseconds: int) -> dict[str, str]:
    """The published signature of the callback: hex HMAC-SHA256 of URL and decimal time, and the time in hex."""
    mac = hmac.new(app_key.encode(), f"{url}{milliseconds}".encode(), hashlib.sha256)
    return {"secret": mac.hexdigest(), "time_stamp": f"{milliseconds:x}"}


def ask(end: Endpoint, turn: Turn, milliseconds: int) -> Ask:
    """The request of a turn, signed for now (epoch milliseconds)."""
    messages = said(end, turn)
    if end.protocol == "metastudio":
        return _callback(end, turn, messages, milliseconds)
    system = end.system_prompt or brief(turn.language)
    return ask_openai(end, [{"role": "system", "content": system}, *messages])


def said(end: Endpoint, turn: Turn) -> list[dict[str, str]]:
    """The present question as a message, and what was said before it, as deep as ``chat_rounds`` goes."""
    messages = [{"role": message.role, "content": message.text} for message in recent(turn.history, end.chat_rounds)]
    return [*messages, {"role": "user", "content": turn.text}]


def recent(history: Sequence[Message], rounds: int) -> Sequence[Message]:
    """What was said in the last ``rounds``, of which the present question is one. A round begins with its question, and may have no
    answer: one that was interrupted before it was heard."""
    asked = [number for number, message in enumerate(history) if message.role == "user"]
    if rounds <= 1:
        return ()
    return history[asked[1 - rounds] :] if len(asked) >= rounds else history


def _callback(end: Endpoint, turn: Turn, messages: list[dict[str, str]], milliseconds: int) -> Ask:
    query = signed_query(end.api_key, end.url, milliseconds)
    body = {
        "messages": messages,
        "app_id": end.app_id,
        "user": end.user or turn.user_id,
        "session_id": turn.session_id,
        "is_stream": end.stream,
        "extend_param": end.extend_param,
    }
    # The address is signed as it was configured, so it is sent as it was configured, and the query follows.
    address, _, _ = end.url.partition("#")
    url = f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"
    return Ask(url, dict(_HEADERS), body, tuple(filter(None, (query["secret"], end.api_key))))


def ask_openai(
    end: Endpoint,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] = (),
    *,
    may_call: bool = True,
) -> Ask:
    """A request to an OpenAI-compatible endpoint. ``tools``: what the model may call, or may no longer (``may_call``)."""
    body: dict[str, Any] = {"messages": list(messages), "stream": end.stream}
    if tools:
        body["tools"] = list(tools)
        if not may_call:
            body["tool_choice"] = "none"
    if end.model:
        body["model"] = end.model
    headers = dict(_HEADERS)
    if end.api_key:
        headers["Authorization"] = f"Bearer {end.api_key}"
    base = end.url.rstrip("/")
    url = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
    return Ask(url, headers, body, tuple(filter(None, (end.api_key,))))
