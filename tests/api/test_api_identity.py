"""Who may do what: tokens, signatures, projects, passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import pytest
from control_server import Server, jobs, sign_request

from visavis.store import identity

MakeServer = Callable[..., Awaitable[Server]]
ROOMS = "/v1/p1/smart-chat-rooms"


@cache
def hashed(password: str) -> str:
    """Argon2 is slow on purpose: once for all tests."""
    return identity.hash_password(password)


async def user(server: Server, name: str = "ann", password: str = "long enough", project: str = "p1") -> None:
    await identity.put_user(server.context.database, project, name, hashed(password), 1.0)


def login(password: str = "long enough", name: str = "ann", **scope: Any) -> dict[str, Any]:
    who = {"user": {"name": name, "password": password, "domain": {"name": "d"}}}
    return {
        "auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope or {"project": {"id": "p1"}}}
    }


async def token(server: Server, **kwargs: Any) -> str:
    answer = await server.http.post("/v3/auth/tokens", json=login(**kwargs))
    assert answer.status_code == 201, answer.text
    return answer.headers["x-subject-token"]


async def test_a_token_opens_its_project(server: Server) -> None:
    await user(server)
    headers = {"X-Auth-Token": await token(server)}
    assert (await server.http.get(ROOMS, headers=headers)).status_code == 200
    server.clock.now += 24 * 3600 - 1
    assert (await server.http.get(ROOMS, headers=headers)).status_code == 200
    server.clock.now += 1
    late = await server.http.get(ROOMS, headers=headers)
    assert (late.status_code, late.json()["error_code"]) == (401, "MSS.00010008")


async def test_the_published_body_of_a_token(server: Server) -> None:
    await user(server)
    body = (await server.http.post("/v3/auth/tokens?nocatalog=1", json=login())).json()["token"]
    assert body["methods"] == ["password"]
    assert body["issued_at"] == "2027-01-15T08:00:00.000000Z"
    assert body["expires_at"] == "2027-01-16T08:00:00.000000Z"
    assert body["project"]["id"] == "p1"
    assert body["user"]["name"] == "ann"
    assert body["catalog"] == []
    full = (await server.http.post("/v3/auth/tokens", json=login())).json()["token"]
    assert full["catalog"][0]["endpoints"][0]["url"] == "http://server.test:8080"


async def test_a_token_without_a_project_lists_projects_only(server: Server) -> None:
    await server.project("p2")
    await user(server)
    await user(server, project="p2")
    headers = {"X-Auth-Token": await token(server, domain={"name": "d"})}
    listed = (await server.http.get("/v3/projects", headers=headers)).json()
    assert [project["id"] for project in listed["projects"]] == ["p1", "p2"]
    assert listed["links"]["self"] == "http://server.test:8080/v3/projects"
    paged = (await server.http.get("/v3/projects?page=2&per_page=1", headers=headers)).json()
    assert [project["id"] for project in paged["projects"]] == ["p2"]
    assert (await server.http.get(ROOMS, headers=headers)).status_code == 403


async def test_a_token_of_another_project(server: Server) -> None:
    await server.project("p2")
    await user(server, project="p2")
    headers = {"X-Auth-Token": await token(server, project={"name": "p2"})}
    answer = await server.http.get(ROOMS, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "MSS.00010009")
    refused = await server.http.post("/v3/auth/tokens", json=login())
    assert (refused.status_code, refused.json()["error_code"]) == (403, "MSS.00010009")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"X-Auth-Token": ""}])
async def test_no_credentials(server: Server, headers: dict[str, str]) -> None:
    answer = await server.http.get(ROOMS, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "MSS.00000004")


async def test_an_unknown_caller_learns_nothing_of_the_validation(server: Server) -> None:
    for content in (b"{", b'{"concurrency": -1}'):
        answer = await server.http.post(ROOMS, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 401


async def test_a_signature_s_project_must_fit(server: Server) -> None:
    await server.project("p2")
    key = server.keys["p1"]
    assert (await server.call("GET", "/smart-chat-rooms")).status_code == 200
    server.keys["p2"] = key
    answer = await server.call("GET", "/smart-chat-rooms", project="p2")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "MSS.00010009")
    server.keys["p1"] = identity.AccessKey(key.ak, key.sk, "p2")  # X-Project-Id of another project
    assert (await server.call("GET", "/smart-chat-rooms")).status_code == 403


async def test_an_old_signature(server: Server) -> None:
    key = server.keys["p1"]
    request = server.http.build_request("GET", ROOMS)
    sign_request(request, key, server.clock() - 901)
    answer = await server.http.send(request)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "MSS.00000004")
    assert "15 minutes" in answer.json()["error_msg"]


async def test_projects_do_not_see_each_other(server: Server) -> None:
    await server.project("p2")
    robot = await server.robot()
    room = await server.room(robot_id=robot)
    job = (await server.start(room))["job_id"]
    code = (await server.call("POST", "/digital-human-chat/once-code")).json()["once_code"]
    for method, path, body in (
        ("GET", f"/smart-chat-rooms/{room}", None),
        ("PUT", f"/smart-chat-rooms/{room}", {"room_name": "mine"}),
        ("DELETE", f"/smart-chat-rooms/{room}", None),
        ("GET", f"/digital-human-chat/robot/{robot}", None),
        ("PUT", f"/digital-human-chat/robot/{robot}", {"name": "mine"}),
        ("POST", "/digital-human-chat/robot/delete", [robot]),
        ("POST", "/smart-chat-rooms", {"room_name": "r", "robot_id": robot}),
        ("POST", "/digital-human-chat/robot", {"name": "r", "app_type": 7, "room_id": room}),
        ("POST", jobs(room), {}),
        ("GET", jobs(room), None),
        ("GET", f"{jobs(room)}/{job}/state", None),
        ("POST", f"{jobs(room)}/{job}/stop", None),
    ):
        answer = await server.call(method, path, body, project="p2")
        assert answer.status_code == 404, (method, path, answer.text)
    assert (await server.call("GET", "/smart-chat-rooms", project="p2")).json()["count"] == 0
    foreign = await server.http.post(
        "/page/v1/sessions", json={"project_id": "p2", "room_id": room}, headers={"X-Once-Code": code}
    )
    assert foreign.status_code == 401
    assert (await server.show(room, job))["state"] in ("WAITING", "PROCESSING")


async def test_wrong_passwords_are_slowed_down(server: Server) -> None:
    await user(server)
    for attempt in range(5):
        answer = await server.http.post("/v3/auth/tokens", json=login(password=f"guess {attempt}"))
        assert (answer.status_code, answer.json()["error_code"]) == (401, "MSS.00000004")
    locked = await server.http.post("/v3/auth/tokens", json=login())
    assert (locked.status_code, locked.json()["error_code"]) == (429, "APIGW.0308")
    assert int(locked.headers["retry-after"]) == 300
    server.clock.now += 300
    assert await token(server)


async def test_guesses_made_at_once_are_slowed_down_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    await user(server)
    tried: list[str] = []
    monkeypatch.setattr(identity, "password_matches", lambda _, password: tried.append(password))
    answers = await asyncio.gather(
        *(server.http.post("/v3/auth/tokens", json=login(f"guess number {n}")) for n in range(20))
    )
    assert {answer.status_code for answer in answers} == {401, 429}
    assert len(tried) <= 6, "five, and one more that was being checked beside the fifth"


async def test_unknown_users_look_like_wrong_passwords(server: Server) -> None:
    await user(server)
    wrong = await server.http.post("/v3/auth/tokens", json=login(password="guess"))
    unknown = await server.http.post("/v3/auth/tokens", json=login(name="nobody"))
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}}},
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "a", "password": ""}}}}},
    ],
)
async def test_bad_token_requests(server: Server, body: Any) -> None:
    answer = await server.http.post("/v3/auth/tokens", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003")


async def test_errors_do_not_repeat_secrets(server: Server) -> None:
    body = {"name": "r", "app_type": 6, "third_party_model_config": {"app_key": "S" * 600, "chat_rounds": "hush"}}
    answer = await server.call("POST", "/digital-human-chat/robot", body)
    assert answer.status_code == 400
    assert "third_party_model_config.app_key" in answer.text
    assert "SSS" not in answer.text
    assert "hush" not in answer.text


@pytest.mark.parametrize("name", ["用户", "a\tb", "x" * 129])
async def test_app_users_without_chinese(server: Server, name: str) -> None:
    headers: Any = {"X-App-UserId": name.encode()}
    await user(server)
    headers["X-Auth-Token"] = await token(server)
    answer = await server.http.get(ROOMS, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003")


async def test_an_ordinary_app_user(server: Server) -> None:
    assert (await server.call("GET", "/smart-chat-rooms", headers={"X-App-UserId": "user-7"})).status_code == 200
