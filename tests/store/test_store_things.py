"""Robots, rooms, jobs, tokens and codes in the store: atomicity and isolation."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from visavis.contract.jobs import IllegalEventError, JobEventType, JobState
from visavis.settings import Settings
from visavis.store import codes, identity, jobs, robots, rooms, tokens
from visavis.store.database import Database
from visavis.store.jobs import Detail, Job
from visavis.store.robots import Robot

E = JobEventType


def a_job(room_id: str, project_id: str = "p1", robot_id: str = "") -> Job:
    return Job(
        id=jobs.new_id(),
        project_id=project_id,
        room_id=room_id,
        robot_id=robot_id,
        rtc_room_id=jobs.new_id(),
        users=[{"user_type": "END_USER", "user_id": "u"}],
        settings={"client_id": ""},
        language="CN",
        created_at=10.0,
        updated_at=10.0,
    )


async def a_room(database: Database, concurrency: int = 1, project_id: str = "p1", robot_id: str = "") -> str:
    room = await rooms.create(database, project_id, "room", robot_id, concurrency, {}, 5.0)
    return room.id


async def a_robot(database: Database, project_id: str = "p1", **more: Any) -> str:
    robot = Robot(robots.new_id(), project_id, "r", 6, "CHAT", "", {}, 1.0, 1.0)
    await robots.create(database, dataclasses.replace(robot, **more))
    return robot.id


async def placed(database: Database) -> Job:
    job = a_job(await a_room(database))
    await jobs.place(database, job)
    return job


async def test_concurrent_starts_never_exceed_the_concurrency(database: Database) -> None:
    room_id = await a_room(database, concurrency=3)
    results = await asyncio.gather(*(jobs.place(database, a_job(room_id)) for _ in range(12)), return_exceptions=True)
    assert results.count(None) == 3
    assert sum(isinstance(result, jobs.RoomFullError) for result in results) == 9


async def test_nor_do_starts_of_several_servers(database: Database, settings: Settings) -> None:
    others = [await Database.open(settings) for _ in range(3)]
    try:
        room_id = await a_room(database, concurrency=2)
        results = await asyncio.gather(
            *(jobs.place(other, a_job(room_id)) for other in others * 3), return_exceptions=True
        )
        assert results.count(None) == 2
    finally:
        for other in others:
            await other.close()


async def test_an_ended_job_makes_room(database: Database) -> None:
    job = await placed(database)
    await jobs.apply(database, job.id, E.FAILED, 11.0)
    await jobs.place(database, a_job(job.room_id))


async def test_a_room_that_is_gone_takes_no_job(database: Database) -> None:
    room_id = await a_room(database)
    await rooms.remove(database, "p1", room_id)
    with pytest.raises(jobs.RoomGoneError):
        await jobs.place(database, a_job(room_id))


async def test_a_room_of_another_project_takes_no_job(database: Database) -> None:
    room_id = await a_room(database, project_id="p2")
    with pytest.raises(jobs.RoomGoneError):
        await jobs.place(database, a_job(room_id, project_id="p1"))


async def test_the_life_of_a_job(database: Database) -> None:
    job = await placed(database)
    steps: list[tuple[JobEventType, Detail | None]] = [
        (E.HELD, None),
        (E.HEARTBEAT, None),
        (E.CHAT_STATE, Detail(chat_state=2)),
        (E.CHAT_STATE, Detail(chat_state=4)),
        (E.LANGUAGE, Detail(language="EN")),
        (E.ENDED, None),
    ]
    seen = job
    for second, (event, detail) in enumerate(steps, start=20):
        after = await jobs.apply(database, job.id, event, float(second), detail)
        assert after is not None
        assert after.updated_at == second
        seen = after
    assert (seen.state, seen.finish_reason, seen.chat_state, seen.linked) == (JobState.SUCCEED, "NORMAL", 1, True)
    assert (seen.started_at, seen.ended_at, seen.language) == (20.0, 25.0, "EN")
    assert seen.duration(1000.0) == 5.0
    with pytest.raises(IllegalEventError):
        await jobs.apply(database, job.id, E.HEARTBEAT, 30.0)
    assert await jobs.by_id(database, job.id) == seen


async def test_duration_counts_from_the_worker_on(database: Database) -> None:
    job = await placed(database)
    assert job.duration(100.0) == 0.0
    held = await jobs.apply(database, job.id, E.HELD, 20.0)
    assert held is not None
    assert held.duration(23.5) == 3.5


async def test_events_of_unknown_jobs(database: Database) -> None:
    assert await jobs.apply(database, "nobody", E.HELD, 1.0) is None


async def test_what_ran_when_the_server_died_is_failed(database: Database) -> None:
    room_id = await a_room(database, concurrency=5)
    waiting, held, ended = a_job(room_id), a_job(room_id), a_job(room_id)
    for job in (waiting, held, ended):
        await jobs.place(database, job)
    await jobs.apply(database, held.id, E.HELD, 20.0)
    await jobs.apply(database, ended.id, E.CANCELED, 20.0)
    failed = await jobs.fail_active(database, 50.0, Detail(error_code="C", error_msg="why"))
    assert {job.id for job in failed} == {waiting.id, held.id}
    assert {(job.state, job.error_code, job.error_msg, job.ended_at) for job in failed} == {
        ("FAILED", "C", "why", 50.0)
    }
    kept = await jobs.by_id(database, ended.id)
    assert kept is not None
    assert kept.state == "CANCELED"
    assert await jobs.running(database) == 0


async def test_projects_do_not_see_each_other(database: Database) -> None:
    robot_id = await a_robot(database)
    room_id = await a_room(database, robot_id=robot_id)
    job = a_job(room_id)
    await jobs.place(database, job)
    nothing = rooms.RoomFilter()
    assert await rooms.get(database, "p2", room_id) is None
    assert await rooms.update_room(database, "p2", room_id, {"name": "x"}, {}, 1.0) is None
    assert await rooms.remove(database, "p2", room_id) is False
    assert (await rooms.listing(database, "p2", nothing, 0, 10))[0] == 0
    assert await robots.get(database, "p2", robot_id) is None
    assert await robots.update_robot(database, "p2", robot_id, {}, {}, {}, 1.0) is None
    assert await robots.remove(database, "p2", [robot_id]) == [robot_id]
    assert (await robots.listing(database, "p2", "", "", 0, 10))[0] == 0
    assert await jobs.get(database, "p2", room_id, job.id) is None
    assert (await jobs.listing(database, "p2", room_id, [], 0, 10))[0] == 0
    with pytest.raises(rooms.UnknownRobotError):
        await rooms.create(database, "p2", "n", robot_id, 1, {}, 1.0)
    with pytest.raises(robots.UnknownRoomError):
        await a_robot(database, "p2", room_id=room_id)
    first, second = await identity.rtc_key(database, "p1"), await identity.rtc_key(database, "p2")
    assert first.app_id != second.app_id
    assert first.app_key != second.app_key


async def test_what_is_in_use_is_not_deleted(database: Database) -> None:
    named, running, free = await a_robot(database), await a_robot(database), await a_robot(database)
    room_id = await a_room(database, robot_id=named)
    job = a_job(room_id, robot_id=running)
    await jobs.place(database, job)
    for used in (named, running):
        with pytest.raises(robots.RobotInUseError):
            await robots.remove(database, "p1", [free, used])
    with pytest.raises(rooms.RoomBusyError):
        await rooms.remove(database, "p1", room_id)
    assert await robots.remove(database, "p1", [free, "unknown"]) == ["unknown"]
    assert await robots.get(database, "p1", free) is not None, "all or none"
    await jobs.apply(database, job.id, E.CANCELED, 20.0)
    assert await rooms.remove(database, "p1", room_id)
    assert await robots.remove(database, "p1", [named, running, free]) == []


async def test_a_robot_s_secrets_are_kept_apart_and_merged(database: Database) -> None:
    robot_id = await a_robot(
        database,
        settings={"third_party_model_config": {"llm_url": "http://a", "chat_rounds": 2}},
        secrets={"third_party_model_config": {"app_key": "very-secret-key"}},
    )
    await robots.update_robot(database, "p1", robot_id, {}, {"third_party_model_config": {"chat_rounds": 9}}, {}, 2.0)
    robot = await robots.get(database, "p1", robot_id)
    assert robot is not None
    assert robot.config("third_party_model_config") == {
        "llm_url": "http://a",
        "chat_rounds": 9,
        "app_key": "very-secret-key",
    }
    assert "very-secret-key" not in repr(robot)


async def test_room_lists(database: Database) -> None:
    for number, name in enumerate(("Alpha", "Beta", "alphabet")):
        await rooms.create(database, "p1", name, "", number + 1, {}, float(number))
    count, total, page = await rooms.listing(database, "p1", rooms.RoomFilter(name="ALPHA"), 0, 1)
    assert (count, total, [room.name for room in page]) == (2, 4, ["alphabet"])
    _, _, page = await rooms.listing(database, "p1", rooms.RoomFilter(name="ALPHA"), 1, 1)
    assert [room.name for room in page] == ["Alpha"]
    assert (await rooms.listing(database, "p1", rooms.RoomFilter(name="%"), 0, 9))[0] == 0
    whole = (await rooms.listing(database, "p1", rooms.EVERY_ROOM, 0, 9))[2]
    for wanted, every in ((rooms.EVERY_ROOM, whole), (rooms.RoomFilter(name="a"), whole)):
        for offset in range(6):
            found = (await rooms.listing(database, "p1", wanted, offset, 2))[2]
            assert found == every[offset : offset + 2], "pages of the further half are read from the other end"
    await jobs.place(database, a_job(page[0].id))
    recent = rooms.RoomFilter(job_from=9.0, job_to=11.0)
    assert [room.name for room in (await rooms.listing(database, "p1", recent, 0, 9))[2]] == ["Alpha"]
    assert (await rooms.listing(database, "p1", rooms.RoomFilter(job_from=11.0), 0, 9))[0] == 0


async def test_a_code_is_used_once(database: Database) -> None:
    code = await codes.create(database, "p1", 100.0)
    assert not await codes.consume(database, "p2", code, 101.0)
    used = await asyncio.gather(*(codes.consume(database, "p1", code, 101.0) for _ in range(10)))
    assert used.count(True) == 1
    assert not await codes.consume(database, "p1", code, 102.0)


async def test_a_code_ends_after_five_minutes(database: Database) -> None:
    first, second = await codes.create(database, "p1", 0.0), await codes.create(database, "p1", 0.0)
    assert await codes.consume(database, "p1", first, 299.9)
    assert not await codes.consume(database, "p1", second, 300.0)


async def test_tokens(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    token = await tokens.issue(database, user, "p1", 100.0, 50.0)
    info = await tokens.find(database, token, 149.0)
    assert info is not None
    assert (info.user_id, info.project_id) == (user, "p1")
    assert await tokens.find(database, token, 150.0) is None
    assert await tokens.find(database, token + "x", 149.0) is None
    fresh = await tokens.issue(database, user, "p1", 100.0, 50.0)
    await identity.put_user(database, "p1", "ann", "other hash", 101.0)
    assert await tokens.find(database, fresh, 102.0) is None, "a new password ends old tokens"


async def test_a_token_for_a_project_the_user_left(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    token = await tokens.issue(database, user, "p2", 100.0, 50.0)
    assert await tokens.find(database, token, 101.0) is None
    assert [project.id for project in await identity.user_projects(database, user)] == ["p1"]
