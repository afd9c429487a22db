"""Reading what a language model answers: one JSON object, server-sent events, or a refusal.

Which of them it is, is told by how the reply begins, not by its content type: servers name the type wrongly more often than not.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from visavis.errors import VisavisError
from visavis.speech import markup
from visavis.speech.normalise import has_han

_MAX_LINE: Final = 1 << 20  # bytes of one event, or of a reply that is not streamed
_MAX_STREAM: Final = 4 << 20  # bytes of all events: a model that thinks aloud sends some hundred bytes a word
_END_S: Final = 0.02  # between [DONE] and the end of the response; the last sentence waits for it
_MAX_REFUSAL: Final = 4096
_REFUSAL_S: Final = 1.0
_SHOWN: Final = 300  # characters of a refusal that are logged
_EVENT: Final = re.compile(rb"(?:data|event|id|retry)?:|(?:data|event|id|retry)$")
_BUSY: Final = frozenset({429, 502, 503, 504})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MARKUP: Final = re.compile(r"\*+|`+|^#+\s+|^\s*[-•]\s+|^>\s+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A part of a call that the model wants made: what is new of its id and name, and more of its arguments' JSON text.
    ``index``: which of the reply's calls it belongs to."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class ModelError(VisavisError):
    """The model gave no usable reply; the message is for the log, and must have passed ``without_secrets``."""


class Refused(ModelError):
    """The model answered with an HTTP error.

    ``retry``: it is overloaded, or its gateway did not reach it. ``retry_after``: seconds it asks to wait; 0: says nothing.
    """

    def __init__(self, message: str, status: int, error_code: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.retry = status in _BUSY
        self.retry_after = retry_after


def plain(text: str) -> str:
    """A sentence without the markup that models like to write; "" if nothing can be spoken."""
    bare = " ".join(_MARKUP.sub("", markup.plain(text, "，" if has_han(text) else ", ")).split())
    return bare if any(character.isalnum() for character in bare) else ""


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """One line of text from elsewhere, fit for a log: without ``secrets``, control characters and undue length."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return _CONTROL.sub(" ", text)[:_SHOWN]


async def refusal(response: httpx.Response, now: float, secrets: tuple[str, ...]) -> Refused:
    """What an answer without success says. ``now``: epoch seconds."""
    status = response.status_code
    if response.is_redirect:
        return Refused(f"HTTP {status}: it redirects, which is not followed", status)
    body = bytearray()
    try:
        async with asyncio.timeout(_REFUSAL_S):
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MAX_REFUSAL:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass  # the status says enough
    text = bytes(body[:_MAX_REFUSAL]).decode("utf-8", "replace")
    code, told = "", text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and (value.get("error_code") or value.get("error_msg")):
        code, told = str(value.get("error_code") or ""), f"{value.get('error_code', '')} {value.get('error_msg', '')}"
    wait = _retry_after(response.headers.get("retry-after", ""), now)
    return Refused(f"HTTP {status}: {without_secrets(told, secrets)}", status, without_secrets(code, secrets), wait)


