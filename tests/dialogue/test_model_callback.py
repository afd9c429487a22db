"""The third-party language-model callback: request, both answer forms, time-outs, retries, the spoken apology."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from model_server import (
    ASKED,
    DONE,
    KEY,
    LOCAL,
    Handler,
    Model,
    breaking,
    callback,
    event,
    failing,
    model_server,
    never,
    plain,
    say,
    spoken,
    stream,
    streaming,
    whole,
)

from visavis.cli.certificate import self_signed
from visavis.dialogue import phrases
from visavis.dialogue.endpoint import Endpoint, signed_query
from visavis.dialogue.model import ModelDialogue, Patience
from visavis.dialogue.types import Message, Turn
from visavis.speech.types import Language

FINE = streaming(event("Fine."), DONE)


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with model_server() as server:
        yield server


# --- the request ------------------------------------------------------------------------------------------


def test_signature_equals_the_published_vector() -> None:
    assert signed_query("huawei_metaStudio", "https://metastudio-llm/digital-human/chat", 1744612873350) == {
        "secret": "a02fc32111795dc6f760e6bd15bb0cbc9a35921dc5dc86e57eea56ae644d793e",
        "time_stamp": "1963307d486",
    }


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_request_and_both_forms_of_the_answer(model: Model, streamed: bool) -> None:
    model.handler = streaming(event("你好。"), event("再见。"), DONE) if streamed else plain(whole("你好。再见。"))
    turn = Turn("在吗", "zh", [Message("user", "a"), Message("assistant", "b")], "u1", "s1")
    extend = '{"city":"北京","extra_json_param":{"seat":7}}'
    endpoint = callback(model, app_id="app", stream=streamed, chat_rounds=2, extend_param=extend)
    said = await say(endpoint, turn, clock=lambda: 1744612873.350)
    assert [(s.text, s.language) for s in said] == [("你好。", "zh"), ("再见。", "zh")]
    (request,) = model.requests
    assert dict(request.query) == signed_query(KEY, model.url, 1744612873350)
    assert (request.method, request.path, request.content_type) == ("POST", "/v1", "application/json")
    assert "Authorization" not in request.headers
    assert model.bodies == [
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "在吗"},
            ],
            "app_id": "app",
            "user": "u1",
            "session_id": "s1",
            "is_stream": streamed,
            "extend_param": extend,
        }
    ]
    await say(callback(model, user="a-person"), turn)
    assert model.bodies[-1]["user"] == "a-person"


async def test_an_address_with_a_query_keeps_it_and_is_signed_with_it(model: Model) -> None:
    model.handler = FINE
    url = f"{model.url}?shop=a%20b&x=1"
    assert [s.text for s in await say(Endpoint(url, "metastudio", api_key=KEY), ASKED, clock=lambda: 1.5)] == ["Fine."]
    assert model.requests[0].raw_path.startswith("/v1?shop=a%20b&x=1&secret=")
    assert dict(model.requests[0].query) == {"shop": "a b", "x": "1", **signed_query(KEY, url, 1500)}


# --- retries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_model_is_asked_again_with_a_new_signature(model: Model, status: int) -> None:
    ticks = iter(range(1000, 2000))
    busy = plain({"error_code": "B", "error_msg": "busy"}, status)
    said, retries = await spoken(model, busy, busy, FINE, clock=lambda: next(ticks))
    assert said == ["Fine."]
    assert [one["status"] for one in retries] == [status, status]
    assert len({request.query["time_stamp"] for request in model.requests}) == 3
    for request in model.requests:
        moment = int(request.query["time_stamp"], 16)
        assert dict(request.query) == signed_query(KEY, model.url, moment)
    assert model.bodies[0] == model.bodies[2]


async def test_the_pauses_grow_and_are_not_the_same_for_all(model: Model) -> None:
    """A model that comes back is not asked by everybody in the same moment."""
    model.handler = plain({}, 503)
    with structlog.testing.capture_logs() as logs:
        await asyncio.gather(*(say(callback(model), ASKED) for _ in range(10)))
    first, second = ([one["pause"] for one in logs if one.get("tried") == number] for number in (1, 2))
    assert (len(first), len(second)) == (10, 10)
    assert len(set(first)) > 1
    assert sum(second) > 1.3 * sum(first)


async def test_a_broken_connection_is_made_anew(model: Model) -> None:
    said, retries = await spoken(model, breaking(), breaking(), FINE)
    assert (said, len(retries)) == (["Fine."], 2)


async def test_tries_are_counted(model: Model) -> None:
    busy = plain({}, 503)
    model.handler = busy
    for number in (0, 1, 3):
        model.requests.clear()
        await failing(callback(model), patience=Patience(retries=number))
        assert len(model.requests) == 1 + number


async def test_a_connection_that_grew_old_costs_no_answer(model: Model) -> None:
    """The model's server closed it while nobody asked."""
    model.handler = FINE
    dialogue = ModelDialogue(callback(model), LOCAL)
    assert [s.text async for s in dialogue.answer(ASKED)] == ["Fine."]
    transport = model.requests[0].transport
    if transport is not None:
        transport.close()
    assert [s.text async for s in dialogue.answer(ASKED)] == ["Fine."]
    await dialogue.aclose()


