"""Rooms, robots and jobs under several hands: concurrent changes, versions, third-party users, and what goes with what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from control_server import Server, jobs
from sqlalchemy import func, select

from visavis.store import records, rooms, tallies
from visavis.store.records import Filter, Record
from visavis.store.tables import once_codes
from visavis.store.tables import records as records_table

MakeServer = Callable[..., Awaitable[Server]]

ROBOT = "/digital-human-chat/robot"
ANN, BOB = {"X-App-UserId": "ann"}, {"X-App-UserId": "bob"}


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


# --- changes at the same time -----------------------------------------------------------------------------

FIELDS: dict[str, Any] = {
    "room_name": "hall",
    "room_description": "by the door",
    "concurrency": 9,
    "client_nums": 3,
    "billing_mode": "CLIENT",
    "reuse_resource": True,
    "default_language": "EN",
    "chat_video_type": "HUB",
    "exit_mute_threshold": 60,
    "enable_semantic_action": True,
    "render_mode": "client",
    "review_config": {"no_need_review": True},
    "chat_subtitle_config": {"dx": 1, "dy": 2, "width": 3, "height": 4},
    "background_config": {"background_type": "COLOR", "background_color_config": "#010203"},
    "model_asset_id": "anny",
}


async def test_changes_of_different_fields_at_the_same_time_are_all_kept(make_server: MakeServer) -> None:
    servers = [await make_server() for _ in range(3)]  # on one database
    for other in servers[1:]:
        other.keys["p1"] = servers[0].keys["p1"]
    room_id = await servers[0].room()
    path = f"/smart-chat-rooms/{room_id}"
    answers = await asyncio.gather(
        *(
            servers[number % 3].call("PUT", path, {name: value})
            for number, (name, value) in enumerate([*FIELDS.items(), *FIELDS.items()])
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    shown = await servers[1].call("GET", path)
    assert {name: shown.json()[name] for name in FIELDS} == FIELDS
    assert shown.headers["etag"] == f'"{1 + 2 * len(FIELDS)}"'
    listed = (await servers[2].call("GET", "/smart-chat-rooms")).json()
    assert (listed["count"], listed["count_concurrency"]) == (1, 9)


async def test_of_those_who_change_one_version_one_wins(server: Server) -> None:
    robot = await server.robot()
    room = await server.room()
    for path, change in (
        (f"/smart-chat-rooms/{room}", {"concurrency": 5}),
        (f"{ROBOT}/{robot}", {"tail_silence_time": 900}),
    ):
        tag = (await server.call("GET", path)).headers["etag"]
        answers = await asyncio.gather(*(server.call("PUT", path, change, headers={"If-Match": tag}) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
        assert next(answer for answer in answers if answer.status_code == 200).headers["etag"] == '"2"'
    stale = {"If-Match": '"1"'}
    assert (await server.call("DELETE", f"/smart-chat-rooms/{room}", headers=stale)).status_code == 412
    assert (await server.call("POST", f"{ROBOT}/delete", [robot], headers=stale)).status_code == 412
    assert (await server.call("DELETE", f"/smart-chat-rooms/{room}", headers={"If-Match": '"2"'})).status_code == 200


async def test_two_changes_that_only_together_make_no_sense(server: Server) -> None:
    """Each fits what was there before; whoever comes second is refused."""
    room = await server.room(model_asset_id="large")
    path = f"/smart-chat-rooms/{room}"
    four_k = {"video_config": {"width": 2160, "height": 3840, "bitrate": 9000}}
    answers = await asyncio.gather(
        server.call("PUT", path, four_k), server.call("PUT", path, {"model_asset_id": "bob"})
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]


async def test_the_numbers_of_lists_follow_every_change(server: Server) -> None:
    async def counts() -> tuple[int, int, int, int]:
        listed = (await server.call("GET", "/smart-chat-rooms?limit=1")).json()
        robots = (await server.call("GET", f"{ROBOT}?limit=1")).json()["count"]
        started = (await server.call("GET", f"{jobs(kept)}?limit=1")).json()["count"]
        return listed["count"], listed["count_concurrency"], robots, started

    kept = await server.room(concurrency=5)
    gone, robot = await server.room(concurrency=7), await server.robot()
    for _ in range(3):
        await server.start(kept)
    assert await counts() == (2, 12, 1, 3)
    await server.call("PUT", f"/smart-chat-rooms/{gone}", {"concurrency": 1})
    assert await counts() == (2, 6, 1, 3)
    await server.call("DELETE", f"/smart-chat-rooms/{gone}")
    await server.call("POST", f"{ROBOT}/delete", [robot])
    before = await counts()
    assert before == (1, 5, 0, 3)
    await tallies.recount(server.context.database)
    assert await counts() == before
    named = (await server.call("GET", "/smart-chat-rooms?room_name=ROO")).json()
    assert (named["count"], named["count_concurrency"]) == (1, 5), "a filtered list counts what it finds"


async def test_a_project_has_so_many_rooms(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MOST", 1)
    room = await server.room()
    refused = await server.call("POST", "/smart-chat-rooms", {"room_name": "second"})
    assert error(refused) == (409, "MSS.00000003")
    await server.call("DELETE", f"/smart-chat-rooms/{room}")
    await server.room()


# --- third-party users --------------------------------------------------------------------------------------


async def test_third_party_users_do_not_see_each_other_s_rooms_and_robots(server: Server) -> None:
    room = (await server.call("POST", "/smart-chat-rooms", {"room_name": "r"}, headers=ANN)).json()["room_id"]
    robot = (await server.call("POST", ROBOT, {"name": "r", "app_type": 7}, headers=ANN)).json()["robot_id"]
    for method, path, body, key in (
        ("GET", f"/smart-chat-rooms/{room}", None, "MSS.20010045"),
        ("PUT", f"/smart-chat-rooms/{room}", {"room_name": "mine"}, "MSS.20010045"),
        ("DELETE", f"/smart-chat-rooms/{room}", None, "MSS.20010045"),
        ("GET", f"{ROBOT}/{robot}", None, "MSS.47010033"),
        ("PUT", f"{ROBOT}/{robot}", {"name": "mine"}, "MSS.47010033"),
        ("POST", f"{ROBOT}/delete", [robot], "MSS.47010033"),
        ("POST", "/smart-chat-rooms", {"room_name": "r", "robot_id": robot}, "MSS.47010033"),
        ("POST", ROBOT, {"name": "r", "app_type": 7, "room_id": room}, "MSS.20010045"),
    ):
        assert error(await server.call(method, path, body, headers=BOB)) == (404, key), (method, path)
    for path in ("/smart-chat-rooms", ROBOT):
        counts = [(await server.call("GET", path, headers=who)).json()["count"] for who in (ANN, BOB, {})]
        assert counts == [1, 0, 1], "the project's own backend sees all"
    assert (await server.call("GET", f"{ROBOT}/{robot}")).json()["name"] == "r"


async def test_jobs_of_third_party_users(server: Server) -> None:
    everybody_s = await server.room(concurrency=9, robot_id=await server.robot())
    hers = (await server.call("POST", "/smart-chat-rooms", {"room_name": "r", "concurrency": 2}, headers=ANN)).json()[
        "room_id"
    ]
    assert error(await server.call("POST", jobs(hers), headers=BOB)) == (404, "MSS.20010045")
    started = await server.call("POST", jobs(everybody_s), headers=ANN)
    job = f"{jobs(everybody_s)}/{started.json()['job_id']}"
    assert (await server.call("GET", f"{job}/state", headers=ANN)).status_code == 200
    assert error(await server.call("GET", f"{job}/state", headers=BOB)) == (404, "MSS.20010074")
    assert error(await server.call("POST", f"{job}/stop", headers=BOB)) == (404, "MSS.20010074")
    counts = [(await server.call("GET", jobs(everybody_s), headers=who)).json()["count"] for who in (ANN, BOB, {})]
    assert counts == [1, 0, 1]
    assert (await server.call("POST", f"{job}/stop")).status_code == 200


async def test_nobody_s_robot_in_a_shared_room_is_replaced_by_a_user_s(server: Server) -> None:
    shared = await server.room(concurrency=9)
    made = {"name": "hers", "app_type": 7, "room_id": shared}
    hers = (await server.call("POST", ROBOT, made, headers=ANN)).json()["robot_id"]

    async def answering(headers: dict[str, str]) -> str | None:
        job = (await server.call("POST", jobs(shared), headers=headers)).json()["job_id"]
        robot_id: str | None = server.dispatcher.specs[job].robot.robot_id
        return robot_id

    assert [await answering(who) for who in (ANN, BOB, {})] == [hers, None, None]


# --- what goes with what ------------------------------------------------------------------------------------


async def test_what_hangs_on_a_robot_goes_with_it(server: Server) -> None:
    robot, other = await server.robot(), await server.robot()
    room = await server.room()
    database = server.context.database
    for one in (robot, other):
        body = {"robot_id": one, "room_id": room, "valid_period": 0}
        assert (await server.call("POST", "/digital-human-chat/active-code", body)).status_code == 200
        link = {"robot_id": one, "room_id": room}
        assert (await server.call("POST", "/digital-human-chat/create-dialog-url", link)).status_code == 200
        question = {"robot_id": one, "hot_question": "What now?", "language": "CN"}
        assert (await server.call("POST", "/digital-human-chat/hot-question", question)).status_code == 200
        switch = {"robot_id": one, "enable_welcome_speech": True}
        assert (await server.call("POST", "/digital-human-chat/welcome-speech-switch", switch)).status_code == 200
        # Whatever a later version hangs on robots, or on what hangs on them.
        await records.create(database, Record(f"child{one[:8]}", "p1", "some_kind", {}, parent_id=one))
        await records.create(
            database, Record(f"grandchild{one[:8]}", "p1", "other_kind", {}, parent_id=f"child{one[:8]}")
        )

    async def there() -> tuple[int, int]:
        async with database.read() as connection:
            counted = select(func.count()).select_from(records_table)
            codes = select(func.count()).select_from(once_codes)
            return (await connection.execute(counted)).scalar_one(), (await connection.execute(codes)).scalar_one()

    all_records, all_codes = await there()
    assert (await server.call("POST", f"{ROBOT}/delete", [robot])).status_code == 200
    assert await there() == (all_records // 2, all_codes // 2)
    count, _ = await records.listing(database, "p1", "hot_question", Filter(parent_id=other))
    assert count == 1
    await server.call("POST", f"{ROBOT}/delete", [other])
    assert await there() == (0, 0)


async def test_what_opens_a_room_goes_with_it(server: Server) -> None:
    robot, room, other = await server.robot(), await server.room(), await server.room()
    made = await server.robot(room_id=room)
    codes = {}
    for one in (room, other):
        body = {"robot_id": robot, "room_id": one, "valid_period": 0}
        codes[one] = (await server.call("POST", "/digital-human-chat/active-code", body)).json()["active_code"]
    tag = (await server.call("GET", f"{ROBOT}/{made}")).headers["etag"]
    assert (await server.call("DELETE", f"/smart-chat-rooms/{room}")).status_code == 200
    listed = (await server.call("GET", f"/digital-human-chat/active-code?robot_id={robot}")).json()
    assert [code["room_id"] for code in listed["data"]] == [other]
    shown = await server.call("GET", f"{ROBOT}/{made}")
    assert (shown.json()["room_id"], shown.headers["etag"] != tag) == ("", True)
    opened = await server.http.post(
        "/page/v1/sessions",
        json={"project_id": "p1", "room_id": room},
        headers={"X-Once-Code": codes[room], "X-Device-Id": "d" * 16},
    )
    assert error(opened) == (401, "MSS.47010043")


# --- the newer start call -----------------------------------------------------------------------------------


async def test_the_newer_start_call(server: Server) -> None:
    robot = await server.robot()
    room = await server.room(robot_id=robot, concurrency=2)
    newer = f"/smart-chat-rooms/{room}/smart-chat-jobs"
    answer = await server.call("POST", newer, {"client_id": "hall", "region": "cn-north-4"})
    older = await server.call("POST", jobs(room))
    assert (answer.status_code, older.status_code) == (202, 200)
    assert set(answer.json()) == set(older.json())
    job_id = answer.json()["job_id"]
    assert server.dispatcher.specs[job_id].robot.robot_id == robot
    assert (await server.show(room, job_id))["client_id"] == "hall"
    assert error(await server.call("POST", newer, {"room_type": "METALINK"})) == (400, "MSS.47010037")
    assert error(await server.call("POST", newer, {"room_type": "PHONE"})) == (400, "MSS.00000003")
    assert error(await server.call("POST", newer)) == (409, "MSS.20010135")
    bare = await server.room()
    assert error(await server.call("POST", f"/smart-chat-rooms/{bare}/smart-chat-jobs")) == (404, "MSS.47010033")
    assert server.dispatcher.specs.keys() == {job_id, older.json()["job_id"]}


async def test_nothing_hangs_on_another_third_party_users_robot(make_server: MakeServer) -> None:
    server = await make_server()
    made = await server.call("POST", ROBOT, {"name": "guide", "app_type": 7}, headers=ANN)
    robot_id = made.json()["robot_id"]
    question = {"robot_id": robot_id, "hot_question": "Where is the lift?"}
    theirs = await server.call("POST", "/digital-human-chat/hot-question", question, headers=BOB)
    assert error(theirs) == (404, "MSS.47010033")
    own = await server.call("POST", "/digital-human-chat/hot-question", question, headers=ANN)
    assert own.status_code == 200, own.text
