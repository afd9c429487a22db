"""What kiosks need: activation codes, links to the page, where recordings go, agencies, and how much was used."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from control_server import HOST, Server

from visavis.api.services import activation
from visavis.contract.base import from_rfc3339, rfc3339
from visavis.contract.roles import Role
from visavis.store import identity, jobs, records

C = "/digital-human-chat"
DAY = 86400
DEVICE, OTHER_DEVICE = "kiosk-in-the-entrance-hall", "somebody-elses-telephone"


async def ask(server: Server, method: str, path: str, body: Any = None, **more: Any) -> Any:
    answer = await server.call(method, path, body, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(server: Server, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
    answer = await server.call(method, path, body, **more)
    return answer.status_code, answer.json()["error_code"]


async def made(server: Server, valid_period: int = 0, **room: Any) -> dict[str, Any]:
    robot = await server.robot()
    body = {"robot_id": robot, "room_id": await server.room(**room), "valid_period": valid_period}
    result: dict[str, Any] = await ask(server, "POST", f"{C}/active-code", body)
    return result


async def use(
    server: Server, code: dict[str, Any], device: str = DEVICE, *, project: str = "p1", **more: Any
) -> tuple[int, Any]:
    """(status, error code or the started job)."""
    given = {"project_id": project, "room_id": code["room_id"], **more}
    headers = {"X-Once-Code": code["active_code"], "X-Device-Id": device}
    answer = await server.http.post("/page/v1/sessions", json=given, headers=headers)
    whole = answer.json()
    return answer.status_code, whole["job_id"] if answer.status_code == 200 else whole["error_code"]


# --- activation codes -------------------------------------------------------------------------------------


async def test_a_device_uses_its_code_as_often_as_it_likes(server: Server) -> None:
    code = await made(server, concurrency=5)
    assert "expire_time" not in code
    first, second = await use(server, code), await use(server, {**code, "active_code": code["active_code"].lower()})
    assert (first[0], second[0]) == (200, 200)
    assert server.dispatcher.specs[first[1]].robot.robot_id == code["robot_id"]
    server.clock.now += 3000 * DAY
    assert (await use(server, code))[0] == 200
    one = f"{C}/active-code/{code['active_code_id']}"
    assert await ask(server, "GET", one) == code
    listed = await ask(server, "GET", f"{C}/active-code?robot_id={code['robot_id']}")
    assert (listed["count"], listed["data"]) == (1, [code])


async def test_a_code_is_for_one_device_room_and_robot(server: Server) -> None:
    code, other = await made(server), await made(server)
    assert (await use(server, code))[0] == 200
    failed = (401, "MSS.47010043")
    assert await use(server, code, OTHER_DEVICE) == failed
    assert await use(server, {**code, "room_id": other["room_id"]}) == failed
    assert await use(server, code, robot_id=other["robot_id"]) == failed
    assert await use(server, code, "short") == (400, "MSS.00000003")
    await server.project("p2")
    assert await use(server, code, project="p2") == failed
    assert await use(server, {**code, "active_code": "00000-00000-00000-00000"}) == failed
    assert (await use(server, code, robot_id=code["robot_id"]))[0] == 200


async def test_of_two_devices_at_once_one_gets_the_code(server: Server) -> None:
    code = await made(server, concurrency=9)
    told = await asyncio.gather(*(use(server, code, f"device-number-{number:04}") for number in range(4)))
    assert sorted(status for status, _ in told) == [200, 401, 401, 401]


async def test_failures_lock_a_code_for_a_time(server: Server) -> None:
    code = await made(server)
    assert (await use(server, code))[0] == 200
    told = [await use(server, code, OTHER_DEVICE) for _ in range(5)]
    assert told == [(401, "MSS.47010043")] * 4 + [(429, "MSS.47010044")]
    assert await use(server, code) == (429, "MSS.47010044")
    server.clock.now += 301
    assert (await use(server, code))[0] == 200


async def test_a_success_gives_all_attempts_back(server: Server) -> None:
    code = await made(server, concurrency=9)
    assert (await use(server, code))[0] == 200
    for _ in range(2):
        for _ in range(4):
            assert await use(server, code, OTHER_DEVICE) == (401, "MSS.47010043")
        assert (await use(server, code))[0] == 200


async def test_guesses_lock_the_address(server: Server) -> None:
    code = await made(server)
    for number in range(10):
        guess = {**code, "active_code": f"0000{number}-00000-00000-00000"}
        assert await use(server, guess) == (401, "MSS.47010043")
    assert await use(server, code) == (429, "MSS.47010044")


async def test_days_end(server: Server) -> None:
    code = await made(server, valid_period=2)
    assert code["expire_time"] == rfc3339(server.clock.now + 2 * DAY)
    one = f"{C}/active-code/{code['active_code_id']}"
    server.clock.now += 2 * DAY - 1
    assert (await use(server, code))[0] == 200
    server.clock.now += 1
    assert await use(server, code) == (401, "MSS.47010045")
    longer = await ask(server, "PUT", one, {"valid_period": 3})
    assert longer["expire_time"] == rfc3339(from_rfc3339(code["create_time"]) + 3 * DAY)
    assert (await use(server, code))[0] == 200
    assert "expire_time" not in await ask(server, "PUT", one, {"valid_period": 0})


async def test_a_reset_code(server: Server) -> None:
    code = await made(server, valid_period=1, concurrency=9)
    one = f"{C}/active-code/{code['active_code_id']}"
    assert (await use(server, code))[0] == 200
    server.clock.now += DAY
    fresh = await ask(server, "PUT", f"{one}/reset", {})
    assert fresh["active_code"] != code["active_code"]
    assert fresh["expire_time"] == rfc3339(server.clock.now + DAY)
    assert await use(server, code) == (401, "MSS.47010043")
    assert await use(server, fresh, OTHER_DEVICE) == (401, "MSS.47010043")
    assert (await use(server, fresh))[0] == 200
    free = await ask(server, "PUT", f"{one}/reset", {"clean_auth_credential": True})
    assert (await use(server, free, OTHER_DEVICE))[0] == 200
    assert await use(server, free) == (401, "MSS.47010043")
    assert await refused(server, "PUT", f"{one}/reset", {}, headers={"If-Match": '"1"'}) == (412, "MSS.00000003")
    assert (await use(server, free, OTHER_DEVICE))[0] == 200


async def test_a_deleted_code(server: Server) -> None:
    code = await made(server)
    assert (await use(server, code))[0] == 200
    await ask(server, "POST", f"{C}/active-code/delete", [code["active_code_id"], "unknown"])
    assert await use(server, code) == (401, "MSS.47010043")
    assert (await refused(server, "GET", f"{C}/active-code/{code['active_code_id']}"))[0] == 404
    for kind in (activation.HASH, activation.DEVICE):
        assert await records.count_of(server.context.database, "p1", kind) == 0, "nothing of it stays"


async def test_codes_need_their_room_and_robot(server: Server) -> None:
    robot, room = await server.robot(), await server.room()
    for path in ("active-code", "create-dialog-url"):
        body = {"robot_id": robot, "room_id": room, "valid_period": 0}
        assert await refused(server, "POST", f"{C}/{path}", {**body, "room_id": "none"}) == (404, "MSS.20010045")
        assert await refused(server, "POST", f"{C}/{path}", {**body, "robot_id": "none"}) == (404, "MSS.47010033")


async def test_codes_and_devices_are_not_readable_in_the_database(server: Server) -> None:
    code = await made(server)
    assert (await use(server, code))[0] == 200
    files = [path for path in server.settings.data.rglob("*") if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    if not server.settings.database_url:  # SQLite, in the data folder
        assert code["active_code_id"].encode() in stored, "it looks where things are stored"
    assert code["active_code"].encode() not in stored
    assert DEVICE.encode() not in stored


async def as_role(server: Server, role: Role) -> None:
    server.keys["p1"] = await identity.add_key(server.context.database, "p1", server.clock(), role=role)


async def test_a_viewer_does_not_see_codes(server: Server) -> None:
    code = await made(server)
    await as_role(server, Role.VIEWER)
    assert (await ask(server, "GET", f"{C}/active-code/{code['active_code_id']}"))["active_code"] == ""
    listed = await ask(server, "GET", f"{C}/active-code?robot_id={code['robot_id']}")
    assert listed["data"][0]["active_code"] == ""


# --- links ------------------------------------------------------------------------------------------------


async def test_a_link_starts_one_job_with_its_robot(server: Server) -> None:
    room, robot, other = await server.room(), await server.robot(), await server.robot()
    url = (await ask(server, "POST", f"{C}/create-dialog-url", {"robot_id": robot, "room_id": room}))["url"]
    parts = urlsplit(url)
    assert (parts.netloc, parts.path, parts.query) == (HOST, "/", "")
    words = {name: value[0] for name, value in parse_qs(parts.fragment).items()}
    body = {"project_id": words["project"], "room_id": words["room"], "robot_id": other}
    headers = {"X-Once-Code": words["code"]}
    elsewhere = {**body, "room_id": await server.room()}
    assert (await server.http.post("/page/v1/sessions", json=elsewhere, headers=headers)).status_code == 401
    started = await server.http.post("/page/v1/sessions", json=body, headers=headers)
    assert started.status_code == 200, started.text
    assert server.dispatcher.specs[started.json()["job_id"]].robot.robot_id == robot
    assert (await server.http.post("/page/v1/sessions", json=body, headers=headers)).status_code == 401


# --- agencies, buckets ------------------------------------------------------------------------------------


async def test_agencies_are_an_admin_s(server: Server) -> None:
    assert (await refused(server, "GET", f"{C}/agency"))[0] == 404
    granted = await ask(server, "POST", f"{C}/agency/SIS")
    assert granted == await ask(server, "POST", f"{C}/agency/SIS")
    assert granted == await ask(server, "GET", f"{C}/agency")
    assert (await refused(server, "GET", f"{C}/agency?role_type=CBS"))[0] == 404
    assert (await refused(server, "POST", f"{C}/agency/OTHER"))[0] == 400
    admin = server.keys["p1"]
    await as_role(server, Role.OPERATOR)
    for method, path in (("GET", "agency"), ("POST", "agency/CBS"), ("DELETE", "agency/SIS")):
        assert await refused(server, method, f"{C}/{path}") == (403, "MSS.47010063")
    server.keys["p1"] = admin
    await ask(server, "DELETE", f"{C}/agency/SIS")
    assert (await refused(server, "GET", f"{C}/agency"))[0] == 404


@pytest.mark.parametrize("kind", ["audio_record", "dialog_report"])
async def test_where_things_go(server: Server, kind: str) -> None:
    path, switch = f"{C}/{kind.replace('_', '-')}-config", f"enable_{kind}"
    body = {switch: False, "obs_bucket_name": "my-bucket.one", "obs_endpoint": "store.example:9000"}
    assert (await refused(server, "GET", path))[0] == 404
    assert (await refused(server, "PUT", path, body))[0] == 404
    for name in ("No", "UPPER", "two..dots", "-hyphen", "a b c", "hyphen-"):
        assert (await refused(server, "POST", path, {**body, "obs_bucket_name": name}))[0] == 400, name
    for endpoint in ("https://a@b.example", "store.example/path", "x:99999", "a..b", "::1"):
        assert (await refused(server, "POST", path, {**body, "obs_endpoint": endpoint}))[0] == 400, endpoint
    await ask(server, "POST", path, body)
    assert (await refused(server, "POST", path, body))[0] == 409
    # Switched on, it must be able to write there, and nobody has named a store: test_api_reports.py has the rest.
    assert await refused(server, "PUT", path, {switch: True}) == (400, "MSS.00000003")
    server.clock.now += 5
    await ask(server, "PUT", path, {"obs_endpoint": "https://other.example/"})
    shown = await ask(server, "GET", path)
    assert shown == {
        "project_id": "p1",
        "obs_bucket_name": "my-bucket.one",
        "obs_endpoint": "https://other.example/",
        switch: False,
        "create_time": rfc3339(server.clock.now - 5),
        "update_time": rfc3339(server.clock.now),
    }
    await server.project("p2")
    assert (await server.call("GET", path, project="p2")).status_code == 404
    await ask(server, "DELETE", path)
    assert (await refused(server, "GET", path))[0] == 404


# --- usage ------------------------------------------------------------------------------------------------


async def ran(server: Server, room: str, start: str, minutes: float | None, project: str = "p1") -> None:
    began = from_rfc3339(start)
    job = jobs.Job(
        id=jobs.new_id(),
        project_id=project,
        room_id=room,
        robot_id="",
        rtc_room_id=jobs.new_id(),
        users=[],
        settings={},
        language="EN",
        created_at=began,
        updated_at=began,
        started_at=began,
        ended_at=None if minutes is None else began + 60 * minutes,
    )
    await jobs.place(server.context.database, job)


async def used(server: Server, start: str, end: str, **more: str) -> list[tuple[str, str, int, float]]:
    """(day, room, jobs begun, usage) of each entry."""
    query = "&".join(f"{name}={value}" for name, value in {"start_time": start, "end_time": end, **more}.items())
    answer = await ask(server, "GET", f"/data-analysis?{query}")
    return [
        (one["time"][:10], entry["room_id"], entry["number"], entry["usage"])
        for one in answer["time_list"]
        for entry in one["resources_usage"]
    ]


async def test_usage_by_day_and_room(server: Server) -> None:
    a, b = sorted([await server.room(concurrency=9), await server.room(concurrency=9)])
    await server.project("p2")
    await ran(server, await server.room(project="p2"), "2026-03-01T12:00:00Z", 7, "p2")
    await ran(server, a, "2026-03-01T10:00:00Z", 5)
    await ran(server, a, "2026-03-01T11:00:00Z", 2.5)
    await ran(server, b, "2026-03-01T23:50:00Z", 30)
    await ran(server, b, "2026-03-05T00:00:00Z", 60)
    everything = ("2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z")
    whole = [
        ("2026-03-01", a, 2, 7.5),
        ("2026-03-01", b, 1, 10.0),
        ("2026-03-02", b, 0, 20.0),
        ("2026-03-05", b, 1, 60.0),
    ]
    assert await used(server, *everything) == whole
    assert await used(server, *everything, limit="1", offset="1") == [whole[2]]
    assert await used(server, *everything, unit="HOUR", offset="2") == [("2026-03-05", b, 1, 1.0)]
    assert await used(server, *everything, business_type="LIVE_2D") == []
    assert await used(server, "2026-03-02T00:10:00Z", "2026-03-02T00:15:00Z") == [("2026-03-02", b, 0, 5.0)]
    assert await used(server, "2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z") == []
    answer = await ask(server, "GET", f"/data-analysis?start_time={everything[0]}&end_time={everything[1]}&limit=1")
    assert answer["count"] == 3
    summed = await ask(server, "GET", "/data-analysis-summary")
    assert (summed["number"], summed["usage"], summed["unit"]) == (4, 97.5, "MIN")
    assert (await ask(server, "GET", "/data-analysis-summary?business_type=VIDEO_2D"))["number"] == 0


async def test_usage_of_what_still_runs(server: Server) -> None:
    room = await server.room()
    await ran(server, room, rfc3339(server.clock.now - 600), None)
    since, until = rfc3339(server.clock.now - 300), rfc3339(server.clock.now + DAY)
    assert [entry[2:] for entry in await used(server, since, until)] == [(0, 5.0)]
    assert (await ask(server, "GET", "/data-analysis-summary"))["usage"] == 10.0


async def test_usage_of_no_time_or_too_long_a_time(server: Server) -> None:
    for start, end in (("2026-03-02", "2026-03-02"), ("2026-03-02", "2026-03-01"), ("2024-01-01", "2026-01-01")):
        path = f"/data-analysis?start_time={start}T00:00:00Z&end_time={end}T00:00:00Z"
        assert await refused(server, "GET", path) == (400, "MSS.00000003")
