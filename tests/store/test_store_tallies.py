"""The kept numbers of rooms, robots and jobs, where something else than this version has written them."""

from __future__ import annotations

from pathlib import Path

from visavis.settings import Settings
from visavis.store import identity, jobs, robots, rooms
from visavis.store.database import Database
from visavis.store.jobs import Job
from visavis.store.robots import Robot


async def test_what_an_older_version_stored_is_counted_and_nobody_s(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    database = await Database.open(settings)
    await identity.ensure_project(database, "p1", 1.0)
    room = await rooms.create(database, "p1", "room", "", 5, {}, 1.0, "ann")
    await rooms.create(database, "p1", "other", "", 2, {}, 2.0)
    await robots.create(database, Robot(robots.new_id(), "p1", "r", 7, "CHAT", "", {}, 1.0, 1.0))
    job = Job(jobs.new_id(), "p1", room.id, "", jobs.new_id(), [], {}, "CN", created_at=1.0, updated_at=1.0)
    await jobs.place(database, job)
    await database.close()
    await (await Database.open(settings, "0006")).close()
    database = await Database.open(settings)
    try:
        count, total, page = await rooms.listing(database, "p1", rooms.EVERY_ROOM, 0, 10)
        assert (count, total, [(one.name, one.app_user_id, one.version) for one in page]) == (
            2,
            7,
            [("other", "", 1), ("room", "", 1)],
        )
        assert (await robots.listing(database, "p1", "", "", 0, 10))[0] == 1
        assert (await jobs.listing(database, "p1", room.id, [], 0, 10))[0] == 1
    finally:
        await database.close()
