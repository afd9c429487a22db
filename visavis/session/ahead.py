"""Synthesis ahead of time: the shipped answers are spoken into the cache while nobody talks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from visavis import log
from visavis.dialogue.knowledge import SHIPPED, load
from visavis.dialogue.stored import stored_sentences
from visavis.speech.cache import CachedSynthesiser, Phrase
from visavis.speech.voices import DEFAULT

_log = log.get("ahead")


class Ahead:
    """Works while the worker has no session: two cores are not enough for Kokoro beside a picture at 25 fps."""

    def __init__(self, synthesiser: CachedSynthesiser, knowledge: Sequence[Path], *, enabled: bool) -> None:
        self._synthesiser = synthesiser
        self._knowledge = list(knowledge) or [SHIPPED]
        self._enabled = enabled
        self._task: asyncio.Task[None] | None = None
        self._done = False

    def go_on(self) -> None:
        """The worker is idle: work, or go on with it."""
        if self._enabled and not self._done and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._work(), name="ahead")

    async def stop(self) -> None:
        """A session begins: leave the processor to it."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            await self._make()
        except Exception:  # answers are then synthesised when they are needed; the next idle time tries again
            _log.exception("stored answers could not be synthesised")

    async def _make(self) -> None:
        sentences = await asyncio.to_thread(lambda: stored_sentences(load(self._knowledge)))
        phrases = [Phrase(sentence.text, DEFAULT, sentence.language) for sentence in sentences]
        made = await self._synthesiser.warm(phrases)
        self._done = True
        _log.info("stored answers are synthesised", made=made, sentences=len(phrases))
