"""A language model's HTTP server for tests, and what is asked of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import web
from listening import listening

from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.model import ModelDialogue
from visavis.dialogue.types import Sentence, Turn
from visavis.urlpolicy import UrlPolicy

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOCAL = UrlPolicy(["127.0.0.1"])
KEY = "sk-very-secret"
DONE = b"data:[DONE]\n\n"

ASKED = Turn("Hi", "en")


class Model:
    """Records what it was asked, answers by ``handler``; ``then``: handlers of the next requests, the last for all others."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.then: list[Handler] = []
        self.bodies: list[dict[str, Any]] = []
        self.requests: list[web.Request] = []
        self.peers: list[Any] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.peers.append(request.transport and request.transport.get_extra_info("peername"))
        self.bodies.append(await request.json())
        handler = self.handler
        if self.then:
            self.handler = self.then.pop(0)
        assert handler is not None
        return await handler(request)


@asynccontextmanager
async def model_server() -> AsyncIterator[Model]:
    server = Model()
    async with listening(server.serve) as url:
        server.url = f"{url}/v1"
        yield server


def delta(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def event(text: str) -> bytes:
    """As the callback's publication shows it."""
    told = {"id": "1", "created": 1, "choices": [{"index": 0, "message": {"content": text}}]}
    return b"data:" + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"


async def stream(request: web.Request, *pieces: bytes, content_type: str = "text/event-stream") -> web.StreamResponse:
    """A response that has begun with these pieces."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    return response


def streaming(*pieces: bytes, **options: Any) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, *pieces, **options)

    return handler


def breaking(*pieces: bytes) -> Handler:
    """The connection breaks after these; without any, before the answer."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request, *pieces) if pieces else web.StreamResponse()
        assert request.transport is not None
        request.transport.abort()
        return response

    return handler


def plain(body: Any, status: int = 200, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=named)

    return handler


def whole(text: str) -> dict[str, Any]:
    return {"id": "1", "created": 1, "choices": [{"index": 0, "message": {"content": text}}]}


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def say(endpoint: Endpoint, turn: Turn, policy: UrlPolicy = LOCAL, **options: Any) -> list[Sentence]:
    dialogue = ModelDialogue(endpoint, policy, **options)
    try:
        return [sentence async for sentence in dialogue.answer(turn)]
    finally:
        await dialogue.aclose()


async def failing(
    endpoint: Endpoint, policy: UrlPolicy = LOCAL, turn: Turn | None = None, **options: Any
) -> tuple[list[Sentence], dict[str, Any]]:
    """What is said, and the one logged failure; no secret in it."""
    with structlog.testing.capture_logs() as logs:
        said = await say(endpoint, turn or Turn("Hi", "en"), policy, **options)
    failures = [entry for entry in logs if entry["log_level"] == "error"]
    assert len(failures) == 1
    assert KEY not in json.dumps(logs)
    assert said[-1].purpose == "error"
    assert sum(sentence.purpose == "error" for sentence in said) == 1
    return said, dict(failures[0])


def callback(model: Model, **more: Any) -> Endpoint:
    return Endpoint(model.url, **{"protocol": "metastudio", "api_key": KEY, **more})


async def spoken(model: Model, *handlers: Handler, **options: Any) -> tuple[list[str], list[dict[str, Any]]]:
    """What is said when requests are handled so, and the retries that were logged."""
    model.handler, *model.then = handlers
    with structlog.testing.capture_logs() as logs:
        said = await say(callback(model), ASKED, **options)
    assert KEY not in json.dumps(logs)
    return [sentence.text for sentence in said], [dict(one) for one in logs if "asked again" in one["event"]]
