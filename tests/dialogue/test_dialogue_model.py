from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
import structlog
from aiohttp import web

from visavis.dialogue.model import Endpoint, ModelDialogue, signed_query
from visavis.dialogue.phrases import SentenceStream
from visavis.dialogue.types import Message, Sentence, Turn
from visavis.urlpolicy import UrlPolicy

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOCAL = UrlPolicy(["127.0.0.1"])
KEY = "sk-very-secret"


class Model:
    """A model's HTTP server: records what it was asked, answers by ``handler``."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.bodies: list[dict[str, Any]] = []
        self.requests: list[web.Request] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.json())
        assert self.handler is not None
        return await self.handler(request)


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    server = Model()
    app = web.Application()
    app.router.add_post("/{path:.*}", server.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


def delta(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def streaming(*pieces: bytes) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        return response

    return handler


def plain(body: Any, status: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return handler


async def say(endpoint: Endpoint, turn: Turn, policy: UrlPolicy = LOCAL, **options: Any) -> list[Sentence]:
    dialogue = ModelDialogue(endpoint, policy, **options)
    try:
        return [sentence async for sentence in dialogue.answer(turn)]
    finally:
        await dialogue.aclose()


async def failing(endpoint: Endpoint, policy: UrlPolicy = LOCAL, **options: Any) -> tuple[list[Sentence], str]:
    """What is said, and the one logged reason; no secret in it."""
    with structlog.testing.capture_logs() as logs:
        said = await say(endpoint, Turn("Hi", "en"), policy, **options)
    reasons = [entry["reason"] for entry in logs if entry["log_level"] == "error"]
    assert len(reasons) == 1
    assert KEY not in json.dumps(logs)
    assert said[-1].purpose == "error"
    assert sum(sentence.purpose == "error" for sentence in said) == 1
    return said, reasons[0]


async def test_the_first_sentence_leaves_while_the_model_still_writes(model: Model) -> None:
    more = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in ("Good ", "day", ". ", "I am "):
            await response.write(delta(word))
        await more.wait()
        await response.write(delta("Mira.") + b"data: [DONE]\n\n")
        return response

    model.handler = handler
    dialogue = ModelDialogue(Endpoint(model.url, model="m1", api_key=KEY), LOCAL)
    answer = dialogue.answer(Turn("Who are you?", "en"))
    assert await asyncio.wait_for(anext(answer), 5) == Sentence("Good day.", "en", "answer")
    more.set()
    assert [s.text async for s in answer] == ["I am Mira."]
    await dialogue.aclose()
    assert model.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert model.requests[0].path == "/v1/chat/completions"
    assert (model.bodies[0]["model"], model.bodies[0]["stream"]) == ("m1", True)


async def test_closing_the_answer_closes_the_connection(model: Model) -> None:
    closed = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(delta("First one! ") + delta("Second"))
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()
        return response

    model.handler = handler
    dialogue = ModelDialogue(Endpoint(model.url), LOCAL)
    async with aclosing(dialogue.answer(Turn("Hi", "en"))) as answer:
        assert (await anext(answer)).text == "First one!"
        assert not closed.is_set()
    await asyncio.wait_for(closed.wait(), 5)
    model.handler = streaming(delta("Again."), b"data: [DONE]\n\n")  # and the session goes on
    assert [s.text async for s in dialogue.answer(Turn("Hi", "en"))] == ["Again."]
    await dialogue.aclose()


async def test_cancelling_the_task_closes_the_connection(model: Model) -> None:
    reached, closed = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()
        raise AssertionError

    model.handler = handler
    task = asyncio.create_task(say(Endpoint(model.url), Turn("Hi", "en")))
    await asyncio.wait_for(reached.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(closed.wait(), 5)


async def test_history_is_as_deep_as_chat_rounds(model: Model) -> None:
    model.handler = plain({"choices": [{"message": {"content": "Fine."}}]})
    history = [Message(role, f"{role} {k}") for k in range(4) for role in ("user", "assistant")]
    endpoint = Endpoint(f"{model.url}/chat/completions", chat_rounds=2, stream=False, system_prompt="Be a pirate.")
    said = await say(endpoint, Turn("And now?", "en", history))
    assert [s.text for s in said] == ["Fine."]
    assert model.requests[0].path == "/v1/chat/completions"
    assert [(m["role"], m["content"]) for m in model.bodies[0]["messages"]] == [
        ("system", "Be a pirate."),
        ("user", "user 2"),
        ("assistant", "assistant 2"),
        ("user", "user 3"),
        ("assistant", "assistant 3"),
        ("user", "And now?"),
    ]
    await say(replace(endpoint, chat_rounds=0), Turn("Alone", "en", history))
    assert [m["role"] for m in model.bodies[1]["messages"]] == ["system", "user"]


async def test_thoughts_and_markup_are_not_spoken(model: Model) -> None:
    pieces = ["<th", "ink>secret. plan", "s</thi", "nk>\n\n**Hello** `you`. ", "- One.\n", "***\n", "Bye."]
    model.handler = streaming(*map(delta, pieces), b"data: [DONE]\n\n")
    assert [s.text for s in await say(Endpoint(model.url), Turn("Hi", "en"))] == ["Hello you.", "One.", "Bye."]


async def test_each_sentence_tells_its_own_language(model: Model) -> None:
    model.handler = streaming(delta("你好！"), delta("My name is Mira. "), delta("再见。"), b"data: [DONE]\n\n")
    said = await say(Endpoint(model.url), Turn("Hi", "zh"))
    assert [(s.text, s.language) for s in said] == [("你好！", "zh"), ("My name is Mira.", "en"), ("再见。", "zh")]


def test_signature_equals_the_published_vector() -> None:
    assert signed_query("huawei_metaStudio", "https://metastudio-llm/digital-human/chat", 1744612873350) == {
        "secret": "a02fc32111795dc6f760e6bd15bb0cbc9a35921dc5dc86e57eea56ae644d793e",
        "time_stamp": "1963307d486",
    }


@pytest.mark.parametrize("stream", [True, False])
async def test_the_third_party_callback(model: Model, stream: bool) -> None:
    events = [{"id": "1", "choices": [{"index": 0, "message": {"content": text}}]} for text in ("你好。", "再见。")]
    if stream:
        model.handler = streaming(*(b"data:" + json.dumps(e).encode() + b"\n\n" for e in events), b"data:[DONE]\n\n")
    else:
        model.handler = plain(
            {"id": "1", "created": 1, "choices": [{"index": 0, "message": {"content": "你好。再见。"}}]}
        )
    endpoint = Endpoint(model.url, "metastudio", api_key=KEY, app_id="app", stream=stream)
    turn = Turn("在吗", "zh", [Message("user", "a"), Message("assistant", "b")], "u1", "s1")
    said = await say(endpoint, turn, clock=lambda: 1744612873.350)
    assert [s.text for s in said] == ["你好。", "再见。"]
    assert dict(model.requests[0].query) == signed_query(KEY, model.url, 1744612873350)
    assert model.requests[0].path == "/v1"
    assert model.bodies[0] == {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "在吗"},
        ],
        "app_id": "app",
        "user": "u1",
        "session_id": "s1",
        "is_stream": stream,
        "extend_param": "",
    }


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (plain({"error_code": "X.1", "error_msg": "no"}, 400), "HTTP 400.*X.1"),
        (plain({"error": {"message": "quota"}}), "reports.*quota"),
        (plain({"choices": []}), "empty"),
        (plain({"hello": 1}), "no choices"),
        (plain(["x"]), "not a JSON object"),
        (streaming(b"data: {nonsense\n\n"), "not JSON"),
        (streaming(b"data: [DONE]\n\n"), "empty"),
        (streaming(b"data: " + b"x" * (1 << 21)), "too long"),
    ],
)
async def test_a_failure_is_one_spoken_apology_and_a_logged_reason(model: Model, handler: Handler, reason: str) -> None:
    model.handler = handler
    said, logged = await failing(Endpoint(model.url, api_key=KEY))
    assert len(said) == 1
    assert "sorry" in said[0].text
    assert re.search(reason, logged), logged


async def test_a_stream_that_breaks_keeps_what_was_said(model: Model) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(delta("All good! "))
        assert request.transport is not None
        request.transport.abort()
        return response

    model.handler = handler
    said, _ = await failing(Endpoint(model.url))
    assert [s.purpose for s in said] == ["answer", "error"]


async def test_a_silent_model_times_out(model: Model) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    model.handler = handler
    said, reason = await failing(Endpoint(model.url), silence_s=0.2)
    assert len(said) == 1
    assert "Timeout" in reason


async def test_nobody_there_and_internal_addresses(model: Model, unused_tcp_port_factory: Callable[[], int]) -> None:
    await failing(Endpoint(f"http://127.0.0.1:{unused_tcp_port_factory()}/v1"))
    _, reason = await failing(Endpoint(model.url), UrlPolicy())
    assert "internal address" in reason
    assert model.requests == []
    await failing(Endpoint("ftp://x/"))


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_sentence_stream_loses_nothing_and_cuts_well(size: int) -> None:
    text = 'Dr. Smith paid 3.5 dollars. Really? Yes! He said "Go on. Now." and left. It costs'
    stream, out = SentenceStream("en"), []
    for at in range(0, len(text), size):
        out += stream.push(text[at : at + size])
    out += stream.finish()
    assert "".join(out).replace(" ", "") == text.replace(" ", "")
    assert out[0] == "Dr. Smith paid 3.5 dollars."
    assert "Really?" in out
    assert out[-1] == "It costs"


def test_sentence_stream_chinese_and_endless_text() -> None:
    stream = SentenceStream("zh")
    assert stream.push("你好") == []
    assert stream.push("。我是") == ["你好。"]
    assert stream.push("米拉！") == ["我是米拉！"]
    long = SentenceStream("en", longest=50)
    parts = long.push("word " * 30) + long.finish()
    assert len(parts) > 1
    assert " ".join(parts).split() == ["word"] * 30
