"""What every language model's reply becomes: sentences as they arrive, or one apology."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace

import pytest
from aiohttp import web
from model_server import KEY, LOCAL, Handler, Model, delta, failing, model_server, never, plain, say, stream, streaming

from visavis.dialogue.endpoint import Endpoint
from visavis.dialogue.model import ModelDialogue, Patience
from visavis.dialogue.phrases import SentenceStream
from visavis.dialogue.types import Message, Sentence, Turn
from visavis.urlpolicy import UrlPolicy


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with model_server() as server:
        yield server


async def test_the_first_sentence_leaves_while_the_model_still_writes(model: Model) -> None:
    more = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
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
        response = await stream(request, delta("First one! ") + delta("Second"))
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
        ("user", "user 3"),
        ("assistant", "assistant 3"),
        ("user", "And now?"),
    ]
    for number in (1, 0):  # the question is a round itself
        await say(replace(endpoint, chat_rounds=number), Turn("Alone", "en", history))
        assert [m["role"] for m in model.bodies[-1]["messages"]] == ["system", "user"]


async def test_thoughts_and_markup_are_not_spoken(model: Model) -> None:
    pieces = ["<th", "ink>secret. plan", "s</thi", "nk>\n\n**Hello** `you`. ", "- One.\n", "***\n", "Bye."]
    model.handler = streaming(*map(delta, pieces), b"data: [DONE]\n\n")
    assert [s.text for s in await say(Endpoint(model.url), Turn("Hi", "en"))] == ["Hello you.", "One.", "Bye."]


async def test_each_sentence_tells_its_own_language(model: Model) -> None:
    model.handler = streaming(delta("你好！"), delta("My name is Mira. "), delta("再见。"), b"data: [DONE]\n\n")
    said = await say(Endpoint(model.url), Turn("Hi", "zh"))
    assert [(s.text, s.language) for s in said] == [("你好！", "zh"), ("My name is Mira.", "en"), ("再见。", "zh")]


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
    assert re.search(reason, logged["reason"]), logged


async def test_a_silent_model_times_out(model: Model) -> None:
    model.handler = never
    said, told = await failing(Endpoint(model.url), patience=Patience(first_token_s=0.2))
    assert len(said) == 1
    assert "no answer within 0.2 s" in told["reason"]


async def test_nobody_there_and_internal_addresses(model: Model, unused_tcp_port_factory: Callable[[], int]) -> None:
    await failing(Endpoint(f"http://127.0.0.1:{unused_tcp_port_factory()}/v1"))
    _, told = await failing(Endpoint(model.url), UrlPolicy())
    assert "internal address" in told["reason"]
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
