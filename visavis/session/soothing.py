"""Pacify words: what soothes who waits for an answer that takes its time.

They are a layer around a dialogue. When nothing was answered ``trigger_ms`` after it was asked, one phrase is said: one of the
intent that the question is about, else a general one. It is said to its end; the answer follows without a gap, for it was
made meanwhile. Never two of them in a row: after one, an answer has to come first, whoever said it, and of several
phrases another one is taken each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from visavis import log
from visavis.dialogue.types import Dialogue, Sentence, Turn
from visavis.session.spec import PacifySpec
from visavis.speech.types import Language

IntentOf = Callable[[str], Awaitable[str]]
"""The intent that a question is about, "" if none."""

_log = log.get("soothing")


class Soothing:
    """A dialogue that soothes. One per session; closing an answer's iterator cancels it, and the dialogue's with it."""

    def __init__(
        self,
        dialogue: Dialogue,
        words: Mapping[Language, PacifySpec],
        intent_of: IntentOf | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Args:
            intent_of: asked only where there are phrases of intents.
            sleep: the clock: waits so many seconds.
        """
        self._dialogue, self._words = dialogue, words
        self._intent_of, self._sleep = intent_of, sleep
        self._last = ""
        self._due = True
        """Something was answered since the last phrase."""

    async def aclose(self) -> None:
        """Close the dialogue."""
        await self._dialogue.aclose()

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The dialogue's sentences, after a phrase if the first takes too long."""
        async with aclosing(self._dialogue.answer(turn)) as sentences:  # type: ignore[type-var]
            first = asyncio.ensure_future(anext(aiter(sentences)))
            try:
                phrase = await self._phrase_before(first, turn)
                if phrase:
                    yield Sentence(phrase, turn.language, "filler")
                    self._last, self._due = phrase, False  # now it was taken: a speculation's may be dropped
                try:
                    sentence = await first
                except StopAsyncIteration:
                    if phrase and turn.speculative:  # it acts only on what is really asked, and so it is by now
                        async for sentence in self._again(turn):
                            yield sentence
                    return
                except Exception:
                    self._due = True  # what is said of the failure is an answer, too
                    raise
            finally:
                await _end(first)
            if self._wanted(sentence):
                yield sentence
                self._due = sentence.purpose != "filler"
            async for sentence in sentences:
                if self._wanted(sentence):
                    yield sentence
                    self._due = sentence.purpose != "filler"

    async def _again(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        async with aclosing(self._dialogue.answer(replace(turn, speculative=False))) as sentences:  # type: ignore[type-var]
            async for sentence in sentences:
                if self._wanted(sentence):
                    yield sentence
                    self._due = sentence.purpose != "filler"

    def _wanted(self, sentence: Sentence) -> bool:
        """Whether it is to be said: not a filler of the dialogue's own behind one of ours."""
        return self._due or sentence.purpose != "filler"

    async def _phrase_before(self, first: asyncio.Future[Sentence], turn: Turn) -> str:
        """What is to be said while ``first`` is not there; "": nothing, or it came in time."""
        words = self._words.get(turn.language)
        if words is None or not self._due:
            return ""
        wait: asyncio.Future[Any] = asyncio.ensure_future(self._sleep(words.trigger_ms / 1000))
        intent: asyncio.Future[Any] = asyncio.ensure_future(self._intent(turn.text, words))
        come: asyncio.Future[Any] = first
        try:
            await asyncio.wait({come, wait}, return_when=asyncio.FIRST_COMPLETED)
            if first.done():
                return ""
            await asyncio.wait({come, intent}, return_when=asyncio.FIRST_COMPLETED)
            if first.done():
                return ""
            return self._choose(words.by_intent.get(intent.result(), []) or words.general)
        finally:
            await _end(wait)
            await _end(intent)

    async def _intent(self, text: str, words: PacifySpec) -> str:
        if not words.by_intent or self._intent_of is None:
            return ""
        try:
            return await self._intent_of(text)
        except Exception:  # a general phrase soothes as well
            _log.exception("the intent of a question could not be found")
            return ""

    def _choose(self, phrases: list[str]) -> str:
        """The phrase behind the last one."""
        if not phrases:
            return ""
        at = phrases.index(self._last) + 1 if self._last in phrases else 0
        return phrases[at % len(phrases)]


async def _end(task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
