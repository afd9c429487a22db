"""An answer that is begun before it is certain that the person is done: of use if he is, forgotten if he goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from visavis import log
from visavis.dialogue.types import Dialogue, Sentence, Turn
from visavis.session.turns.wording import same

_log = log.get("conversation")

_END: Final = None


class Speculation:
    """Asks the dialogue at once, takes its first sentence and waits. :meth:`answer` goes on from there, :meth:`discard` forgets it.

    The dialogue's iterator lives in one task from its first to its last step.
    """

    def __init__(self, dialogue: Dialogue, turn: Turn, prepare: Callable[[Sentence], None]) -> None:
        """``prepare``: told the first sentence as soon as it is known, for synthesis to begin."""
        self._dialogue = dialogue
        self.turn = replace(turn, speculative=True)
        self._prepare = prepare
        self._ready: asyncio.Queue[Sentence | Exception | None] = asyncio.Queue(1)
        self._accepted = asyncio.Event()
        self._task = asyncio.create_task(self._ask(), name="speculation")

    def fits(self, turn: Turn) -> bool:
        """Whether this is the beginning of the answer to ``turn``."""
        mine = self.turn
        return (
            same(mine.text, turn.text)
            and mine.language == turn.language
            and tuple(mine.history) == tuple(turn.history)
            and not (self._task.done() and self._task.cancelled())
        )

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The answer to ``turn``, which fits. An engine that would not speculate, or failed at it, is asked again."""
        self._accepted.set()
        said = False
        try:
            while (item := await self._ready.get()) is not _END:
                if isinstance(item, Exception):
                    if said:
                        raise item
                    _log.info("speculation_failed", reason=type(item).__name__)
                    break
                said = True
                yield item
        finally:
            await self.discard()
        if not said:
            async with aclosing(self._dialogue.answer(turn)) as sentences:  # type: ignore[type-var]
                async for sentence in sentences:
                    yield sentence

    async def discard(self) -> None:
        """Stop asking; does nothing if all has been said."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _ask(self) -> None:
        first = True
        try:
            async with aclosing(self._dialogue.answer(self.turn)) as sentences:  # type: ignore[type-var]
                async for sentence in sentences:
                    await self._ready.put(sentence)
                    if first:
                        first = False
                        self._prepare(sentence)
                        await self._accepted.wait()
        except Exception as error:
            await self._ready.put(error)
            return
        await self._ready.put(_END)
