"""A small HTTP load generator: ready-made requests over kept connections, each connection asking again when it is answered.

Requests are bytes that were built (and signed) before, and of an answer only its status and length are read: what is measured
is the server. What it costs itself is part of the result.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from visavis.errors import VisavisError

HOST: Final = "127.0.0.1"
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class LoadError(VisavisError):
    """The server answered something else than 200, or hung up."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one slice of load showed.

    Attributes:
        latencies: seconds from sending to the whole answer, sorted.
        seconds: wall clock of the slice.
        client_cpu: seconds of processor time that this process took for it.
    """

    latencies: list[float]
    seconds: float
    client_cpu: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def client_us(self) -> float:
        """Microseconds of this process's processor time an answer."""
        return self.client_cpu / len(self.latencies) * 1e6


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed. ``ordered``: ascending, not empty."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def request(method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> bytes:
    """One request as it goes over the wire. ``headers``: with Host; Content-Length is added where there is a body."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection(asyncio.Protocol):
    """One connection that always has one request under way, until ``until`` (of ``perf_counter``)."""

    def __init__(self, requests: Iterator[bytes], until: float, latencies: list[float]) -> None:
        self._requests, self._until, self._latencies = requests, until, latencies
        self._got = bytearray()
        self._whole = 0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(LoadError(f"the server hung up: {error}"))

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._whole:
            end = self._got.find(_HEAD_END)
            if end < 0:
                return
            self._whole = end + len(_HEAD_END) + self._length(end)
        if len(self._got) < self._whole:
            return
        now = time.perf_counter()
        self._latencies.append(now - self._began)
        if self._got[9:12] != b"200":
            self._end(LoadError(f"the server answered {bytes(self._got[:2000]).decode(errors='replace')}"))
        elif now < self._until:
            self._ask()
        else:
            self._end(None)

    def _length(self, end: int) -> int:
        head = bytes(self._got[:end]).lower()
        at = head.find(_LENGTH)
        return int(head[at + len(_LENGTH) :].split(b"\r", 1)[0]) if at >= 0 else 0

    def _ask(self) -> None:
        assert self._transport is not None
        self._got.clear()
        self._whole = 0
        self._began = time.perf_counter()
        self._transport.write(next(self._requests))

    def _end(self, error: LoadError | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
        if self._transport is not None:
            self._transport.close()


async def load(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Ask the server on that port of this machine, round and round, for that long.

    Raises:
        LoadError: an answer that is not 200.
        OSError: nobody listens.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    cpu, began = time.process_time(), time.perf_counter()
    again = itertools.cycle(requests)
    protocols = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(lambda: _Connection(again, began + seconds, latencies), HOST, port)
        protocols.append(protocol)
    await asyncio.gather(*(protocol.done for protocol in protocols))
    took = time.perf_counter() - began
    return Load(sorted(latencies), took, time.process_time() - cpu)
