"""Single rows read past the pool: the same values as through it, what is committed now, and the ordinary way when that fails."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import bindparam, insert, select, update

from visavis.settings import Settings
from visavis.store import identity
from visavis.store.database import Database
from visavis.store.quick import Lookup
from visavis.store.tables import rooms

ROOM = Lookup(select(rooms).where(rooms.c.id == bindparam("room_id")))
SETTINGS = {"name": "大厅", "list": [1, 2.5, None, True], "empty": {}}


@pytest_asyncio.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(Settings(data=tmp_path / "data", database_url=database_url))
    await identity.ensure_project(opened, "p1", 1.0)
    async with opened.write() as connection:
        values = {"name": "n", "robot_id": "", "concurrency": 2, "settings": SETTINGS, "updated_at": 2.5}
        await connection.execute(insert(rooms).values(id="r1", project_id="p1", created_at=1.5, **values))
    yield opened
    await opened.close()


async def test_a_row_has_the_values_that_the_pool_gives(database: Database) -> None:
    async with database.read() as connection:
        usual = (await connection.execute(select(rooms))).one()
    quick = await ROOM.first(database, room_id="r1")
    assert database.quick is not None
    assert quick._asdict() == usual._asdict()
    assert quick.settings == SETTINGS
    assert await ROOM.first(database, room_id="r2") is None


async def test_it_sees_what_is_committed_and_nothing_else(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(rooms).values(name="new"))
        assert (await ROOM.first(database, room_id="r1")).name == "n"
    assert (await ROOM.first(database, room_id="r1")).name == "new"


async def test_what_fails_is_read_in_the_ordinary_way(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    quick: Any = database.quick

    async def broken(lookup: Lookup, given: dict[str, Any]) -> Any:
        raise OSError if database.quick.__class__.__name__ == "PostgresReader" else sqlite3.OperationalError("locked")

    monkeypatch.setattr(quick, "first", broken)
    assert (await ROOM.first(database, room_id="r1")).settings == SETTINGS
