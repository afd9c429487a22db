"""Every migration forward and back, with things stored, on both databases."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, inspect, select, text

from visavis.settings import Settings
from visavis.store import identity
from visavis.store.database import Database, RevisionError, alembic_config
from visavis.store.tables import metadata


@pytest.fixture
def settings(tmp_path: Path, database_kind: str, postgres: Any) -> Settings:
    """Of a database of the test's own: its tables come and go."""
    return Settings(data=tmp_path, database_url=postgres.fresh() if database_kind == "postgresql" else "")


async def at(database: Database, work: Callable[[Connection], Any]) -> Any:
    async with database.write() as connection:
        return await connection.run_sync(work)


def to(revision: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        config = alembic_config(connection)
        current = MigrationContext.configure(connection).get_current_revision() or "base"
        newer = revision == "head" or (revision != "base" and (current == "base" or revision > current))
        (command.upgrade if newer else command.downgrade)(config, revision)

    return work


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def revisions() -> list[str]:
    """All of them, the oldest first."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(identity.__file__).parent / "migrations"))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


async def test_each_step_forward_and_back(settings: Settings) -> None:
    database = await Database.open(settings)
    try:
        steps = revisions()
        assert len(steps) >= 4
        seen: dict[str, set[str]] = {}
        for revision in [*steps[-2::-1], "base"]:
            await at(database, to(revision))
            seen[revision] = await at(database, tables)
        assert seen["base"] == set()
        for revision in steps:
            await at(database, to(revision))
            if revision in seen:
                assert await at(database, tables) == seen[revision], f"{revision} back is not {revision} forward"
        assert await at(database, differences) == []
    finally:
        await database.close()


async def test_what_an_older_version_stored_is_kept(settings: Settings) -> None:
    """From the first version's tables: whoever was in a project could do everything, and still can."""
    database = await Database.open(settings)
    try:
        project = await identity.ensure_project(database, "p1", 1.0)
        key = await identity.add_key(database, project.id, 1.0)
        user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
        await at(database, to("0001"))
        await at(database, to("head"))
        found = await identity.find_key(database, key.ak, 2.0)
        assert found == key
        assert [(m.project.id, m.role) for m in await identity.memberships_of(database, user)] == [("p1", "admin")]
        assert (await identity.rtc_key(database, "p1")).app_key
        async with database.write() as connection:  # what refers to a project still ends with it
            await connection.execute(text("DELETE FROM projects"))
            for table in ("access_keys", "memberships"):
                assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar() == 0
    finally:
        await database.close()


async def test_going_back_widens_nobody_s_rights(settings: Settings) -> None:
    """The version before roles would take a viewer for an admin: it does not get to see them."""
    from visavis.contract.roles import Role
    from visavis.store import codes, tokens

    database = await Database.open(settings)
    try:
        await identity.ensure_project(database, "p1", 1.0)
        admin = await identity.add_key(database, "p1", 1.0)
        await identity.add_key(database, "p1", 1.0, Role.VIEWER)
        await identity.put_user(database, "p1", "ann", "hash", 1.0, Role.OPERATOR)
        await identity.put_user(database, "p1", "bob", "hash", 1.0, Role.ADMIN)
        await tokens.issue_key(database, "p1", Role.ADMIN, None, admin.ak, 1.0, 900)
        await codes.create(database, "p1", 1.0, room_id="one room")
        await at(database, to("0003"))
        async with database.read() as connection:
            assert (await connection.execute(text("SELECT ak FROM access_keys"))).scalars().all() == [admin.ak]
            query = text("SELECT name FROM users JOIN memberships ON users.id = user_id")
            assert (await connection.execute(query)).scalars().all() == ["bob"]
            assert (await connection.execute(text("SELECT count(*) FROM once_codes"))).scalar() == 0
    finally:
        await database.close()


async def test_back_for_an_older_version_and_forward_again(settings: Settings) -> None:
    database = await Database.open(settings)
    await identity.ensure_project(database, "p1", 1.0)
    await database.close()
    await (await Database.open(settings, "0001")).close()
    database = await Database.open(settings, "0002")
    try:
        assert "assets" in await at(database, tables)
        assert "audit" not in await at(database, tables)
    finally:
        await database.close()
    with pytest.raises(RevisionError, match="0001, 0002"):
        await Database.open(settings, "0815")
    database = await Database.open(settings)
    try:
        assert await at(database, differences) == []
        assert await identity.project(database, "p1") is not None
        async with database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(RevisionError, match="newer version"):
            await Database.open(settings)
    finally:
        await database.close()


async def test_servers_that_start_together_migrate_once(settings: Settings) -> None:
    opened = await asyncio.gather(*(Database.open(settings) for _ in range(4)))
    try:
        assert await at(opened[0], differences) == []
    finally:
        for database in opened:
            await database.close()


async def test_a_failed_migration_leaves_the_tables_as_they_were(
    tmp_path: Path, database_kind: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await Database.open(settings)
    try:
        await identity.ensure_project(database, "p1", 1.0)
        broken = tmp_path / "migrations"
        await asyncio.to_thread(shutil.copytree, Path(identity.__file__).parent / "migrations", broken)
        last = revisions()[-1]
        (broken / "versions" / "9999_broken.py").write_text(
            f"import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = '9999', {last!r}\n"
            "branch_labels = depends_on = None\n"
            "def upgrade():\n"
            "    op.create_table('half', sa.Column('id', sa.Integer, primary_key=True))\n"
            "    op.execute('DELETE FROM projects')\n"
            "    raise RuntimeError('in the middle')\n"
        )
        monkeypatch.setattr("visavis.store.database._MIGRATIONS", broken)
        with pytest.raises(RuntimeError, match="in the middle"):
            await Database.open(settings)
        assert "half" not in await at(database, tables)
        assert await identity.project(database, "p1") is not None
    finally:
        await database.close()


# --- with rows in every table -----------------------------------------------------------------------------


def rows_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """All there is, by table."""
    found = MetaData()
    found.reflect(connection)
    return {
        table.name: [dict(row._mapping) for row in connection.execute(table.select())]
        for table in found.sorted_tables
        if table.name != "alembic_version"
    }


def fill_empty_tables(connection: Connection) -> None:
    """Two rows in each table that has none, with a value in every column; whatever they refer to is there."""
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name == "alembic_version" or connection.execute(table.select()).first() is not None:
            continue
        for number in (1, 2):
            values = {}
            for column in table.columns:
                if column.foreign_keys:
                    target = next(iter(column.foreign_keys)).column
                    values[column.name] = (
                        connection.execute(select(target).order_by(target)).scalars().all()[number - 1]
                    )
                else:
                    values[column.name] = _value(column, number)
            connection.execute(table.insert().values(values))


def _value(column: Column[Any], number: int) -> Any:
    try:
        kind = column.type.python_type
    except NotImplementedError:
        kind = dict
    made = {bool: bool(number % 2), int: number, float: float(number), str: f"v{number}", bytes: b"v%d" % number}
    return made.get(kind, {"v": number})


def broken_references(connection: Connection) -> list[Any]:
    """Rows that refer to nothing; PostgreSQL has none by itself."""
    return list(connection.execute(text("PRAGMA foreign_key_check"))) if connection.dialect.name == "sqlite" else []


async def test_rows_of_every_table_come_along(settings: Settings) -> None:
    """Each table is filled as soon as it is there; every later step finds its rows, forward and back and forward again."""
    database = await Database.open(settings)
    try:
        steps = revisions()
        await at(database, to("base"))
        for revision in steps:
            before = await at(database, rows_of) if revision != steps[0] else {}
            await at(database, to(revision))
            after = await at(database, rows_of)
            for table, old in before.items():
                for row in old:
                    assert any(_same(row, new) for new in after[table]), f"{revision} loses or changes a row of {table}"
            await at(database, fill_empty_tables)
        full = await at(database, rows_of)
        assert all(full.values()), "a table without rows shows nothing"
        assert await at(database, broken_references) == []
        for revision in [*steps[-2::-1], "base"]:
            await at(database, to(revision))
            if revision != "base":
                assert await at(database, broken_references) == [], revision
                await at(database, fill_empty_tables)  # what an older version would go on to write
        await at(database, to(steps[0]))
        await at(database, fill_empty_tables)
        await at(database, to("head"))
        assert await at(database, differences) == []
        assert await at(database, broken_references) == []
    finally:
        await database.close()


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the columns that both have are equal."""
    return all(new[name] == value for name, value in old.items() if name in new)
