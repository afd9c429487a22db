"""Other vendors' services: servers of the test's own that check and answer as the vendors publish it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
import structlog
from aiohttp import WSMsgType, web
from listening import listening

from visavis.api.signing import SignedRequest, parse, verify
from visavis.dialogue import phrases
from visavis.dialogue.model import Patience
from visavis.dialogue.types import Message, Sentence, Turn
from visavis.dialogue.vendors.factory import create
from visavis.dialogue.vendors.types import Account

NOW = 1_800_000_000.0
KEY, SECRET = "thekey7", "the-very-secret"
ASKED = Turn("几点开门？", "zh", (Message("user", "你好"), Message("assistant", "您好")), "visitor", "session-1")


async def said(account: Account, *turns: Turn, **options: Any) -> list[Sentence]:
    """What is answered; no secret is logged."""
    dialogue = create(account, clock=lambda: NOW, **options)
    with structlog.testing.capture_logs() as logs:
        found = [sentence for turn in turns or (ASKED,) async for sentence in dialogue.answer(turn)]
    await dialogue.aclose()
    assert SECRET not in json.dumps(logs)
    assert KEY not in json.dumps(logs)
    return found


def texts(sentences: list[Sentence]) -> list[str]:
    return [one.text for one in sentences]


# --- Spark ----------------------------------------------------------------------------------------------------------------


def frame(text: str, status: int, code: int = 0) -> dict[str, Any]:
    return {
        "header": {"code": code, "message": "Success", "sid": "cht1", "status": status},
        "payload": {
            "choices": {"status": status, "seq": status, "text": [{"content": text, "role": "assistant", "index": 0}]}
        },
    }


class SparkServer:
    """Accepts what is signed for now, and streams ``frames``; ``held``: keeps silent after them."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.frames: list[Any] = [frame("早上", 0), frame("九点。下午", 1), frame("五点关门。", 2)]
        self.held = False
        self.gone = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        given = {name: values[0] for name, values in parse_qs(request.query_string).items()}
        lines = f"host: {given['host']}\ndate: {given['date']}\nGET {request.path} HTTP/1.1"
        mac = base64.b64encode(hmac.new(SECRET.encode(), lines.encode(), hashlib.sha256).digest()).decode()
        told = f'api_key="{KEY}", algorithm="hmac-sha256", headers="host date request-line", signature="{mac}"'
        if base64.b64decode(given["authorization"]).decode() != told or given["host"] != request.host:
            return web.json_response({"message": "HMAC signature does not match"}, status=401)
        assert given["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        message = await socket.receive()
        assert message.type == WSMsgType.TEXT
        self.asked.append(json.loads(message.data))
        for one in self.frames:
            await socket.send_str(one if isinstance(one, str) else json.dumps(one))
        if self.held:
            await socket.receive()
        await socket.close()
        self.gone.set()
        return socket


@asynccontextmanager
async def spark(path: str = "/v3.5/chat") -> AsyncIterator[tuple[SparkServer, Account]]:
    server = SparkServer()
    async with listening(server.serve) as url:
        yield server, Account("spark", url.replace("http", "ws", 1) + path, "app1", KEY, SECRET)


async def test_spark_streams_what_it_is_asked_with_the_history() -> None:
    async with spark() as (server, account):
        answered = await said(account)
    assert texts(answered) == ["早上九点。", "下午五点关门。"]
    (asked,) = server.asked
    assert asked["header"]["app_id"] == "app1"
    assert asked["parameter"]["chat"]["domain"] == "generalv3.5"
    messages = asked["payload"]["message"]["text"]
    assert messages[0]["role"] == "system"
    assert messages[1:] == [
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": "您好"},
        {"role": "user", "content": "几点开门？"},
    ]


@pytest.mark.parametrize(("path", "domain"), [("/v4.0/chat", "4.0Ultra"), ("/v1.1/chat", "lite")])
async def test_the_model_belongs_to_the_address(path: str, domain: str) -> None:
    async with spark(path) as (server, account):
        await said(account)
    assert server.asked[0]["parameter"]["chat"]["domain"] == domain


@pytest.mark.parametrize(
    ("frames", "secret"),
    [
        ([frame("", 2, 10013)], SECRET),
        (["nonsense"], SECRET),
        ([json.dumps([1])], SECRET),
        ([], SECRET),
        ([], "another"),
    ],
)
async def test_spark_that_fails_is_apologised_for(frames: list[Any], secret: str) -> None:
    async with spark() as (server, account):
        server.frames = frames
        answered = await said(replace(account, secret=secret))
    assert [(one.text, one.purpose) for one in answered] == [(phrases.FAILED["zh"], "error")]


async def test_spark_that_breaks_off_says_so() -> None:
    async with spark() as (server, account):
        server.frames = [frame("早上九点。", 0)]
        answered = await said(account)
    assert texts(answered) == ["早上九点。", phrases.BROKEN["zh"]]


async def test_spark_that_falls_silent_is_not_waited_for_for_ever() -> None:
    async with spark() as (server, account):
        server.frames, server.held = [], True
        answered = await said(account, patience=Patience(first_token_s=0.2))
        assert texts(answered) == [phrases.FAILED["zh"]]
        await asyncio.wait_for(server.gone.wait(), 5)


async def test_an_answer_that_is_closed_closes_its_connection() -> None:
    async with spark() as (server, account):
        server.frames, server.held = [frame("早上九点。", 0)], True
        dialogue = create(account, clock=lambda: NOW)
        answer: Any = dialogue.answer(ASKED)
        assert (await anext(answer)).text == "早上九点。"
        await answer.aclose()
        await asyncio.wait_for(server.gone.wait(), 5)
        await dialogue.aclose()


# --- AIUI -----------------------------------------------------------------------------------------------------------------

Answers = Callable[[], tuple[int, Any]]


@asynccontextmanager
async def http(
    kind: Any, check: Callable[[web.Request, bytes], Awaitable[None]], *answers: tuple[int, Any], **more: Any
) -> AsyncIterator[Account]:
    left = list(answers)

    async def serve(request: web.Request) -> web.StreamResponse:
        await check(request, await request.read())
        status, body = left.pop(0) if len(left) > 1 else left[0]
        return web.json_response(body, status=status)

    async with listening(serve) as url:
        yield Account(kind, url, "app1", KEY, SECRET, **more)


def aiui_answer(*intents: dict[str, Any]) -> dict[str, Any]:
    data = [{"sub": "nlp", "auth_id": "a", "intent": intent, "result_id": 1} for intent in intents]
    return {"code": "0", "desc": "success", "sid": "s", "data": [{"sub": "iat", "text": {}}, *data]}


@pytest.mark.parametrize(("production", "scene"), [(True, "main"), (False, "main_box")])
async def test_aiui_is_asked_as_published(production: bool, scene: str) -> None:
    asked: list[dict[str, Any]] = []

    async def check(request: web.Request, body: bytes) -> None:
        given = request.headers
        told = f"{KEY}{given['X-CurTime']}{given['X-Param']}"
        assert given["X-CheckSum"] == hashlib.md5(told.encode()).hexdigest()
        assert (given["X-Appid"], given["X-CurTime"]) == ("app1", "1800000000")
        asked.append({"body": body.decode(), **json.loads(base64.b64decode(given["X-Param"]))})

    reply = aiui_answer({}, {"rc": 0, "answer": {"text": "早上九点开门。", "type": "T"}})
    async with http("aiui", check, (200, reply), production=production) as account:
        answered = await said(account)
    assert texts(answered) == ["早上九点开门。"]
    (one,) = asked
    assert (one["body"], one["scene"], one["data_type"]) == ("几点开门？", scene, "text")
    assert len(one["auth_id"]) == 32


async def anything(request: web.Request, body: bytes) -> None:
    """Takes all."""


@pytest.mark.parametrize(
    ("status", "body", "purpose"),
    [
        (200, aiui_answer({"rc": 4}), "unknown"),
        (200, {"code": "10105", "desc": f"illegal access|{KEY[:3]}", "data": None}, "error"),
        (500, {"code": "1", "desc": "broken"}, "error"),
        (200, ["nothing"], "error"),
    ],
)
async def test_aiui_without_an_answer(status: int, body: Any, purpose: str) -> None:
    async with http("aiui", anything, (status, body)) as account:
        (one,) = await said(account)
    wanted = phrases.UNKNOWN if purpose == "unknown" else phrases.FAILED
    assert (one.text, one.purpose) == (wanted["zh"], purpose)


@pytest.mark.parametrize("kind", ["aiui", "cbs", "mobvoi"])
async def test_what_remembers_is_not_asked_speculatively(kind: Any) -> None:
    asked: list[bytes] = []

    async def check(request: web.Request, body: bytes) -> None:
        asked.append(body)

    async with http(kind, check, (200, {}), project_id="p") as account:
        assert await said(account, replace(ASKED, speculative=True)) == []
    assert asked == []


# --- CBS ------------------------------------------------------------------------------------------------------------------


async def test_cbs_is_asked_as_published_and_goes_on_with_its_session() -> None:
    asked: list[dict[str, Any]] = []

    async def check(request: web.Request, body: bytes) -> None:
        assert request.path == "/v1/project-7/qabots/app1/chat"
        signed = parse(request.headers["Authorization"])
        headers = [(name.lower(), value) for name, value in request.headers.items()]
        verify(SignedRequest("POST", request.path, "", headers, body), signed, SECRET, NOW)
        assert signed.ak == KEY
        asked.append(json.loads(body))

    stored = {
        "reply_type": 0,
        "qabot_answers": {
            "answers": [{"qa_pair_id": "1", "st_question": "开门", "answer": "早上九点。", "score": 0.98}]
        },
        "session_id": "c04e6f7b",
    }
    chatted = {"reply_type": 2, "chat_answers": {"answer": "不客气。", "score": 1.0}, "session_id": "c04e6f7b"}
    async with http("cbs", check, (200, stored), (200, chatted), project_id="project-7") as account:
        answered = await said(account, ASKED, replace(ASKED, text="谢谢"))
    assert texts(answered) == ["早上九点。", "不客气。"]
    assert [one["question"] for one in asked] == ["几点开门？", "谢谢"]
    assert [one.get("session_id") for one in asked] == [None, "c04e6f7b"]
    assert asked[0]["user_id"] == "visitor"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"reply_type": 1, "taskbot_answers": {"answer": "请问去哪里？"}}, "请问去哪里？"),
        ({"reply_type": 3, "kbqa_answers": {"answer": "一百米。"}}, "一百米。"),
        ({"reply_type": 4, "docqa_answers": {"answer": "见第三页。"}}, "见第三页。"),
        ({"reply_type": 5, "tableqa_answers": {"answer": "二十元。"}}, "二十元。"),
        (
            {"reply_type": 0, "qabot_answers": {"recommend_answers": [{"st_question": "几点开门"}]}},
            "您是想问：几点开门？",
        ),
        ({"reply_type": 0, "qabot_answers": {"answers": []}}, phrases.UNKNOWN["zh"]),
        ({"error_code": "CBS.0001", "error_msg": "denied"}, phrases.FAILED["zh"]),
    ],
)
async def test_each_kind_of_cbs_answer(body: dict[str, Any], wanted: str) -> None:
    async with http("cbs", anything, (200, body), project_id="p") as account:
        assert texts(await said(account)) == [wanted]


