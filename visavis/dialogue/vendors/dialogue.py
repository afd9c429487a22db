"""A vendor's service as a dialogue engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import aiohttp
import httpx

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.model import Patience
from visavis.dialogue.replies import plain
from visavis.dialogue.types import Sentence, Turn
from visavis.dialogue.vendors.types import NoAnswerError, Service, VendorError
from visavis.urlpolicy import UrlRefused

_LOG = log.get(__name__)

_MOST: Final = 8000  # characters that are spoken at most: some seven minutes


class VendorDialogue:
    """Answers from a vendor's service. One per session; closing an answer ends its request."""

    def __init__(self, service: Service, patience: Patience | None = None) -> None:
        self._service = service
        self._patience = patience or Patience()

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The answer, sentence by sentence; a failure is one apology with purpose "error" and a logged reason.

        A service that remembers what it is asked is not asked on a turn that may never have been meant.
        """
        if self._service.stateful and turn.speculative:
            return
        spoken = 0
        cutter = phrases.SentenceStream(turn.language)
        try:
            async with aclosing(self._pieces(turn)) as pieces:
                async for piece in pieces:
                    for sentence in _sentences(cutter.push(piece), turn):
                        spoken += len(sentence.text)
                        yield sentence
                        if spoken > _MOST:
                            _LOG.warning("the service's answer is cut off", characters=spoken)
                            return
            for sentence in _sentences(cutter.finish(), turn):
                spoken += len(sentence.text)
                yield sentence
            if not spoken:
                raise NoAnswerError("the answer is empty")
        except NoAnswerError as error:
            _LOG.info("the service knows no answer", reason=str(error))
            yield Sentence(phrases.UNKNOWN[turn.language], turn.language, "unknown")
        except (VendorError, UrlRefused, httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
            # Texts of the HTTP libraries may quote the address, and a signed one is a credential.
            ours = isinstance(error, VendorError | UrlRefused)
            _LOG.error("the service failed", spoken=spoken, reason=str(error) if ours else type(error).__name__)
            apology = phrases.BROKEN if spoken else phrases.FAILED
            yield Sentence(apology[turn.language], turn.language, "error")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

    async def _pieces(self, turn: Turn) -> AsyncGenerator[str, None]:
        """The texts, each waited for within its time."""
        seconds = self._patience.first_token_s
        async with aclosing(self._service.texts(turn)) as texts:
            while True:
                try:
                    async with asyncio.timeout(seconds):
                        piece = await anext(texts)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise VendorError(f"nothing came for {seconds:g} s") from None
                yield piece
                seconds = self._patience.next_token_s


def _sentences(texts: list[str], turn: Turn) -> list[Sentence]:
    return [Sentence(bare, phrases.language_of(bare, turn.language)) for text in texts if (bare := plain(text))]
