"""Tools of MCP servers: streamable HTTP where a project says, stdio where the operator says.

A connection is opened when the first turn asks for tools, lives in a task of its own, and is opened anew when it broke.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import mcp_types
from mcp import Client
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client

import visavis
from visavis import log
from visavis.dialogue.assistant.mcp_http import MAX_EVENT, client
from visavis.dialogue.assistant.mcp_stdio import stdio
from visavis.dialogue.assistant.types import McpServer, Tool, ToolError, ToolResult
from visavis.urlpolicy import UrlPolicy

_LOG = log.get(__name__)

STDIO: Final = "stdio:"
"""Begins the ``url`` of a server that the operator runs; its name follows."""

_CONNECT_S: Final = 10.0
_AGAIN_S: Final = 5.0  # between two attempts at a server that cannot be reached
_CLOSE_S: Final = 1.5  # that a session waits for the end of a connection
_PAGES: Final = 4
_MOST: Final = 64  # tools of one server

for _noisy in ("mcp", "client", "httpx2", "httpcore2"):
    # They log addresses, which may hold a token, and what tools say, which is the speakers' own.
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)

_closing: set[asyncio.Task[None]] = set()
"""Connections that end after their session."""


class McpTools:
    """The tools of one server, for one session (a ``ToolSource``)."""

    def __init__(self, server: McpServer, policy: UrlPolicy, commands: Mapping[str, Sequence[str]]) -> None:
        """``commands``: by name, what the operator lets run for ``stdio:`` servers."""
        self._server, self._policy, self._commands = server, policy, commands
        self._connection: _Connection | None = None
        self._not_before = 0.0

    async def tools(self) -> Sequence[Tool]:
        """The server's tools; none while it cannot be reached. Connects when need be, and goes on with that if cancelled."""
        loop = asyncio.get_running_loop()
        if self._connection is not None and self._connection.broken:
            if self._connection.served:
                self._not_before = 0.0  # it was there a moment ago
            self._connection.end()
            self._connection = None
        if self._connection is None:
            if loop.time() < self._not_before:
                return ()
            self._not_before = loop.time() + _AGAIN_S
            self._connection = _Connection(self._server.name, self._open)
        connection = self._connection
        listed = await asyncio.shield(connection.ready)
        return [McpTool(connection, tool) for tool in listed]

    async def aclose(self) -> None:
        """End the connection; what takes long goes on behind."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end()
            await asyncio.wait({connection.task}, timeout=_CLOSE_S)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Transport]:
        """How the server is spoken to. Raises ToolError: no such command."""
        async with AsyncExitStack() as stack:
            name = self._server.url.removeprefix(STDIO)
            if name == self._server.url:
                http = await stack.enter_async_context(client(self._policy, self._server.headers))
                yield streamable_http_client(self._server.url, http_client=http, max_sse_event_size=MAX_EVENT)
                return
            command = self._commands.get(name)
            if not command:
                raise ToolError(f"the settings name no MCP server {name!r}")
            yield stdio(command)


class _Connection:
    """One connection: a task that holds it from beginning to end, because that is what its parts need."""

    def __init__(self, name: str, opener: Any) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.client: Client | None = None
        self.broken = False
        self.served = False
        self.ready: asyncio.Future[list[mcp_types.Tool]] = loop.create_future()
        self._opener = opener
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"mcp-{name}")
        _closing.add(self.task)
        self.task.add_done_callback(_closing.discard)

    def end(self) -> None:
        """Begin to close it."""
        self._end.set()
        if not self.ready.done():
            self.task.cancel()

    async def _run(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(_CONNECT_S):
                    transport = await stack.enter_async_context(self._opener())
                    info = mcp_types.Implementation(name="visavis", version=visavis.__version__)
                    self.client = await stack.enter_async_context(Client(transport, client_info=info))
                    listed = await _listed(self.client)
                self.ready.set_result(listed)
                self.served = True
                _LOG.info("MCP server connected", server=self.name, tools=len(listed))
                await self._end.wait()
        except asyncio.CancelledError:
            pass  # only ``end`` cancels
        except Exception as error:
            _LOG.warning("an MCP server failed", server=self.name, reason=_reason(error))
        finally:
            self.broken = True
            if not self.ready.done():
                self.ready.set_result([])


async def _listed(session: Client) -> list[mcp_types.Tool]:
    """The server's tools, so many at most."""
    found: list[mcp_types.Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await session.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if not cursor or len(found) >= _MOST:
            break
    return found[:_MOST]


class McpTool:
    """A tool of a server (a ``Tool``)."""

    def __init__(self, connection: _Connection, tool: mcp_types.Tool) -> None:
        self._connection, self._tool = connection, tool

    @property
    def name(self) -> str:
        return self._tool.name

    @property
    def description(self) -> str:
        return self._tool.description or self._tool.title or ""

    @property
    def schema(self) -> Mapping[str, Any]:
        return self._tool.input_schema

    @property
    def acts(self) -> bool:
        hints = self._tool.annotations
        return hints is None or hints.read_only_hint is not True

    async def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Raises ToolError: the server did not answer the call, or with what is no answer."""
        connection = self._connection
        if connection.broken or connection.client is None:
            raise ToolError("it cannot be reached")
        try:
            result = await connection.client.call_tool(self._tool.name, dict(arguments))
        except Exception as error:
            connection.broken = True  # the next turn opens another
            _LOG.warning("a call of an MCP server failed", server=connection.name, reason=_reason(error))
            raise ToolError("it gave no usable answer") from None
        return ToolResult(_text(result), bool(result.is_error))


def _text(result: mcp_types.CallToolResult) -> str:
    """What a result says: its texts; else its structure."""
    texts = []
    for block in result.content:
        if isinstance(block, mcp_types.TextContent):
            texts.append(block.text)
        elif isinstance(block, mcp_types.EmbeddedResource) and isinstance(
            block.resource, mcp_types.TextResourceContents
        ):
            texts.append(block.resource.text)
    if not texts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(texts) or "(nothing)"


def _reason(error: BaseException) -> str:
    """The kinds of a failure; its words may hold what is not for the log."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(sorted({_reason(one) for one in error.exceptions}))
    return str(error) if isinstance(error, ToolError) else type(error).__name__
