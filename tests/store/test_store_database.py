"""Migrations, encryption, and the command line's doors to the store."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from visavis.settings import Settings
from visavis.store import identity
from visavis.store.database import Database
from visavis.store.keys import BadIdentityError, create_key, create_user
from visavis.store.tables import metadata, users


async def test_migrations_make_exactly_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


def test_the_tables_suit_postgresql() -> None:
    made = [str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in metadata.sorted_tables]
    assert any("DOUBLE PRECISION" in text for text in made)


async def test_errors_of_the_database_do_not_tell_what_was_stored(database: Database) -> None:
    await identity.put_user(database, (await identity.ensure_project(database, "p1", 1.0)).id, "ann", "a-hash", 1.0)
    row = {"id": "other", "name": "ann", "password_hash": "hushhush", "created_at": 1.0}
    with pytest.raises(IntegrityError) as error:
        async with database.write() as connection:
            await connection.execute(users.insert().values(**row))
    assert "hushhush" not in str(error.value)


async def test_sqlite_writes_ahead(tmp_path: Path) -> None:
    await (await Database.open(Settings(data=tmp_path))).close()
    with sqlite3.connect(tmp_path / "visavis.sqlite3") as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def broken() -> None:
        async with database.write() as connection:
            await connection.execute(metadata.tables["projects"].delete())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken()
    assert await identity.project(database, "p1") is not None


def test_keys_and_users_from_the_command_line(tmp_path: Path, database_url: str) -> None:
    settings = Settings(data=tmp_path / "new" / "folder", database_url=database_url)
    first, second = create_key(settings, "p1"), create_key(settings, "p1")
    assert first.ak != second.ak
    assert first.project_id == "p1"
    user = create_user(settings, "p1", "ann", "long enough")
    assert create_user(settings, "p1", "ann", "another password") == user
    assert first.sk not in repr(first)

    async def look() -> None:
        database = await Database.open(settings)
        try:
            assert await identity.find_key(database, first.ak, 1.0) == first
            assert await identity.find_key(database, "nobody", 1.0) is None
            found = await identity.find_user(database, "ann")
            assert found is not None
            assert identity.password_matches(found.password_hash, "another password")
            assert not identity.password_matches(found.password_hash, "long enough")
        finally:
            await database.close()

    asyncio.run(look())


def test_keys_can_be_made_while_a_server_uses_the_database(settings: Settings) -> None:
    async def serve() -> None:
        database = await Database.open(settings)
        try:
            keys = await asyncio.gather(*(asyncio.to_thread(create_key, settings, f"p{n}") for n in range(4)))
            for key in keys:
                assert await identity.find_key(database, key.ak, 1.0) == key
        finally:
            await database.close()

    asyncio.run(serve())


@pytest.mark.parametrize("project", ["", "a/b", "a b", "x" * 65, "项目"])
def test_bad_project_ids(tmp_path: Path, project: str) -> None:
    with pytest.raises(BadIdentityError):
        create_key(Settings(data=tmp_path), project)


def test_bad_names_and_passwords(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    create_key(settings, "p1", name="cn-north-4")
    with pytest.raises(BadIdentityError, match="named"):
        create_key(settings, "p2", name="cn-north-4")
    for name, password in (("", "long enough"), ("n" * 65, "long enough"), ("ann", "short")):
        with pytest.raises(BadIdentityError):
            create_user(settings, "p1", name, password)
