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
from visavis.dialogue.replies import CallDelta, ModelError, Reading, Refused, plain, refusal
from visavis.dialogue.types import Sentence, Turn
from visavis.dialogue.waiting import THINKING, Wait, soothed
from visavis.speech.types import Language
from visavis.urlpolicy import UrlPolicy, UrlRefused

_LOG = log.get(__name__)

_MAX_REPLY: Final = 8000  # characters that are spoken at most: some seven minutes
_LONGEST_S: Final = 300.0  # of one reply, however steadily it drips
_TRIED_S: Final = 2.5  # after the question: no new try begins later, so that an apology is heard within 3 s
_SHORTEST_S: Final = 0.3  # that a further try is given to connect
_PAUSE_S: Final = 0.15  # before the second try, give or take half of it; doubled before each next one

Failure = ModelError | UrlRefused | httpx.HTTPError | httpx.InvalidURL
FAILURES: Final = (ModelError, UrlRefused, httpx.HTTPError, httpx.InvalidURL)
"""All that asking a model may end in."""

Piece = str | CallDelta


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


class Spoken:
    """Makes sentences of the text that a model sends: cut, and without markup."""

    def __init__(
        self,
        language: Language,
        cutter: phrases.SentenceStream | None = None,
        sourced: Callable[[str], tuple[str, str]] | None = None,
    ) -> None:
        """``language``: of the turn. ``sourced``: takes the marks of sources out of a sentence, and tells them."""
        self._language: Language = language
        self._cutter = cutter or phrases.SentenceStream(language)
        self._sourced = sourced
        self._source = ""
        self.characters = 0
        """Of all sentences so far."""

    @property
    def enough(self) -> bool:
        """More than anyone listens to was said: the rest is not waited for."""
        return self.characters > _MAX_REPLY

    def push(self, piece: str) -> list[Sentence]:
        """The sentences that ``piece`` completes."""
        return self._made(self._cutter.push(piece))

    def finish(self) -> list[Sentence]:
        """The rest, when no more comes."""
        return self._made(self._cutter.finish())

    def _made(self, texts: list[str]) -> list[Sentence]:
        made: list[Sentence] = []
        for text in texts:
            if self._sourced is not None:
                # A mark that stands alone is cut off from its sentence: the next one carries its source.
                text, source = self._sourced(text)
                self._source = source or self._source
            if not self.enough and (bare := plain(text)):
                self.characters += len(bare)
                made.append(Sentence(bare, phrases.language_of(bare, self._language), source=self._source))
                self._source = ""
        if made and self.enough:
            _LOG.warning("the model's reply is cut off", characters=self.characters)
        return made


def apology(language: Language, spoken: int) -> Sentence:
    """What is said when a reply failed after ``spoken`` characters of it."""
    return Sentence((phrases.BROKEN if spoken else phrases.FAILED)[language], language, "error")


class ModelClient:
    """Asks a model, with patience. One per session; closing a reply closes its HTTP stream."""

    def __init__(
        self,
        policy: UrlPolicy,
        clock: Callable[[], float] = time.time,
        patience: Patience | None = None,
        protocol: str = "openai",
    ) -> None:
        """``clock``: epoch seconds. ``protocol``: for the log."""
        self._clock = clock
        self._patience = patience or Patience()
        self._protocol = protocol
        self._client = httpx.AsyncClient(
            transport=policy.transport(keep_alive=True),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None),  # each wait has a limit of its own below
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def told(self, error: Failure) -> dict[str, Any]:
        """What is logged of a failure."""
        facts: dict[str, Any] = {"reason": str(error) or type(error).__name__, "protocol": self._protocol}
        if isinstance(error, Refused):
            facts["status"] = error.status
            if error.error_code:
                facts["error_code"] = error.error_code
        return facts

    async def pieces(self, make: Callable[[int], Ask]) -> AsyncGenerator[Piece, None]:
        """The reply's text and calls as they arrive, from the first try that brings any.

        ``make``: the request, for the present time (epoch milliseconds); called once for each try. Raises any of ``FAILURES``.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        connect_s = self._patience.connect_s
        for tried in count(1):
            begun = False
            try:
                async with aclosing(self._try(make, connect_s)) as pieces:
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
                    "the language model is asked again", tried=tried, pause=round(pause, 2), **self.told(error)
                )
            await asyncio.sleep(pause)
            connect_s = min(self._patience.connect_s, max(_SHORTEST_S, began + _TRIED_S - loop.time()))

    async def _try(self, make: Callable[[int], Ask], connect_s: float) -> AsyncGenerator[Piece, None]:
        """One request. Raises ModelError, UrlRefused, httpx.HTTPError, httpx.InvalidURL."""
        asked = make(int(self._clock() * 1000))
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
            async with aclosing(reading.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
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
        self._model = ModelClient(policy, clock, patience, endpoint.protocol)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._model.aclose()

    def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The reply, sentence by sentence; a failure is one apology with purpose "error" and a logged reason.

        A model that is slow to begin is excused with a filler. What breaks off in the middle of a sentence loses that sentence: half
        of one may say the opposite of the whole.
        """
        return soothed(self._steps(turn), turn.language)

    async def _steps(self, turn: Turn) -> AsyncGenerator[Sentence | Wait, None]:
        spoken = Spoken(turn.language)
        yield THINKING
        try:
            async with aclosing(self._model.pieces(lambda now: ask(self._endpoint, turn, now))) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, str):
                        continue  # nothing was offered that it could call
                    for sentence in spoken.push(piece):
                        yield sentence
                    if spoken.enough:
                        return
            for sentence in spoken.finish():
                yield sentence
            if not spoken.characters:
                raise ModelError("the reply is empty")
        except FAILURES as error:
            _LOG.error("the language model failed", spoken=spoken.characters, **self._model.told(error))
            yield apology(turn.language, spoken.characters)


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
