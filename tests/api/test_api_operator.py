"""What the operator sees: health, metrics, logs, limits, and errors without details."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import structlog
from control_fakes import FakeDispatcher
from control_server import Server, sign_request

from visavis.api.throttle import Throttle, source
from visavis.contract.errors import ApiError
from visavis.dispatch.types import WorkerInfo
from visavis.session.signals import TurnEvent

MakeServer = Callable[..., Awaitable[Server]]


async def test_health(server: Server) -> None:
    assert (await server.http.get("/healthz")).json() == {"status": "ok"}
    ready = await server.http.get("/readyz")
    assert (ready.status_code, ready.json()["ready_workers"]) == (200, 1)


class LoadingDispatcher(FakeDispatcher):
    def workers(self) -> list[WorkerInfo]:
        return [WorkerInfo("w", 1, "starting", 0, 2)]


async def test_not_ready_without_a_ready_worker(make_server: MakeServer) -> None:
    server = await make_server(LoadingDispatcher())
    assert (await server.http.get("/readyz")).status_code == 503
    assert (await server.http.get("/healthz")).status_code == 200


class DeafDispatcher(FakeDispatcher):
    async def events(self) -> AsyncIterator[Any]:
        raise RuntimeError("the stream broke")
        yield


async def test_not_ready_when_the_workers_are_not_heard(make_server: MakeServer) -> None:
    server = await make_server(DeafDispatcher())
    await asyncio.wait([server.app.state.events])
    assert (await server.http.get("/readyz")).status_code == 503


async def test_not_ready_without_the_database(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(self: Any) -> None:
        raise OSError

    monkeypatch.setattr("visavis.store.database.Database.ping", gone)
    answer = await server.http.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, False)


async def test_metrics(server: Server) -> None:
    room_id = await server.room()
    job_id = (await server.start(room_id))["job_id"]
    await server.until(room_id, job_id, lambda job: job["state"] == "PROCESSING")
    dispatcher = server.dispatcher
    dispatcher.heartbeat(job_id, frames=100, late_frames=1, fps=24.9, viewers=2)
    dispatcher.heartbeat(job_id, frames=150, late_frames=1, fps=25.0, viewers=1)
    stages = {"endpoint": 0.5, "recognise": 0.9, "play": 1.4}
    turn = TurnEvent(job_id=job_id, chat_id="c", heard="h", answered="a", language="zh", stages=stages)
    dispatcher.tell(turn)
    dispatcher.link(job_id)
    await server.until(room_id, job_id, lambda job: job["chat_state"] == 2)
    await server.http.get("/v1/p1/smart-chat-rooms")
    text = (await server.http.get("/metrics")).text
    for line in (
        "visavis_sessions 1.0",
        'visavis_workers{state="ready"} 1.0',
        "visavis_worker_capacity 100.0",
        'visavis_worker_rss_bytes{worker="fake"} 1000.0',
        'visavis_ahead_sentences{worker="fake"} 5.0',
        'visavis_ahead_sentences_made{worker="fake"} 3.0',
        "visavis_frames_total 150.0",
        "visavis_late_frames_total 1.0",
        f'visavis_session_fps{{job_id="{job_id}"}} 25.0',
        f'visavis_session_viewers{{job_id="{job_id}"}} 1.0',
        'visavis_turns_total{interrupted="false",language="zh"} 1.0',
        'visavis_turn_seconds_bucket{le="1.5",stage="play"} 1.0',
        'visavis_turn_seconds_bucket{le="1.0",stage="play"} 0.0',
        'visavis_auth_failures_total{kind="none"} 1.0',
        'route="/v1/{project_id}/smart-chat-rooms",status="401"} 1.0',
        "visavis_jobs_started_total 1.0",
    ):
        assert line in text, line
    await server.call("POST", f"/digital-human-chat/smart-chat-rooms/{room_id}/smart-chat-jobs/{job_id}/stop")
    text = (await server.http.get("/metrics")).text
    assert "visavis_sessions 0.0" in text
    assert 'visavis_jobs_finished_total{state="SUCCEED"} 1.0' in text
    assert f'visavis_session_fps{{job_id="{job_id}"}}' not in text


async def test_metrics_are_for_this_machine(server: Server) -> None:
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"):
        proxied = await server.http.get("/metrics", headers={name: "8.8.8.8"})
        assert proxied.status_code == 403, name
    transport = httpx.ASGITransport(server.app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as far:
        assert (await far.get("/metrics")).json()["error_code"] == "MSS.47010063"


async def test_metrics_with_a_token(make_server: MakeServer) -> None:
    server = await make_server(metrics_token="hush")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "hush"}):
        assert (await server.http.get("/metrics", headers=headers)).status_code == 401
    assert (await server.http.get("/metrics", headers={"Authorization": "Bearer hush"})).status_code == 200


async def test_odd_methods_make_no_labels(server: Server) -> None:
    for method in ("BREW", "FROB"):
        answer = await server.http.request(method, "/healthz")
        assert (answer.status_code, answer.json()["error_code"]) == (405, "MSS.00010004")
    text = (await server.http.get("/metrics")).text
    assert "BREW" not in text
    assert 'method="other"' in text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "MSS.00010003"),
        ("GET", "/v1/p1/smart-chat-rooms/", 404, "MSS.00010003"),
        ("PATCH", "/healthz", 405, "MSS.00010004"),
        ("GET", "/docs", 404, "MSS.00010003"),
    ],
)
async def test_unknown_routes(server: Server, method: str, path: str, status: int, code: str) -> None:
    answer = await server.http.request(method, path, headers={"X-Request-Id": "mine"})
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "MSS.00000002"),
        (b"", "application/json", 400, "MSS.00000003"),
        (b"\xff\xfe", "application/json", 400, "MSS.00000002"),
        (b'{"room_name": "\\ud800"}', "application/json", 400, "MSS.00000002"),
        (b"[]", "application/json", 400, "MSS.00000003"),
        (b'{"room_name": "a\\u0000"}', "application/json", 400, "MSS.00000003"),
        (b'{"room_name": "a"}', "text/plain", 415, "MSS.00000002"),
        (b"[" * 100_000, "application/json", 400, "MSS.00000002"),
        (b'{"room_name": "' + b"a" * 1_048_576 + b'"}', "application/json", 413, "MSS.00000002"),
    ],
    ids=["half", "empty", "not UTF-8", "surrogate", "list", "NUL", "media type", "deep", "large"],
)
async def test_bad_bodies(server: Server, content: bytes, media_type: str, status: int, code: str) -> None:
    request = server.http.build_request(
        "POST", "/v1/p1/smart-chat-rooms", content=content, headers={"Content-Type": media_type}
    )
    sign_request(request, server.keys["p1"], server.clock())
    answer = await server.http.send(request)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text


async def test_a_large_body_without_a_length(server: Server) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * 100_000

    answer = await server.http.post("/v3/auth/tokens", content=pieces(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (413, "MSS.00000002")


async def test_what_breaks_is_answered_without_details(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("visavis.store.rooms.get", broken)
    answer = await server.call("GET", "/smart-chat-rooms/x")
    assert answer.status_code == 500
    assert answer.json() == {"error_code": "MSS.00000001", "error_msg": "Internal error"}
    assert answer.headers["x-request-id"]


async def test_the_access_log(server: Server) -> None:
    room_id = await server.room()
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answer = await server.call("GET", f"/smart-chat-rooms/{room_id}?limit=1", headers={"X-Auth-Token": "hush"})
    (line,) = (entry for entry in logs if entry["event"] == "request")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["route"], line["status"]) == ("/v1/{project_id}/smart-chat-rooms/{room_id}", 200)
    assert (line["project_id"], line["room_id"]) == ("p1", room_id)
    assert "hush" not in str(logs)
    assert server.keys["p1"].ak not in str(logs)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/rtc/v1/rooms/a%00b/state", 404),
        ("/v1/p1/smart-chat-rooms/%00", 404),
        ("/v1/p1/smart-chat-rooms?room_name=%00", 400),
        ("/web/" + "a" * 4000 + ".js", 404),
    ],
)
async def test_names_that_storage_cannot_hold(server: Server, path: str, status: int) -> None:
    answer = await server.http.get(path, headers={"Authorization": f"Bearer u:9999999999:{'0' * 64}"})
    assert answer.status_code == status
    assert set(answer.json()) == {"error_code", "error_msg"}


@pytest.mark.parametrize("host", ["[", "[1.2.3.4]", "a b", "evil.test/#", ""])
async def test_an_odd_host_header_is_not_repeated(server: Server, host: str) -> None:
    key = server.keys["p1"]
    request = server.http.build_request("GET", "/v3/projects", headers={"Host": host})
    sign_request(request, key, server.clock())
    answer = await server.http.send(request)
    assert answer.status_code == 200
    shown = answer.json()["links"]["self"]
    assert shown.endswith("/v3/projects")
    assert not any(character in shown for character in " #")


def test_failures_are_counted_by_network() -> None:
    assert source("192.0.2.1") == source("::ffff:192.0.2.1") != source("192.0.2.2")
    assert source("2001:db8::1") == source("2001:db8::ffff:1:2:3") != source("2001:db8:0:1::1")
    assert source("fe80::1%eth0") == source("fe80::2")
    assert source("") == ""


def test_the_throttle_is_bounded_and_forgets() -> None:
    throttle = Throttle(limit=2, lock_s=10, size=3)
    for key in "abcd":
        throttle.failed(key, 0.0)
        throttle.failed(key, 0.0)
    throttle.check("a", 1.0)  # forgotten: it failed longest ago
    with pytest.raises(ApiError):
        throttle.check("d", 9.9)
    throttle.check("d", 10.0)
    throttle.failed("d", 10.0)
    throttle.check("d", 10.0)  # its count began anew
