"""What is said while an answer is waited for: a filler, when it takes longer than people wait without wondering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from visavis.dialogue.types import Sentence
from visavis.speech.types import Language


@dataclass(frozen=True, slots=True)
class Wait:
    """From here on something is waited for. ``after_s``: seconds until it is excused; ``words``: how."""

    after_s: float
    words: Mapping[Language, str]


THINKING: Final = Wait(2.6, {"en": "One moment, please.", "zh": "请稍等。"})
"""For a model's first words; later than a model that is not reached is given up, so that an apology follows no filler."""
LOOKING: Final = Wait(0.7, {"en": "One moment, I am looking that up.", "zh": "请稍等，我查一下。"})
"""For tools."""


class Handover:
    """How far an answer has gone out. ``begun``: something was said; ``taken``: it was taken, so the turn is really one."""

    def __init__(self) -> None:
        self.begun = False
        self.taken = asyncio.Event()


async def soothed(
    steps: AsyncGenerator[Sentence | Wait, None], language: Language, handover: Handover | None = None
) -> AsyncGenerator[Sentence, None]:
    """The sentences of ``steps``, with a filler where one keeps waiting longer than the last Wait allows; never two in a row.

    Nothing is asked of ``steps`` ahead: what comes after a sentence is only begun when that sentence was taken. But a filler does not
    hold up what it excuses. Closing this closes ``steps``.
    """
    loop = asyncio.get_running_loop()
    handover = handover or Handover()
    wait: Wait | None = None
    since = loop.time()
    filled = False
    step: asyncio.Task[Sentence | Wait] | None = None
    try:
        while True:
            step = asyncio.ensure_future(anext(steps))
            if wait is not None and not filled:
                done, _ = await asyncio.wait({step}, timeout=max(0.0, since + wait.after_s - loop.time()))
                if not done:
                    filled = handover.begun = True
                    yield Sentence(wait.words[language], language, "filler")
                    handover.taken.set()
            try:
                came = await step
            except StopAsyncIteration:
                return
            if isinstance(came, Wait):
                wait, since = came, loop.time()
                continue
            filled, handover.begun = False, True
            yield came
            handover.taken.set()
            since = loop.time()
    finally:
        if step is not None and not step.done():
            step.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                await step
        await steps.aclose()
