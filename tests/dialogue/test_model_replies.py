"""What a language model may answer: what is understood, what is apologised for."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from model_server import (
    DONE,
    KEY,
    Handler,
    Model,
    callback,
    event,
    failing,
    model_server,
    never,
    plain,
    spoken,
    streaming,
    whole,
)

from visavis.dialogue import phrases
from visavis.dialogue.types import Turn


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with model_server() as server:
        yield server


# --- forms of the answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "handler",
    [
        plain(whole("Fine."), 201),  # what some frameworks answer to any POST
        streaming(json.dumps(whole("Fine.")).encode(), content_type="text/plain"),
        streaming(event("Fine."), DONE, content_type="application/json"),
        streaming(b"\xef\xbb\xbf\r\n: hello\r\n", event("Fine.").replace(b"\n", b"\r\n"), DONE),
        streaming(b"event: message\nid: 7\n", *(bytes([byte]) for byte in event("Fine.") + DONE)),
        streaming(event("Fine.")),  # HTTP itself says that this is the end
        streaming(event("Fine.")[:-2] + b"\n" + DONE),
    ],
)
async def test_what_is_meant_is_understood(model: Model, handler: Handler) -> None:
    assert await spoken(model, handler) == (["Fine."], [])


async def _compressed(request: web.Request) -> web.StreamResponse:
    body = gzip.compress(json.dumps(whole("Fine.")).encode())
    return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


async def _redirecting(request: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect("/elsewhere")


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (plain(whole("x" * (10 << 20))), "too long"),
        (streaming(b"data: " + b"x" * (10 << 20)), "too long"),
        (streaming(*[event("") * 1000] * 120, DONE), "too long"),
        (streaming(b"<html>Welcome</html>", content_type="text/html"), "(text/html) is neither JSON nor"),
        (streaming(b"\x00\xff\x13\x37\n" * 9), "neither JSON nor"),
        (streaming(b""), "empty"),
        (plain(whole("")), "empty"),
        (plain("", 204), "empty"),
        (streaming(event("***"), DONE), "empty"),
        (plain([whole("Fine.")]), "not a JSON object"),
        (streaming(b"[" * 100_000), "not JSON"),
        (_compressed, "compressed"),
        (_redirecting, "redirects"),
    ],
)
async def test_nonsense_is_apologised_for_at_once_and_asked_only_once(
    model: Model, handler: Handler, reason: str
) -> None:
    model.handler = handler
    said, told = await failing(callback(model))
    assert [sentence.text for sentence in said] == [phrases.FAILED["en"]]
    assert reason in told["reason"]
    assert len(model.requests) == 1


# --- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 501])
async def test_an_error_of_the_contract_is_logged_without_secrets(model: Model, status: int) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        told = f"signature of {request.url} with {KEY}\nforged line"
        return web.json_response({"error_code": "LLM.0001", "error_msg": told}, status=status)

    model.handler = handler
    said, told = await failing(callback(model), turn=Turn("你好", "zh"))
    assert [(s.text, s.language) for s in said] == [(phrases.FAILED["zh"], "zh")]
    assert (told["status"], told["error_code"]) == (status, "LLM.0001")
    assert "signature of" in told["reason"]
    assert model.requests[0].query["secret"] not in json.dumps(told)
    assert "\n" not in told["reason"]
    assert len(model.requests) == 1


async def test_an_error_that_never_ends_is_not_waited_for(model: Model) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        await response.write(b'{"error_code"')
        return await never(request)

    model.handler = handler
    async with asyncio.timeout(3):
        _, told = await failing(callback(model))
    assert told["status"] == 400
