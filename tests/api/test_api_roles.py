"""What each role may do, the audit log of it, and how often a project may ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from control_server import Server, jobs, sign_request
from fastapi.routing import APIRoute

from visavis.contract.errors import ApiError
from visavis.contract.roles import Role
from visavis.store import audit, codes, identity, tokens
from visavis.store.audit import Filter

MakeServer = Callable[..., Awaitable[Server]]


async def as_role(server: Server, role: Role) -> None:
    """From here on the calls are signed with a key of that role."""
    server.keys["p1"] = await identity.add_key(server.context.database, "p1", server.clock(), role)


async def entries(server: Server, **wanted: Any) -> list[audit.Shown]:
    """The audit log, oldest first."""
    return (await audit.listing(server.context.database, Filter(**wanted), 100))[::-1]


# --- roles -------------------------------------------------------------------------------------------


async def test_a_viewer_sees_everything_and_changes_nothing(server: Server) -> None:
    robot, room = await server.robot(), await server.room()
    job = (await server.start(room))["job_id"]
    await as_role(server, Role.VIEWER)
    for path in (
        "/smart-chat-rooms",
        f"/smart-chat-rooms/{room}",
        "/digital-human-chat/robot",
        f"/digital-human-chat/robot/{robot}",
        jobs(room),
        f"{jobs(room)}/{job}/state",
        "/digital-assets",
    ):
        assert (await server.call("GET", path)).status_code == 200, path
    for method, path, body in (
        ("POST", "/smart-chat-rooms", {"room_name": "r"}),
        ("PUT", f"/smart-chat-rooms/{room}", {"room_name": "r"}),
        ("DELETE", f"/smart-chat-rooms/{room}", None),
        ("POST", "/digital-human-chat/robot", {"name": "r", "app_type": 7}),
        ("PUT", f"/digital-human-chat/robot/{robot}", {"name": "r"}),
        ("POST", "/digital-human-chat/robot/delete", [robot]),
        ("POST", "/digital-human-chat/once-code", None),
        ("POST", jobs(room), {}),
        ("POST", f"{jobs(room)}/{job}/stop", None),
        ("POST", "/files", {}),
    ):
        answer = await server.call(method, path, body)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "MSS.47010063"), (method, path, answer.text)
        assert "operator" in answer.json()["error_msg"]
    assert (await server.show(room, job))["state"] in ("WAITING", "PROCESSING")


async def test_an_operator_works(server: Server) -> None:
    await as_role(server, Role.OPERATOR)
    room = await server.room(robot_id=await server.robot())
    await server.start(room)


async def test_the_page_starts_jobs_for_operators_and_for_the_room_of_the_code(server: Server) -> None:
    database, now = server.context.database, server.clock()
    room, other = await server.room(), await server.room()

    async def start(room_id: str, **headers: str) -> tuple[int, str]:
        body = {"project_id": "p1", "room_id": room_id}
        answer = await server.http.post("/page/v1/sessions", json=body, headers=headers)
        return answer.status_code, answer.json().get("error_code", "")

    for role, expected in ((Role.VIEWER, (403, "MSS.47010063")), (Role.OPERATOR, (200, ""))):
        user = await identity.put_user(database, "p1", role.value, "hash", now, role)
        token = await tokens.issue(database, user, "p1", now, 60)
        assert await start(room, **{"X-Auth-Token": token}) == expected
    code = await codes.create(database, "p1", now, room_id=other)
    assert await start(room, **{"X-Once-Code": code}) == (401, "MSS.47010046")
    assert await start(other, **{"X-Once-Code": code}) == (200, "")
    assert await start(other, **{"X-Once-Code": code}) == (401, "MSS.47010046")


async def test_a_token_tells_its_role(server: Server) -> None:
    hashed = await asyncio.to_thread(identity.hash_password, "long enough")
    for role, published in ((Role.ADMIN, "te_admin"), (Role.OPERATOR, "operator"), (Role.VIEWER, "readonly")):
        await identity.put_user(server.context.database, "p1", role.value, hashed, 1.0, role)
        who = {"user": {"name": role.value, "password": "long enough", "domain": {"name": "d"}}}
        auth = {"identity": {"methods": ["password"], "password": who}, "scope": {"project": {"id": "p1"}}}
        token = (await server.http.post("/v3/auth/tokens", json={"auth": auth})).json()["token"]
        assert [one["name"] for one in token["roles"]] == [published]


async def test_the_lifetime_of_tokens_is_a_setting(make_server: MakeServer) -> None:
    server = await make_server(token_ttl_s=60)
    hashed = await asyncio.to_thread(identity.hash_password, "long enough")
    await identity.put_user(server.context.database, "p1", "ann", hashed, 1.0)
    who = {"user": {"name": "ann", "password": "long enough", "domain": {"name": "d"}}}
    auth = {"identity": {"methods": ["password"], "password": who}, "scope": {"project": {"id": "p1"}}}
    answer = await server.http.post("/v3/auth/tokens", json={"auth": auth})
    assert answer.json()["token"]["expires_at"] == "2027-01-15T08:01:00.000000Z"
    headers = {"X-Auth-Token": answer.headers["x-subject-token"]}
    for seconds, status in ((59, 200), (1, 401)):
        server.clock.now += seconds
        assert (await server.http.get("/v1/p1/smart-chat-rooms", headers=headers)).status_code == status


async def test_a_weak_hash_is_renewed_at_the_next_sign_in(server: Server) -> None:
    import argon2

    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("long enough")
    database = server.context.database
    user = await identity.put_user(database, "p1", "ann", weak, 1.0)
    held = await tokens.issue(database, user, "p1", server.clock(), 60)
    who = {"user": {"name": "ann", "password": "long enough", "domain": {"name": "d"}}}
    auth = {"identity": {"methods": ["password"], "password": who}, "scope": {"project": {"id": "p1"}}}
    for _ in range(2):
        assert (await server.http.post("/v3/auth/tokens", json={"auth": auth})).status_code == 201
        found = await identity.find_user(database, "ann")
        assert found is not None
        assert not identity.password_is_outdated(found.password_hash)
    assert await tokens.find(database, held, server.clock()) is not None, "it is the same password: nothing ends"


# --- audit -------------------------------------------------------------------------------------------


async def test_every_write_is_in_the_audit_log(server: Server) -> None:
    ak = server.keys["p1"].ak
    made = await server.call("POST", "/smart-chat-rooms", {"room_name": "a private name", "concurrency": 1})
    room = made.json()["room_id"]
    changed = await server.call("PUT", f"/smart-chat-rooms/{room}", {"room_name": "another private name"})
    await server.call("GET", f"/smart-chat-rooms/{room}")
    wrong = await server.call("PUT", f"/smart-chat-rooms/{room}", {"concurrency": -1})
    server.clock.now += 5
    gone = await server.call("DELETE", f"/smart-chat-rooms/{room}")
    missing = await server.call("DELETE", f"/smart-chat-rooms/{room}")
    found = await entries(server)
    told = [(one.entry.status, one.entry.error_code, one.entry.request_id) for one in found]
    assert told == [
        (200, "", made.headers["x-request-id"]),
        (200, "", changed.headers["x-request-id"]),
        (400, "MSS.00000003", wrong.headers["x-request-id"]),
        (gone.status_code, "", gone.headers["x-request-id"]),
        (404, "MSS.20010045", missing.headers["x-request-id"]),
    ]
    assert {(one.entry.project_id, one.who, one.entry.ak, one.entry.user_id) for one in found} == {("p1", ak, ak, "")}
    assert {one.entry.target for one in found[1:]} == {room}
    assert [one.entry.at for one in found] == [server.clock() - 5] * 3 + [server.clock()] * 2
    assert all("room" in one.entry.operation for one in found)
    assert "private" not in repr(found)


async def test_the_audit_log_names_users_and_refusals(server: Server) -> None:
    database, now = server.context.database, server.clock()
    await server.project("p2")
    user = await identity.put_user(database, "p1", "ann", "hash", now, Role.VIEWER)
    headers = {"X-Auth-Token": await tokens.issue(database, user, "p1", now, 60)}
    refused = await server.http.post("/v1/p1/smart-chat-rooms", json={"room_name": "r"}, headers=headers)
    foreign = await server.http.post("/v1/p2/smart-chat-rooms", json={"room_name": "r"}, headers=headers)
    assert (refused.status_code, foreign.status_code) == (403, 403)
    assert [(one.who, one.entry.project_id, one.entry.error_code) for one in await entries(server, who="ann")] == [
        ("ann", "p1", "MSS.47010063"),
        ("ann", "p1", "MSS.00010009"),
    ]


async def test_sign_ins_and_temporary_keys_are_logged_but_no_strangers(server: Server) -> None:
    hashed = await asyncio.to_thread(identity.hash_password, "long enough")
    await identity.put_user(server.context.database, "p1", "ann", hashed, 1.0)
    for password in ("wrong password", "long enough"):
        who = {"user": {"name": "ann", "password": password, "domain": {"name": "d"}}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": who}}
        auth["scope"] = {"project": {"id": "p1"}}
        answer = await server.http.post("/v3/auth/tokens", json={"auth": auth})
    token = answer.headers["x-subject-token"]
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
    made = await server.http.post("/v3.0/OS-CREDENTIAL/securitytokens", json=body)
    assert made.status_code == 201
    await server.http.post("/v1/p1/smart-chat-rooms", json={"room_name": "r"})
    await server.http.post("/nowhere", json={})
    found = await entries(server)
    assert [(one.who, one.entry.operation, one.entry.status) for one in found] == [
        ("ann", "create_token", 201),
        ("ann", "create_temporary_key", 201),
    ]
    credential = made.json()["credential"]
    assert found[1].entry.target == credential["access"]
    for secret in (token, credential["secret"], credential["securitytoken"]):
        assert secret not in repr(found)


async def test_what_breaks_in_the_middle_is_logged_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("hush")

    room = await server.room()
    monkeypatch.setattr("visavis.store.rooms.remove", broken)
    answer = await server.call("DELETE", f"/smart-chat-rooms/{room}")
    assert answer.status_code == 500
    last = (await entries(server))[-1].entry
    assert (last.status, last.error_code, last.target) == (500, "MSS.00000001", room)


async def test_a_log_that_cannot_be_written_undoes_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(audit, "record", full)
    room = await server.room()
    monkeypatch.undo()
    assert (await server.call("GET", f"/smart-chat-rooms/{room}")).status_code == 200


# --- how often, how much -----------------------------------------------------------------------------


async def test_a_project_that_asks_too_often_waits(make_server: MakeServer) -> None:
    server = await make_server(project_rate=0.5, project_burst=3)
    await server.project("p2")

    async def ask(project: str = "p1") -> Any:
        return await server.call("GET", "/smart-chat-rooms", project=project)

    assert [(await ask()).status_code for _ in range(3)] == [200] * 3
    late = await ask()
    assert (late.status_code, late.json()["error_code"], late.headers["retry-after"]) == (429, "APIGW.0308", "2")
    assert (await ask("p2")).status_code == 200, "others do not wait"
    server.clock.now += 1.9
    assert (await ask()).status_code == 429
    server.clock.now += 0.1
    assert (await ask()).status_code == 200
    assert (await ask()).status_code == 429
    server.clock.now += 3600
    assert [(await ask()).status_code for _ in range(4)] == [200, 200, 200, 429], "no more than the burst is saved up"


async def test_requests_without_credentials_use_up_nobody_s_rate(make_server: MakeServer) -> None:
    server = await make_server(project_rate=0.1, project_burst=1)
    await server.project("p2")
    answers = []
    for _ in range(2):
        assert (await server.http.get("/v1/p1/smart-chat-rooms")).status_code == 401
        request = server.http.build_request("GET", "/v1/p1/smart-chat-rooms")
        sign_request(request, server.keys["p2"], server.clock())
        answers.append((await server.http.send(request)).status_code)
    assert answers == [403, 429], "who asks for another's things uses up his own rate"
    assert (await server.call("GET", "/smart-chat-rooms")).status_code == 200


async def test_what_is_refused_for_its_rate_is_not_in_the_audit_log(make_server: MakeServer) -> None:
    server = await make_server(project_rate=0.1, project_burst=1)
    for _ in range(3):
        answer = await server.call("POST", "/smart-chat-rooms", {"room_name": "r"})
    assert answer.status_code == 429
    assert [one.entry.status for one in await entries(server)] == [200]


async def test_lists_of_projects_are_slowed_down_too(make_server: MakeServer) -> None:
    server = await make_server(project_rate=0.1, project_burst=1)
    assert [(await server.call("GET", "//v3/projects")).status_code for _ in range(2)] == [200, 429]


def test_the_memory_of_rates_is_bounded() -> None:
    from visavis.api.throttle import Rate

    rate = Rate(per_s=1.0, burst=1, size=2)
    for key in ("a", "b", "c"):
        assert rate.take(key, 100.0) == 0
    assert rate.take("c", 100.0) == 1.0
    assert rate.take("a", 100.0) == 0, "the one that asked longest ago was forgotten, to its advantage"
    with pytest.raises(ApiError) as error:
        rate.admit("c", 100.25)
    assert error.value.headers == {"Retry-After": "1"}
    assert rate.take("c", 99.0) > 0, "a clock that was set back gives nothing"


async def test_the_size_of_requests_is_a_setting(make_server: MakeServer) -> None:
    server = await make_server(max_body_bytes=2048)
    fits = {"room_name": "r", "room_description": "d" * 900}
    assert (await server.call("POST", "/smart-chat-rooms", fits)).status_code == 200
    answer = await server.call("POST", "/smart-chat-rooms", {"room_name": "r", "more": "d" * 2048})
    assert (answer.status_code, answer.json()["error_code"]) == (413, "MSS.00000002")


async def test_every_route_of_a_project_goes_through_the_door(server: Server) -> None:
    """No route under a project's path answers without credentials, whatever its method."""
    for route in server.app.routes:
        if isinstance(route, APIRoute) and route.path.startswith("/v1/{project_id}"):
            path = route.path.replace("{project_id}", "p1").replace("{", "").replace("}", "")
            for method in route.methods:
                answer = await server.http.request(method, path)
                assert answer.status_code == 401, (method, route.path)
