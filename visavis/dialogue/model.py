"""A language model behind HTTP: OpenAI-compatible, or the published third-party callback of smart chat.

Both stream over server-sent events or answer with one JSON object; the reply is spoken sentence by sentence. What fails before
anything was said is tried again, for as long as a person waits without wondering; what fails for good is apologised for.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.endpoint import Ask, Endpoint, ask
from visavis.dialogue.replies import ModelError, Reading, Refused, plain, refusal
from visavis.dialogue.types import Sentence, Turn
from visavis.urlpolicy import UrlPolicy, UrlRefused

_LOG = log.get(__name__)

_MAX_REPLY: Final = 8000  # characters that are spoken at most: some seven minutes
_LONGEST_S: Final = 300.0  # of one reply, however steadily it drips
_TRIED_S: Final = 2.5  # after the question: no new try begins later, so that an apology is heard within 3 s
_SHORTEST_S: Final = 0.3  # that a further try is given to connect
_PAUSE_S: Final = 0.15  # before the second try, give or take half of it; doubled before each next one

_Failure = ModelError | UrlRefused | httpx.HTTPError | httpx.InvalidURL


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a model is waited for, seconds, and how often it is asked once more.

    ``connect_s``: until it is reached (name, TCP, TLS). ``first_token_s``: from the request to the first word. ``next_token_s``: from
    word to word. ``retries``: further tries after the connection was refused or broke or the model was busy, before its first word.
    """

    connect_s: float = 2.5
    first_token_s: float = 15.0
    next_token_s: float = 10.0
    retries: int = 2


class ModelDialogue:
    """Answers from a language model. One per session; closing an answer closes its HTTP stream."""

    def __init__(
        self,
        endpoint: Endpoint,
        policy: UrlPolicy,
        clock: Callable[[], float] = time.time,
        patience: Patience | None = None,
    ) -> None:
        """``clock``: epoch seconds."""
        self._endpoint = endpoint
        self._clock = clock
        self._patience = patience or Patience()
        self._client = httpx.AsyncClient(
            transport=policy.transport(keep_alive=True),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None),  # each wait has a limit of its own below
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The reply, sentence by sentence; a failure is one apology with purpose "error" and a logged reason.

        What breaks off in the middle of a sentence loses that sentence: half of one may say the opposite of the whole.
        """
        spoken = 0
        cutter = phrases.SentenceStream(turn.language)

        def sentences(texts: list[str]) -> list[Sentence]:
            return [Sentence(bare, phrases.language_of(bare, turn.language)) for text in texts if (bare := plain(text))]

        try:
            async with aclosing(self._tries(turn)) as pieces:
                async for piece in pieces:
                    for sentence in sentences(cutter.push(piece)):
                        spoken += len(sentence.text)
                        yield sentence
                        if spoken > _MAX_REPLY:
                            _LOG.warning("the model's reply is cut off", characters=spoken)
                            return
            for sentence in sentences(cutter.finish()):
                spoken += len(sentence.text)
                yield sentence
            if not spoken:
                raise ModelError("the reply is empty")
        except (ModelError, UrlRefused, httpx.HTTPError, httpx.InvalidURL) as error:
            _LOG.error("the language model failed", spoken=spoken, **self._told(error))
            apology = phrases.BROKEN if spoken else phrases.FAILED
            yield Sentence(apology[turn.language], turn.language, "error")

    def _told(self, error: _Failure) -> dict[str, Any]:
        """What is logged of a failure."""
        facts: dict[str, Any] = {"reason": str(error) or type(error).__name__, "protocol": self._endpoint.protocol}
        if isinstance(error, Refused):
            facts["status"] = error.status
            if error.error_code:
                facts["error_code"] = error.error_code
        return facts

    # --- tries ------------------------------------------------------------------------------------

    async def _tries(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The reply's text as it arrives, from the first try that brings any."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        connect_s = self._patience.connect_s
        for tried in count(1):
            begun = False
            try:
                async with aclosing(self._try(turn, connect_s)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except (ModelError, httpx.TransportError) as error:
                pause = _pause(error, tried)
                late = loop.time() + pause > began + _TRIED_S
                if begun or late or tried > self._patience.retries or not _passing(error):
                    raise
                _LOG.warning(
                    "the language model is asked again", tried=tried, pause=round(pause, 2), **self._told(error)
                )
            await asyncio.sleep(pause)
            connect_s = min(self._patience.connect_s, max(_SHORTEST_S, began + _TRIED_S - loop.time()))

    async def _try(self, turn: Turn, connect_s: float) -> AsyncGenerator[str, None]:
        """One request. Raises ModelError, UrlRefused, httpx.HTTPError, httpx.InvalidURL."""
        asked = ask(self._endpoint, turn, int(self._clock() * 1000))
        response, sent = await self._send(asked, connect_s)
        try:
            if not response.is_success:
                raise await refusal(response, self._clock(), asked.secrets)
            reading = Reading(
                response,
                asked.secrets,
                first_by=sent + self._patience.first_token_s,
                next_s=self._patience.next_token_s,
                last_by=sent + _LONGEST_S,
            )
            async with aclosing(reading.texts()) as texts:
                async for text in texts:
                    yield text
        finally:
            await response.aclose()

    async def _send(self, asked: Ask, connect_s: float) -> tuple[httpx.Response, float]:
        """The response's head, and when (loop time) its request was sent."""
        loop = asyncio.get_running_loop()
        sent = 0.0

        async def trace(event: str, _: dict[str, Any]) -> None:
            nonlocal sent
            if event == "http11.send_request_headers.started":
                sent = loop.time()
                limit.reschedule(sent + self._patience.first_token_s)

        request = self._client.build_request("POST", asked.url, json=asked.body, headers=asked.headers)
        request.extensions["trace"] = trace
        try:
            async with asyncio.timeout(connect_s) as limit:
                return await self._client.send(request, stream=True), sent
        except TimeoutError:
            if sent:
                raise ModelError(f"no answer within {self._patience.first_token_s:g} s") from None
            raise ModelError(f"not reached within {connect_s:g} s") from None


def _passing(error: ModelError | httpx.TransportError) -> bool:
    """Whether the same request may do better a moment later."""
    if isinstance(error, Refused):
        return error.retry
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return not _of_tls(error)
    return False


def _of_tls(error: BaseException | None) -> bool:
    """A certificate that is refused stays refused."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _pause(error: Exception, tried: int) -> float:
    """Seconds before the next try: longer each time, never the same for all, and as long as the model asks for."""
    wanted = error.retry_after if isinstance(error, Refused) else 0.0
    return max(wanted, _PAUSE_S * float(2 ** (tried - 1)) * random.uniform(0.5, 1.5))
