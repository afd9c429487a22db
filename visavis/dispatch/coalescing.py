"""A bounded queue in which a newer item may take the place of an older one of the same key."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class QueueFull(Exception):
    """The queue holds as many items as it may."""


class QueueClosed(Exception):
    """The queue was closed and is empty (get), or takes nothing more (put)."""


class CoalescingQueue(Generic[T]):
    """First in, first out, at most ``limit`` items; one consumer, any number of producers of one event loop.

    An item put with a ``key`` replaces the waiting item of that key, at that item's place. Nothing else is ever
    dropped: a producer waits (``put``), is refused (``put_nowait``) or insists (``force``).
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._serial = 0
        self._closed = False
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put_nowait(self, item: T, key: Hashable | None = None) -> None:
        """Raises QueueFull, QueueClosed."""
        if not self._closed and len(self._items) >= self._limit and (key is None or ("key", key) not in self._items):
            raise QueueFull(f"{self._limit} items wait")
        self.force(item, key)

    async def put(self, item: T, key: Hashable | None = None) -> None:
        """Wait for room. Raises QueueClosed."""
        while True:
            try:
                return self.put_nowait(item, key)
            except QueueFull:
                self._room.clear()
                await self._room.wait()

    def force(self, item: T, key: Hashable | None = None) -> None:
        """Put beyond the limit: for items whose number is bounded by something else. Raises QueueClosed."""
        if self._closed:
            raise QueueClosed
        self._serial += 1
        self._items[("serial", self._serial) if key is None else ("key", key)] = item
        self._filled.set()

    async def get(self) -> T:
        """Wait for the oldest item; cancelled, it takes none. Raises QueueClosed once closed and empty."""
        while not self._items:
            if self._closed:
                raise QueueClosed
            self._filled.clear()
            await self._filled.wait()
        _, item = self._items.popitem(last=False)
        self._room.set()
        return item

    def close(self) -> None:
        """Take nothing more; what waits can still be got."""
        self._closed = True
        self._filled.set()
        self._room.set()
