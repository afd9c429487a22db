"""Dialogues of those who are asked in writing, kept for a while: the next message of a conversation needs no new connection to tools and
model, and finds what was asked back and what tools said."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from visavis.dialogue.types import Dialogue

KEEP_S: Final = 300.0
"""After the last message."""
_MOST: Final = 64  # each may hold connections and programs


@dataclass(frozen=True, slots=True)
class _Kept:
    dialogue: Dialogue
    made_of: Hashable
    timer: asyncio.TimerHandle


class OpenDialogues:
    """One per server."""

    def __init__(self, keep_s: float = KEEP_S) -> None:
        self._keep_s = keep_s
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    @asynccontextmanager
    async def borrow(
        self, key: Hashable, made_of: Hashable, make: Callable[[], Awaitable[Dialogue]]
    ) -> AsyncIterator[Dialogue]:
        """The dialogue of a conversation, made anew if there is none, or what it is made of has changed. A conversation's second message
        at the same time gets one of its own."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            kept.timer.cancel()
            if kept.made_of != made_of:
                self._close(kept.dialogue)
                kept = None
        dialogue = kept.dialogue if kept is not None else await make()
        try:
            yield dialogue
        except BaseException:
            self._close(dialogue)
            raise
        self._keep(key, dialogue, made_of)

    def _keep(self, key: Hashable, dialogue: Dialogue, made_of: Hashable) -> None:
        if self._closed or key in self._kept:
            self._close(dialogue)
            return
        timer = asyncio.get_running_loop().call_later(self._keep_s, self._drop, key)
        self._kept[key] = _Kept(dialogue, made_of, timer)
        while len(self._kept) > _MOST:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key)
        kept.timer.cancel()
        self._close(kept.dialogue)

    def _close(self, dialogue: Dialogue) -> None:
        task = asyncio.create_task(dialogue.aclose(), name="chat-closes")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close them all; none is kept from here on."""
        self._closed = True
        for key in list(self._kept):
            self._drop(key)
        await asyncio.gather(*self._closing, return_exceptions=True)