@pytest.mark.parametrize("handler", [FINE, plain(whole("Fine."))], ids=["streamed", "in one piece"])
async def test_questions_share_a_connection(model: Model, handler: Handler) -> None:
    model.handler = handler
    dialogue = ModelDialogue(callback(model), LOCAL)
    for _ in range(6):
        assert [s.text async for s in dialogue.answer(ASKED)] == ["Fine."]
    await dialogue.aclose()
    assert len(set(model.peers)) < 6  # one, unless the end of a response was late


async def test_as_long_as_it_asks_for_is_waited_but_not_longer_than_a_person_would(model: Model) -> None:
    began = time.monotonic()
    said, retries = await spoken(model, plain({}, 429, Retry_After="1"), FINE)
    assert said == ["Fine."]
    assert 1 <= time.monotonic() - began < 2
    assert [one["pause"] for one in retries] == [1]
    began = time.monotonic()
    for later in ("3", "86400", formatdate(time.time() + 60, usegmt=True)):
        model.handler = plain({}, 429, Retry_After=later)
        await failing(callback(model))
    assert time.monotonic() - began < 1
    assert len(model.requests) == 5
    said, _ = await spoken(model, plain({}, 503, Retry_After="soon"), FINE)
    assert said == ["Fine."]


async def test_what_was_begun_is_never_begun_again(model: Model) -> None:
    model.handler = breaking(event("All"))
    said, _ = await failing(callback(model))
    assert [s.text for s in said] == [phrases.FAILED["en"]]
    assert len(model.requests) == 1


