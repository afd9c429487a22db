"""MCP servers that the operator lets run: messages a line each over standard input and output, of bounded length.

The client's own way of doing this has no bound, and takes seconds of the event loop for some megabytes.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

MAX_LINE: Final = 1 << 20
"""Bytes of one message."""
_END_S: Final = 0.5  # that a server gets to end by itself, and again after it was asked to

_Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def stdio(command: Sequence[str]) -> AsyncIterator[_Streams]:
    """Runs ``command`` and talks to it (a ``Transport``). Its environment holds nothing of the server's own settings.

    Raises OSError: it cannot be run.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # what it complains of may hold what people said
        limit=MAX_LINE,
        env=get_default_environment(),
        start_new_session=True,
    )
    told, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, asked = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_read, process, told)
            group.start_soon(_write, process, asked, told)
            try:
                yield read, write
            finally:
                group.cancel_scope.cancel()
    finally:
        for stream in (told, read, write, asked):
            stream.close()
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _read(process: asyncio.subprocess.Process, told: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    """Hand on what the server says, until it ends or says too much at once; either ends the connection."""
    assert process.stdout is not None
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, ValueError):  # ValueError: the line is too long
        while line := await process.stdout.readline():
            try:
                message: SessionMessage | Exception = SessionMessage(
                    mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                )
            except ValueError as error:
                message = error
            await told.send(message)
    told.close()


async def _write(
    process: asyncio.subprocess.Process,
    asked: MemoryObjectReceiveStream[SessionMessage],
    told: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    assert process.stdin is not None
    with suppress(OSError, anyio.ClosedResourceError):
        async for message in asked:
            process.stdin.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await process.stdin.drain()
        return
    told.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the server and all that it started, and take what it still says: until then its pipe stays open."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if await _ended(process.wait()):
            break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    await process.wait()
    await _ended(_drained(process.stdout))


async def _ended(what: Awaitable[object]) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await what
            return True
    return False


async def _drained(pipe: asyncio.StreamReader) -> None:
    while await pipe.read(MAX_LINE):
        pass
