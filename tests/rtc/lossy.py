"""A bad network for tests: a relay of UDP that loses packets, and holds others back, by a seeded die.

The client is told the relay's address instead of the server's, the server no address of the client's at all, so that both can only
meet at the relay.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, int]


@dataclass
class Weather:
    """``loss``: share of packets lost each way; ``delay_s``: of all; ``jitter_s``: each is held back up to so much more, so that
    packets overtake each other. It holds for media only as soon as ``on``."""

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    on: bool = False
    passed: int = 0
    lost: int = 0
    _die: random.Random = field(default_factory=lambda: random.Random(7))

    def fate(self) -> float | None:
        """After how long a packet goes on; None: never."""
        if not self.on:
            return 0.0
        if self._die.random() < self.loss:
            self.lost += 1
            return None
        self.passed += 1
        return self.delay_s + self._die.random() * self.jitter_s


class _End(asyncio.DatagramProtocol):
    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self.other: _End | None = None
        self.peer: Address | None = None
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        assert self.other is not None
        self.peer = address[:2]
        wait = self._weather.fate()
        if wait is None:
            return
        if wait <= 0:
            self.other.send(data)
        else:
            asyncio.get_running_loop().call_later(wait, self.other.send, data)

    def send(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing() and self.peer is not None:
            self.transport.sendto(data, self.peer)


class Relay:
    """Between one client and one server."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self._near, self._far = _End(weather), _End(weather)
        self._near.other, self._far.other = self._far, self._near

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for end in (self._near, self._far):
            await loop.create_datagram_endpoint(lambda end=end: end, local_addr=("127.0.0.1", 0))  # type: ignore[misc]

    def close(self) -> None:
        for end in (self._near, self._far):
            if end.transport is not None:
                end.transport.close()

    def answer(self, sdp: str) -> str:
        """The server's answer as the client is to see it."""
        assert self._near.transport is not None
        port = self._near.transport.get_extra_info("sockname")[1]
        found = re.search(
            r"^a=candidate:\S+ 1 udp \d+ (127\.0\.0\.1) (\d+) typ host", sdp, re.MULTILINE | re.IGNORECASE
        )
        assert found is not None, sdp
        self._far.peer = (found[1], int(found[2]))
        return re.sub(rf"^(a=candidate:.* 127\.0\.0\.1) {found[2]} ", rf"\g<1> {port} ", sdp, flags=re.MULTILINE)


def offer(sdp: str) -> str:
    """The client's offer as the server is to see it: nobody knows where the client is."""
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith("a=candidate:"))


@asynccontextmanager
async def relay(weather: Weather) -> AsyncIterator[Relay]:
    made = Relay(weather)
    await made.open()
    try:
        yield made
    finally:
        made.close()
