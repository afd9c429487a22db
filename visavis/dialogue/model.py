"""A language model behind HTTP: OpenAI-compatible, or the published third-party callback of smart chat.

Both stream over server-sent events or answer with one JSON object; the reply is spoken sentence by sentence.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.types import Sentence, Turn
from visavis.errors import VisavisError
from visavis.speech.types import Language
from visavis.urlpolicy import UrlPolicy, UrlRefused

_LOG = log.get(__name__)

_MAX_LINE: Final = 1 << 20  # bytes of one event, or of a reply that is not streamed
_MAX_REPLY: Final = 8000  # characters that are spoken at most: some seven minutes
_CONNECT_S: Final = 5.0
_SILENCE_S: Final = 20.0  # the longest wait for the next piece of a reply

_BRIEF: Final[dict[Language, str]] = {
    "en": "You are Mira, a digital human. Your words are spoken aloud: answer in English, in one to three short "
    "sentences, without lists, markup or links.",
    "zh": "你是数字人米拉。你的回答会被朗读出来：请用中文回答，一到三个短句，不要使用列表、标记或链接。",
}
_MARKUP: Final = re.compile(r"\*+|`+|^#+\s+|^\s*[-•]\s+|^>\s+", re.MULTILINE)


class ModelError(VisavisError):
    """The model gave no usable reply; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is and how it is asked.

    ``url``: for "openai" the base URL or the .../chat/completions URL; for "metastudio" the callback's URL.
    ``api_key``: the bearer token, or the app key that signs the callback.
    """

    url: str
    protocol: Literal["openai", "metastudio"] = "openai"
    model: str = ""
    api_key: str = field(default="", repr=False)
    app_id: str = ""
    stream: bool = True
    chat_rounds: int = 5
    system_prompt: str = ""


def signed_query(app_key: str, url: str, milliseconds: int) -> dict[str, str]:
    """The published signature of the callback: hex HMAC-SHA256 of URL and decimal time, and the time in hex."""
    mac = hmac.new(app_key.encode(), f"{url}{milliseconds}".encode(), hashlib.sha256)
    return {"secret": mac.hexdigest(), "time_stamp": f"{milliseconds:x}"}


class ModelDialogue:
    """Answers from a language model. One per session; closing an answer closes its HTTP stream."""

    def __init__(
        self,
        endpoint: Endpoint,
        policy: UrlPolicy,
        clock: Callable[[], float] = time.time,
        silence_s: float = _SILENCE_S,
    ) -> None:
        """``clock``: epoch seconds; ``silence_s``: the longest wait for the next piece of a reply."""
        self._endpoint = endpoint
        self._clock = clock
        self._client = httpx.AsyncClient(
            transport=policy.transport(keep_alive=True),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(silence_s, connect=_CONNECT_S),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The reply, sentence by sentence; a failure is one apology with purpose "error" and a logged reason."""
        spoken = 0
        cutter = phrases.SentenceStream(turn.language)
        try:
            async with aclosing(self._pieces(turn)) as pieces:
                async for piece in pieces:
                    for text in cutter.push(piece):
                        if plain := _plain(text):
                            spoken += len(plain)
                            yield Sentence(plain, phrases.language_of(plain, turn.language))
                    if spoken > _MAX_REPLY:
                        _LOG.warning("the model's reply is cut off", characters=spoken)
                        return
            for text in cutter.finish():
                if plain := _plain(text):
                    spoken += len(plain)
                    yield Sentence(plain, phrases.language_of(plain, turn.language))
            if not spoken:
                raise ModelError("the reply is empty")
        except (ModelError, UrlRefused, httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            _LOG.error("the language model failed", reason=reason, protocol=self._endpoint.protocol, spoken=spoken)
            yield Sentence(phrases.FAILED[turn.language], turn.language, "error")

    async def _pieces(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The reply's text as it arrives. Raises ModelError, UrlRefused, httpx.HTTPError."""
        request = self._request(turn)
        response = await self._client.send(request, stream=True)
        try:
            if response.status_code != 200:
                raise ModelError(f"HTTP {response.status_code}: {await _excerpt(response)}")
            if "json" in response.headers.get("content-type", ""):
                yield _text(_object(await _body(response)))
                return
            hidden = _Thoughts()
            async with aclosing(_events(response)) as events:
                async for data in events:
                    if data == "[DONE]":
                        return
                    if piece := hidden.remove(_text(_object(data))):
                        yield piece
        finally:
            await response.aclose()

    def _request(self, turn: Turn) -> httpx.Request:
        end = self._endpoint
        depth = 2 * end.chat_rounds
        history = list(turn.history)[-depth:] if depth else []
        messages = [{"role": message.role, "content": message.text} for message in history]
        messages.append({"role": "user", "content": turn.text})
        headers = {"Accept": "text/event-stream, application/json"}
        if end.protocol == "metastudio":
            now = int(self._clock() * 1000)
            query = signed_query(end.api_key, end.url, now)
            body: dict[str, Any] = {
                "messages": messages,
                "app_id": end.app_id,
                "user": turn.user_id,
                "session_id": turn.session_id,
                "is_stream": end.stream,
                "extend_param": "",
            }
            url = httpx.URL(end.url).copy_merge_params(query)
            return self._client.build_request("POST", url, json=body, headers=headers)
        system = end.system_prompt or _BRIEF[turn.language]
        body = {"messages": [{"role": "system", "content": system}, *messages], "stream": end.stream}
        if end.model:
            body["model"] = end.model
        if end.api_key:
            headers["Authorization"] = f"Bearer {end.api_key}"
        base = end.url.rstrip("/")
        url = httpx.URL(base if base.endswith("/chat/completions") else f"{base}/chat/completions")
        return self._client.build_request("POST", url, json=body, headers=headers)


class _Thoughts:
    """Takes out what a reasoning model writes between <think> and </think> at the head of its reply."""

    def __init__(self) -> None:
        self._held: str | None = ""  # text whose nature is open; None: the head is over

    def remove(self, piece: str) -> str:
        if self._held is None:
            return piece
        self._held += piece
        head = self._held.lstrip()
        if head.startswith("<think>"):
            _, found, rest = head.partition("</think>")
            if not found:
                if len(head) > _MAX_LINE:
                    raise ModelError("it thinks without end")
                return ""
            self._held = None
            return rest.lstrip()
        if "<think>".startswith(head):
            return ""
        whole, self._held = self._held, None
        return whole


def _plain(text: str) -> str:
    """A sentence without the markup that models like to write; "" if nothing can be spoken."""
    plain = _MARKUP.sub("", text).strip()
    return plain if any(character.isalnum() for character in plain) else ""


def _object(data: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ModelError(f"not JSON ({len(data)} characters)") from error
    if not isinstance(value, dict):
        raise ModelError(f"not a JSON object: {data[:120]!r}")
    return value


def _text(reply: dict[str, Any]) -> str:
    """The text of one event (delta or message) or of a whole reply. Raises ModelError on a reported error."""
    if reply.get("error") or reply.get("error_code"):
        raise ModelError(f"it reports: {json.dumps(reply, ensure_ascii=False)[:300]}")
    choices = reply.get("choices")
    if not isinstance(choices, list):
        raise ModelError("the reply has no choices")
    if not choices:
        return ""  # such as a last event with the usage
    first = choices[0] if isinstance(choices[0], dict) else {}
    message = first.get("delta") or first.get("message") or {}
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


async def _events(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The data of server-sent events. Raises ModelError on an endless line."""
    buffer = b""
    async for chunk in response.aiter_bytes():
        buffer += chunk
        *lines, buffer = buffer.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].decode("utf-8", "replace").strip()
        if len(buffer) > _MAX_LINE:
            raise ModelError("an event is too long")
    if buffer.startswith(b"data:"):
        yield buffer[5:].decode("utf-8", "replace").strip()


async def _body(response: httpx.Response) -> str:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_LINE:
            raise ModelError("the reply is too long")
    return body.decode("utf-8", "replace")


async def _excerpt(response: httpx.Response) -> str:
    """The beginning of an error's body, for the log."""
    async for chunk in response.aiter_bytes():
        return chunk[:300].decode("utf-8", "replace")
    return ""
