"""Speech that is made on its own, so that who waits for it can lose patience: also before anybody asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final, Generic, TypeVar

from visavis import log
from visavis.speech.types import SpeechChunk

_log = log.get("speech")

CHUNKS: Final = 64
"""So many chunks are made ahead; the rest waits until somebody listens."""

Chunk = TypeVar("Chunk")


class Late:
    """Nothing has come for a while, and something still may."""


LATE: Final = Late()


class _End:
    """No more comes."""


_END: Final = _End()


class Prepared(Generic[Chunk]):
    """One sentence on its way. Take :meth:`chunks` once, or :meth:`discard` it."""

    def __init__(self, text: str, say: Callable[[], AsyncIterator[Chunk]]) -> None:
        self.text = text
        self._ready: asyncio.Queue[Chunk | Exception | _End] = asyncio.Queue(CHUNKS)
        self._task = asyncio.create_task(self._make(say), name="prepared")

    async def chunks(self, late_s: float, limit_s: float) -> AsyncGenerator[Chunk | Late, None]:
        """What is made, and what comes after it; ``LATE`` for each ``late_s`` in which nothing comes.

        Raises what synthesis raises, and TimeoutError: nothing came for ``limit_s``.
        """
        waited = 0.0
        try:
            while True:
                patience = min(late_s, limit_s - waited)
                try:
                    async with asyncio.timeout(patience):
                        item = await self._ready.get()
                except TimeoutError:
                    waited += patience
                    if waited >= limit_s:
                        raise
                    yield LATE
                    continue
                if isinstance(item, _End):
                    return
                if isinstance(item, Exception):
                    raise item
                waited = 0.0
                yield item
        finally:
            await self.discard()

    async def discard(self) -> None:
        """Make no more of it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _make(self, say: Callable[[], AsyncIterator[Chunk]]) -> None:
        try:
            async with aclosing(say()) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    await self._ready.put(chunk)
        except Exception as error:
            await self._ready.put(error)
            return
        await self._ready.put(_END)


class Preparing:
    """What a synthesiser prepares: one sentence at a time; the next takes the place of the one before."""

    def __init__(self) -> None:
        self._one: Prepared[SpeechChunk] | None = None
        self._old: set[asyncio.Task[None]] = set()

    def prepare(self, text: str, say: Callable[[], AsyncIterator[SpeechChunk]]) -> None:
        """Begin with ``text``, unless that is under way."""
        if self._one is not None and self._one.text == text:
            return
        self.forget()
        self._one = Prepared(text, say)

    def take(self, text: str) -> Prepared[SpeechChunk] | None:
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