# --- Mobvoi ---------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def mobvoi(asked: list[dict[str, Any]], *events: str, status: int = 200) -> AsyncIterator[Account]:
    """Accepts what is signed for now, and streams these events."""

    async def serve(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        raw = f"{KEY}+{SECRET}+1800000000"
        if (body["appkey"], body["signature"]) != (KEY, hashlib.md5(raw.encode()).hexdigest()):
            return web.json_response({"code": 401, "msg": "signature"}, status=401)
        asked.append(body)
        response = web.StreamResponse(status=status, headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(f"data: {event}\n\n".encode())
        return response

    async with listening(serve) as url:
        yield Account("mobvoi", f"{url}/api/chat/v1/qaMobvoiStream", "role-1", KEY, SECRET)


def piece(text: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})


async def test_mobvoi_is_asked_as_published_and_remembers_its_session() -> None:
    asked: list[dict[str, Any]] = []
    async with mobvoi(asked, piece("早上九点"), piece("开门。下午五点关门。"), "[DONE]") as account:
        assert texts(await said(account)) == ["早上九点开门。", "下午五点关门。"]
        await said(account, replace(ASKED, text="周日呢？"), replace(ASKED, session_id="another"))
    assert [one["question"] for one in asked] == ["几点开门？", "周日呢？", "几点开门？"]
    assert {(one["roleId"], one["timestamp"]) for one in asked} == {("role-1", "1800000000")}
    assert [len({one["sessionId"] for one in some}) for some in (asked[:2], asked)] == [1, 2]


@pytest.mark.parametrize(
    ("events", "status", "wanted"),
    [
        (["[DONE]"], 200, [phrases.UNKNOWN["zh"]]),
        (["not JSON"], 200, [phrases.FAILED["zh"]]),
        ([json.dumps({"code": 500, "msg": f"no {SECRET}"})], 200, [phrases.FAILED["zh"]]),
        ([piece("九点开门。但是"), json.dumps({"error": "gone"})], 200, ["九点开门。", phrases.BROKEN["zh"]]),
        ([], 503, [phrases.FAILED["zh"]]),
    ],
)
async def test_mobvoi_that_fails_is_apologised_for(events: list[str], status: int, wanted: list[str]) -> None:
    async with mobvoi([], *events, status=status) as account:
        assert texts(await said(account)) == wanted
        assert texts(await said(replace(account, secret="wrong"))) == [phrases.FAILED["zh"]]