async def test_leaving_while_it_waits_to_try_again_asks_nobody(model: Model) -> None:
    asked = asyncio.Event()

    async def busy(request: web.Request) -> web.StreamResponse:
        asked.set()
        return web.Response(status=429, headers={"Retry-After": "2"})

    model.handler = busy
    task = asyncio.create_task(say(callback(model), ASKED))
    await asyncio.wait_for(asked.wait(), 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(model.requests) == 1


# --- time-outs and the apology ----------------------------------------------------------------------------


@asynccontextmanager
async def listening(reply: bytes | None = None) -> AsyncIterator[str]:
    """The address of a server that takes connections and answers ``reply`` and closes; None: that never says a word."""
    held: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        if reply is not None:
            await reader.readuntil(b"}]")
            writer.write(reply)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in held:
            writer.close()
        server.close()


async def test_it_apologises_within_three_seconds_in_the_language_of_the_question(
    model: Model, unused_tcp_port_factory: Callable[[], int]
) -> None:
    model.handler = plain({}, 429, Retry_After="2")
    async with listening() as mute:
        cases: list[tuple[Endpoint, Language]] = [
            (Endpoint(f"http://127.0.0.1:{unused_tcp_port_factory()}/chat", "metastudio", api_key=KEY), "en"),
            (Endpoint(f"https://{mute}/chat", "metastudio", api_key=KEY), "zh"),  # is not reached
            (callback(model), "zh"),  # asks for patience, again and again
        ]
        for endpoint, language in cases:
            began = time.monotonic()
            said, _ = await failing(endpoint, turn=Turn("?", language), patience=Patience(retries=5))
            assert time.monotonic() - began < 3, endpoint.url
            assert [(s.text, s.language) for s in said] == [(phrases.FAILED[language], language)]


async def test_nobody_at_the_port_is_asked_again(unused_tcp_port_factory: Callable[[], int]) -> None:
    with structlog.testing.capture_logs() as logs:
        await say(Endpoint(f"http://127.0.0.1:{unused_tcp_port_factory()}/", "metastudio"), ASKED)
    assert [one["log_level"] for one in logs] == ["warning", "warning", "error"]


async def test_a_certificate_that_is_refused_is_not_asked_again(tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*self_signed(tmp_path, ["127.0.0.1"]))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with structlog.testing.capture_logs() as logs:
            await say(Endpoint(f"https://127.0.0.1:{port}/chat", "metastudio"), ASKED)
    assert ["CERTIFICATE_VERIFY_FAILED" in one["reason"] for one in logs] == [True]


async def test_comments_that_keep_a_connection_open_are_no_answer(model: Model) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        while True:
            await response.write(b": patience\n\n")
            await asyncio.sleep(0.02)

    model.handler = handler
    _, told = await failing(callback(model), patience=Patience(first_token_s=0.3))
    assert "first word" in told["reason"]


async def test_a_reply_that_stops_in_mid_sentence_is_finished_as_far_as_it_was_whole(model: Model) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await stream(request, event("You may go in. Take the red"))
        return await never(request)

    model.handler = handler
    said, told = await failing(callback(model), patience=Patience(next_token_s=0.3))
    assert [s.text for s in said] == ["You may go in.", phrases.BROKEN["en"]]
    assert "silent for 0.3 s" in told["reason"]


@pytest.mark.parametrize(
    "handler",
    [
        breaking(event("可以进去。请不要"), event("按红")),
        streaming(event("可以进去。请不要按红"), b'data: {"error_code":"X","error_msg":"no more"}\n\n'),
    ],
)
async def test_a_reply_that_breaks_in_mid_sentence(model: Model, handler: Handler) -> None:
    model.handler = handler
    said, _ = await failing(callback(model), turn=Turn("能进去吗", "zh"))
    assert [s.text for s in said] == ["可以进去。", phrases.BROKEN["zh"]]
    assert len(model.requests) == 1


async def test_a_stream_whose_end_nothing_tells_ends_with_done() -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    async with listening(head + event("All is well. Only") + event(" this")) as broken:
        said, told = await failing(Endpoint(f"http://{broken}/", "metastudio"))
    assert [s.text for s in said] == ["All is well.", phrases.BROKEN["en"]]
    assert "without [DONE]" in told["reason"]
    async with listening(head + event("All is well.") + DONE) as whole_one:
        assert [s.text for s in await say(Endpoint(f"http://{whole_one}/", "metastudio"), ASKED)] == ["All is well."]


async def test_a_slow_but_steady_model_is_waited_for(model: Model) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        response = await stream(request)
        for word in ("Slow ", "but ", "steady."):
            await asyncio.sleep(0.2)
            await response.write(event(word))
        await response.write(DONE)
        return response

    said, _ = await spoken(model, handler, patience=Patience(first_token_s=1.0, next_token_s=0.5))
    assert said == ["Slow but steady."]


async def test_an_endless_reply_is_cut_off_without_an_apology(model: Model) -> None:
    said, _ = await spoken(model, plain(whole("Again and again. " * 2000)))
    assert 8000 < sum(map(len, said)) < 8050
    assert set(said) == {"Again and again."}
