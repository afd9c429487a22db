"""Messages over a stream socket: four bytes of length (big-endian), then that many bytes of JSON."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Hashable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from visavis.dispatch.coalescing import CoalescingQueue, QueueClosed
from visavis.dispatch.messages import Message
from visavis.dispatch.types import DispatchError

MAX_MESSAGE_BYTES = 1 << 20
"""An SDP offer has a few kilobytes, a job's description too."""

MAX_WAITING = 4096
"""Messages that may wait for the other end to read; at the usual few hundred bytes each, about a megabyte."""


class MessageTooLarge(DispatchError):
    """A message is larger than the other end would take; nothing was sent."""


class ProtocolViolation(Exception):
    """The other end sent what is no message. The stream cannot be trusted any more: end it."""


class Channel:
    """One end of the conversation between the server and one worker.

    ``post`` never waits; ``pump`` must run for anything to be sent. When ``MAX_WAITING`` messages wait, ``post``
    raises QueueFull: the caller decides what a reader that does not read is worth.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: TypeAdapter[Any], waiting: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = incoming
        self._outbox: CoalescingQueue[bytes] = CoalescingQueue(waiting)
        # drain() then returns only when the kernel has everything: a process may exit right after it.
        writer.transport.set_write_buffer_limits(high=0)

    @classmethod
    async def open(cls, sock: socket.socket, incoming: TypeAdapter[Any], waiting: int = MAX_WAITING) -> Channel:
        """Take over a connected Unix stream socket. ``incoming`` says what may be received."""
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        return cls(reader, writer, incoming, waiting)

    def post(self, message: Message, key: Hashable | None = None) -> None:
        """Queue a message; one with a ``key`` replaces a waiting one of that key.

        Raises MessageTooLarge, QueueFull, QueueClosed.
        """
        # Not model_dump_json: it turns NaN into null and refuses lone surrogates, and neither is worth a worker.
        body = json.dumps(message.model_dump(mode="json"), ensure_ascii=False).encode(errors="replace")
        if len(body) > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(f"the message has {len(body)} bytes; {MAX_MESSAGE_BYTES} are allowed")
        self._outbox.put_nowait(len(body).to_bytes(4, "big") + body, key)

    async def pump(self) -> None:
        """Send what is posted, until ``finish`` and everything is sent, or the other end is gone."""
        try:
            while True:
                self._writer.write(await self._outbox.get())
                await self._writer.drain()
        except (QueueClosed, ConnectionError):
            self._outbox.close()

    def finish(self) -> None:
        """Post nothing more; ``pump`` returns when all is sent."""
        self._outbox.close()

    async def receive(self) -> Any:
        """The next message, or None when the other end is gone. Raises ProtocolViolation."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            if size > MAX_MESSAGE_BYTES:
                raise ProtocolViolation(
                    f"announced a message of {size} bytes; the most allowed are {MAX_MESSAGE_BYTES}"
                )
            body = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        try:
            return self._incoming.validate_json(body)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ProtocolViolation(f"sent a malformed message: {first['msg']} at {where!r}") from None

    def close(self) -> None:
        """Give the socket back; what was not sent is lost."""
        self._outbox.close()
        self._writer.close()