def _retry_after(text: str, now: float) -> float:
    """Seconds of a Retry-After header: a number, or a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


class Reading:
    """Reads one successful answer.

    Waiting is bounded: until ``first_by`` (loop time) for the first word, then ``next_s`` for each next one, and until ``last_by``
    for all of it. A word is an event with data, or a part of the body of a reply in one piece; what keeps a connection open
    (comments, blank lines) is none.
    """

    def __init__(
        self, response: httpx.Response, secrets: tuple[str, ...], *, first_by: float, next_s: float, last_by: float
    ) -> None:
        self._response, self._secrets = response, secrets
        self._next_s, self._last_by = next_s, last_by
        self._until = min(first_by, last_by)
        self._loop = asyncio.get_running_loop()
        self._begun = False
        self._size = 0

    async def texts(self) -> AsyncGenerator[str, None]:
        """The reply's text as it arrives. Raises ModelError, httpx.HTTPError."""
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    yield piece

    async def pieces(self) -> AsyncGenerator[str | CallDelta, None]:
        """The reply's text and calls as they arrive. Raises ModelError, httpx.HTTPError."""
        coding = self._response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise ModelError("the reply is compressed, which was not asked for")
        thoughts = _Thoughts()
        async with aclosing(self._chunks()) as chunks:
            head = await self._head(chunks)
            if head.startswith((b"{", b"[")):
                text, calls = self._told(await self._whole(head, chunks))
                if text := thoughts.remove(text):
                    yield text
                for call in calls:
                    yield call
                return
            if not _EVENT.match(head.split(b"\n", 1)[0].rstrip(b"\r")):
                kind = without_secrets(self._response.headers.get("content-type", "no content type"), self._secrets)
                raise ModelError(
                    f"the reply ({kind}) is neither JSON nor a stream of events" if head else "the reply is empty"
                )
            async with aclosing(self._events(head, chunks)) as events:
                async for data in events:
                    text, calls = self._told(data)
                    if text := thoughts.remove(text):
                        yield text
                    for call in calls:
                        yield call
            await self._rest(chunks)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        raw = self._response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout_at(self._until):
                    chunk = await anext(raw)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise ModelError(self._late()) from None
            self._size += len(chunk)
            if self._size > _MAX_STREAM:
                raise ModelError("the reply is too long")
            yield chunk

    def _late(self) -> str:
        if self._loop.time() >= self._last_by:
            return "the reply does not end"
        return f"it fell silent for {self._next_s:g} s" if self._begun else "its first word did not come in time"

    def _word(self) -> None:
        self._begun = True
        self._until = min(self._loop.time() + self._next_s, self._last_by)

    async def _head(self, chunks: AsyncGenerator[bytes, None]) -> bytes:
        """The reply up to where its form can be told: a line, or the bracket of a JSON text."""
        head = b""
        async for chunk in chunks:
            head = (head + chunk).removeprefix(b"\xef\xbb\xbf").lstrip()
            if head.startswith((b"{", b"[")) or b"\n" in head:
                break
            if len(head) > _MAX_LINE:
                raise ModelError("an event is too long")
        return head

    async def _whole(self, head: bytes, chunks: AsyncGenerator[bytes, None]) -> str:
        body = bytearray(head)
        self._word()
        async for chunk in chunks:
            self._word()
            body += chunk
            if len(body) > _MAX_LINE:
                raise ModelError("the reply is too long")
        return body.decode("utf-8", "replace")

    async def _events(self, head: bytes, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[str, None]:
        """The data of server-sent events, up to [DONE]. One line of data is one event, blank line or not."""
        rest, chunk = b"", head
        while True:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if (data := _data(line)) is not None:
                    self._word()
                    if data == "[DONE]":
                        return
                    yield data
            if len(rest) > _MAX_LINE:
                raise ModelError("an event is too long")
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                break
        last = _data(rest)
        if last is not None and last != "[DONE]":
            yield last
        if last != "[DONE]" and not self._delimited():
            # Nothing else would tell a reply that ends from a connection that breaks.
            raise ModelError("the stream ended without [DONE]")

    async def _rest(self, chunks: AsyncGenerator[bytes, None]) -> None:
        """Take the end of the response along, which comes with its last word: then the next question needs no new connection."""
        with suppress(TimeoutError, ModelError, httpx.HTTPError):
            async with asyncio.timeout(_END_S):
                async for _ in chunks:
                    pass

    def _delimited(self) -> bool:
        """Whether HTTP itself says where the reply ends."""
        headers = self._response.headers
        return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()

    def _told(self, data: str) -> tuple[str, list[CallDelta]]:
        """Text and calls of one event (delta or message) or of a whole reply. Raises ModelError on a reported error."""
        try:
            reply = json.loads(data)
        except (ValueError, RecursionError):
            raise ModelError(f"not JSON ({len(data)} characters)") from None
        if not isinstance(reply, dict):
            raise ModelError(f"not a JSON object: {without_secrets(data, self._secrets)[:120]!r}")
        if reply.get("error") or reply.get("error_code"):
            told = json.dumps(reply, ensure_ascii=False)
            raise ModelError(f"it reports: {without_secrets(told, self._secrets)}")
        choices = reply.get("choices")
        if not isinstance(choices, list):
            raise ModelError("the reply has no choices")
        first = (
            choices[0] if choices and isinstance(choices[0], dict) else {}
        )  # none: such as a last event with the usage
        message = first.get("delta") or first.get("message") or {}
        if not isinstance(message, dict):
            return "", []
        content = message.get("content")
        return content if isinstance(content, str) else "", _calls(message.get("tool_calls"))


def _calls(told: Any) -> list[CallDelta]:
    """The calls in a message; what is none is left out. Of a reply in one piece they have no index: their order tells."""
    found = []
    for number, one in enumerate(told if isinstance(told, list) else []):
        function = one.get("function") if isinstance(one, dict) else None
        if not isinstance(function, dict):
            continue
        index = one.get("index", number)
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # some servers send the object itself
            arguments = json.dumps(arguments, ensure_ascii=False)
        texts = [value if isinstance(value, str) else "" for value in (one.get("id"), function.get("name"), arguments)]
        found.append(CallDelta(index if isinstance(index, int) else number, *texts))
    return found


def _data(line: bytes) -> str | None:
    """What a line of an event stream carries; None: it is no data."""
    return line[5:].decode("utf-8", "replace").strip() if line.startswith(b"data:") else None


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
                return ""
            self._held = None
            return rest.lstrip()
        if "<think>".startswith(head):
            return ""
        whole, self._held = self._held, None
        return whole
