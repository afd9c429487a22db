"""Writers at the same time, in threads and with connections of their own: nothing that was written gets lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from visavis.settings import Settings
from visavis.store import identity, jobs, records, robots, rooms
from visavis.store.database import Database
from visavis.store.jobs import Job
from visavis.store.records import Record
from visavis.store.robots import Robot

_WRITERS = 4
_ROUNDS = 12


def together(settings: Settings, work: Callable[[Database, int], Awaitable[Any]]) -> list[Any]:
    """``work`` in as many threads, each with a loop and a database of its own, as servers have them; their results."""
    gate = threading.Barrier(_WRITERS)
    results: list[Any] = [None] * _WRITERS

    async def one(number: int) -> None:
        database = await Database.open(settings)
        try:
            await asyncio.to_thread(gate.wait, 30)
            results[number] = await work(database, number)
        finally:
            await database.close()

    def run(number: int) -> None:
        try:
            asyncio.run(one(number))
        except BaseException as error:
            results[number] = error
            gate.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def alone(settings: Settings, work: Callable[[Database], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        database = await Database.open(settings)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(main())


def test_counting_in_one_record(settings: Settings) -> None:
    async def make(database: Database) -> None:
        await identity.ensure_project(database, "p1", 1.0)
        await records.create(database, Record("counter", "p1", "role", {"n": 0}))

    async def count(database: Database, number: int) -> None:
        for _ in range(_ROUNDS):
            await records.update_record(
                database, "p1", "role", "counter", lambda old: replace(old, document={"n": old.document["n"] + 1}), 2.0
            )

    alone(settings, make)
    together(settings, count)
    found = alone(settings, lambda database: records.get(database, "p1", "role", "counter"))
    assert (found.document["n"], found.version) == (_WRITERS * _ROUNDS, _WRITERS * _ROUNDS + 1)


def test_of_those_who_change_one_version_one_wins(settings: Settings) -> None:
    async def make(database: Database) -> None:
        await identity.ensure_project(database, "p1", 1.0)
        await records.create(database, Record("one", "p1", "role", {"by": []}))

    async def change(database: Database, number: int) -> int:
        won = 0
        for turn in range(_ROUNDS):
            seen = await records.get(database, "p1", "role", "one")
            assert seen is not None
            mine = {"by": [*seen.document["by"], f"{number} {turn}"]}
            try:
                await records.update_record(
                    database, "p1", "role", "one", partial(replace, document=mine), 2.0, expected=seen.version
                )
                won += 1
            except records.VersionConflictError:
                pass
        return won

    alone(settings, make)
    won = sum(together(settings, change))
    found = alone(settings, lambda database: records.get(database, "p1", "role", "one"))
    assert len(found.document["by"]) == won == found.version - 1 >= _ROUNDS


def test_fields_of_one_robot(settings: Settings) -> None:
    async def make(database: Database) -> None:
        await identity.ensure_project(database, "p1", 1.0)
        await robots.create(database, Robot("robot", "p1", "r", 7, "CHAT", "", {}, 1.0, 1.0))

    async def change(database: Database, number: int) -> None:
        for turn in range(_ROUNDS):
            fields = {"config": {f"writer {number} turn {turn}": True}}
            await robots.update_robot(database, "p1", "robot", {}, fields, {"config": {f"{number} {turn}": "s"}}, 2.0)

    alone(settings, make)
    together(settings, change)
    found = alone(settings, lambda database: robots.get(database, "p1", "robot"))
    assert len(found.settings["config"]) == len(found.secrets["config"]) == _WRITERS * _ROUNDS


def test_fields_of_one_room(settings: Settings) -> None:
    async def make(database: Database) -> str:
        await identity.ensure_project(database, "p1", 1.0)
        return (await rooms.create(database, "p1", "room", "", 0, {}, 1.0)).id

    room_id = alone(settings, make)

    async def change(database: Database, number: int) -> None:
        for turn in range(_ROUNDS):
            concurrency = {"concurrency": number * _ROUNDS + turn} if number == 0 else {}
            await rooms.update_room(database, "p1", room_id, concurrency, {f"{number} {turn}": True}, 2.0)
            if turn < 3:
                mine = await rooms.create(database, "p1", f"{number} {turn}", "", 1, {}, 2.0)
                if turn == 0:
                    await rooms.remove(database, "p1", mine.id)

    together(settings, change)
    found = alone(settings, lambda database: rooms.get(database, "p1", room_id))
    assert len(found.settings) == _WRITERS * _ROUNDS
    assert (found.version, found.concurrency) == (_WRITERS * _ROUNDS + 1, _ROUNDS - 1)
    left = _WRITERS * 2
    count, total, page = alone(settings, lambda database: rooms.listing(database, "p1", rooms.EVERY_ROOM, 0, 100))
    assert (count, total) == (len(page), sum(room.concurrency for room in page)) == (left + 1, left + _ROUNDS - 1)


def test_places_in_a_room(settings: Settings) -> None:
    async def make(database: Database) -> str:
        await identity.ensure_project(database, "p1", 1.0)
        return (await rooms.create(database, "p1", "room", "", 5, {}, 1.0)).id

    room_id = alone(settings, make)

    async def start(database: Database, number: int) -> int:
        placed = 0
        for _ in range(_ROUNDS):
            job = Job(
                jobs.new_id(), "p1", room_id, "", jobs.new_id(), [], {}, "CN", created_at=1.0, updated_at=1.0
            )  # fmt: skip
            try:
                await jobs.place(database, job)
                placed += 1
            except jobs.RoomFullError:
                pass
        return placed

    assert sum(together(settings, start)) == 5


def test_projects_and_users_made_by_all_at_once(settings: Settings) -> None:
    async def make(database: Database, number: int) -> tuple[str, str]:
        await identity.ensure_project(database, "p1", 1.0)
        user = await identity.put_user(database, "p1", "ann", f"hash {number}", 1.0)
        return user, (await identity.rtc_key(database, "p1")).app_key

    made = together(settings, make)
    assert len(set(made)) == 1
