"""Speech that is made before anybody asks for it: the first sentence of an answer that will perhaps be spoken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from visavis import log
from visavis.speech.types import SpeechChunk

_log = log.get("speech")

CHUNKS: Final = 64
"""So many chunks are made ahead; the rest waits until somebody listens."""


class Prepared:
    """One sentence on its way. Take :meth:`chunks` once, or :meth:`discard` it."""

    def __init__(self, text: str, say: Callable[[], AsyncIterator[SpeechChunk]]) -> None:
        self.text = text
        self._ready: asyncio.Queue[SpeechChunk | Exception | None] = asyncio.Queue(CHUNKS)
        self._task = asyncio.create_task(self._make(say), name="prepared")

    async def chunks(self) -> AsyncGenerator[SpeechChunk, None]:
        """What is made, and what comes after it. Raises what synthesis raises."""
        try:
            while (item := await self._ready.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            await self.discard()

    async def discard(self) -> None:
        """Make no more of it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _make(self, say: Callable[[], AsyncIterator[SpeechChunk]]) -> None:
        try:
            async with aclosing(say()) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    await self._ready.put(chunk)
        except Exception as error:
            await self._ready.put(error)
            return
        await self._ready.put(None)


class Preparing:
    """What a synthesiser prepares: one sentence at a time; the next takes the place of the one before."""

    def __init__(self) -> None:
        self._one: Prepared | None = None
        self._old: set[asyncio.Task[None]] = set()

    def prepare(self, text: str, say: Callable[[], AsyncIterator[SpeechChunk]]) -> None:
        """Begin with ``text``, unless that is under way."""
        if self._one is not None and self._one.text == text:
            return
        self.forget()
        self._one = Prepared(text, say)

    def take(self, text: str) -> Prepared | None:
        """What was prepared of ``text``, for the one who speaks it now. What else was prepared stays for its own time."""
        one = self._one
        if one is None or one.text != text:
            return None
        self._one = None
        return one

    def forget(self) -> None:
        """Nobody will speak it."""
        one, self._one = self._one, None
        if one is not None:
            task = asyncio.create_task(one.discard())
            self._old.add(task)
            task.add_done_callback(self._old.discard)

    async def close(self) -> None:
        """Stop whatever is under way."""
        self.forget()
        await asyncio.gather(*self._old, return_exceptions=True)
