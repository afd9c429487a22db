"""A dialogue without engines, for unit tests of what is built on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from visavis.dialogue.types import Purpose, Sentence, Turn


class FakeDialogue:
    """Says what ``script`` makes of a turn; ``gate`` (if set) is awaited before each sentence."""

    def __init__(
        self,
        script: Callable[[Turn], Sequence[str]] = lambda turn: [f"You said {turn.text}."],
        purpose: Purpose = "answer",
    ) -> None:
        self.turns: list[Turn] = []
        self.cancelled = 0
        self.closed = False
        self.gate: asyncio.Event | None = None
        self._script = script
        self._purpose = purpose

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        self.turns.append(turn)
        done = False
        try:
            for text in self._script(turn):
                if self.gate is not None:
                    await self.gate.wait()
                yield Sentence(text, turn.language, self._purpose)
            done = True
        finally:
            self.cancelled += not done

    async def aclose(self) -> None:
        self.closed = True
