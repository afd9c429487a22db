"""A language model's HTTP server for tests: it says, calls and breaks as its script has it, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from listening import listening

Reply = Any
"""A text, streamed in small pieces; ("call", name, arguments) or a list of such; a number: seconds of silence before what follows
in a list; "BREAK": the connection ends there; a web.Response."""


def _event(delta: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


class Thinking:
    """Answers a request with what ``script`` makes of its messages."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""
        self.script: Callable[[list[dict[str, Any]]], Reply] = lambda messages: "Yes."

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Of the last request."""
        found: list[dict[str, Any]] = self.asked[-1]["messages"]
        return found

    def tools(self, number: int = -1) -> list[str]:
        """The names of the tools that a request offered."""
        return [one["function"]["name"] for one in self.asked[number].get("tools", [])]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        reply = self.script(body["messages"])
        if isinstance(reply, web.StreamResponse):
            return reply
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        number = 0
        for part in reply if isinstance(reply, list) else [reply]:
            if isinstance(part, int | float):
                await asyncio.sleep(part)  # a slow model: the time is what is tested
            elif part == "BREAK":
                assert request.transport is not None
                request.transport.abort()
                return response
            elif isinstance(part, tuple):
                _, name, arguments = part
                text = arguments if isinstance(arguments, str) else json.dumps(arguments)
                half = len(text) // 2
                head = {
                    "index": number,
                    "id": f"c{number}",
                    "type": "function",
                    "function": {"name": name, "arguments": ""},
                }
                await response.write(_event({"tool_calls": [head]}))
                for piece in (text[:half], text[half:]):
                    await response.write(_event({"tool_calls": [{"index": number, "function": {"arguments": piece}}]}))
                number += 1
            else:
                for at in range(0, len(part), 6):
                    await response.write(_event({"content": part[at : at + 6]}))
        await response.write(b"data: [DONE]\n\n")
        return response


@asynccontextmanager
async def thinking() -> AsyncIterator[Thinking]:
    server = Thinking()
    async with listening(server.serve) as url:
        server.url = f"{url}/v1"
        yield server


def last(messages: list[dict[str, Any]]) -> str:
    """What was asked last, or what the last tool said."""
    return str(messages[-1]["content"])
