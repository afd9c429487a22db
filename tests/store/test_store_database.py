"""Migrations, encryption, and the command line's doors to the store."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
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
from visavis.store.vault import Vault, VaultError


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


async def test_sqlite_writes_ahead(database: Database, tmp_path: Path) -> None:
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


def test_the_vault_keeps_secrets(tmp_path: Path) -> None:
    vault = Vault.open(Settings(data=tmp_path))
    sealed = vault.seal("hush 密", "here")
    assert "hush" not in sealed
    assert vault.seal("hush 密", "here") != sealed
    assert Vault.open(Settings(data=tmp_path)).unseal(sealed, "here") == "hush 密"
    for other, text, purpose in (
        (vault, sealed, "elsewhere"),
        (vault, sealed[:-8] + "AAAAAAA=", "here"),
        (vault, "not base64!", "here"),
        (vault, "", "here"),
        (Vault.open(Settings(data=tmp_path, secret_key="another")), sealed, "here"),
    ):
        with pytest.raises(VaultError):
            other.unseal(text, purpose)


def test_a_key_from_the_settings_needs_no_file(tmp_path: Path) -> None:
    sealed = Vault.open(Settings(data=tmp_path, secret_key="s")).seal("x", "p")
    assert Vault.open(Settings(data=tmp_path / "elsewhere", secret_key="s")).unseal(sealed, "p") == "x"
    assert list(tmp_path.iterdir()) == []


def test_the_key_file_is_the_owner_s(tmp_path: Path) -> None:
    Vault.open(Settings(data=tmp_path))
    file = tmp_path / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault.open(Settings(data=tmp_path))
    file.chmod(0o600)
    file.write_text("short")
    with pytest.raises(VaultError, match="damaged"):
        Vault.open(Settings(data=tmp_path))


def test_two_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        vaults = list(pool.map(lambda _: Vault.open(settings), range(8)))
    sealed = vaults[0].seal("x", "p")
    assert {vault.unseal(sealed, "p") for vault in vaults} == {"x"}
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_keys_and_users_from_the_command_line(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new" / "folder")
    first, second = create_key(settings, "p1"), create_key(settings, "p1")
    assert first.ak != second.ak
    assert first.project_id == "p1"
    user = create_user(settings, "p1", "ann", "long enough")
    assert create_user(settings, "p1", "ann", "another password") == user
    stored = (settings.data / "visavis.sqlite3").read_bytes()
    for secret in (first.sk, "long enough", "another password"):
        assert secret not in repr(first)
        assert secret.encode() not in stored

    async def look() -> None:
        database = await Database.open(settings)
        try:
            assert await identity.find_key(database, first.ak) == first
            assert await identity.find_key(database, "nobody") is None
            found = await identity.find_user(database, "ann")
            assert found is not None
            assert identity.password_matches(found.password_hash, "another password")
            assert not identity.password_matches(found.password_hash, "long enough")
        finally:
            await database.close()

    asyncio.run(look())


def test_keys_can_be_made_while_a_server_uses_the_database(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)

    async def serve() -> None:
        database = await Database.open(settings)
        try:
            keys = await asyncio.gather(*(asyncio.to_thread(create_key, settings, f"p{n}") for n in range(4)))
            for key in keys:
                assert await identity.find_key(database, key.ak) == key
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
