"""Secrets at rest: envelopes, key files, new keys beside a running server, and what a dump shows."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import update

from visavis.contract.roles import Role
from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store import attempts, codes, identity, keys, records, robots, rotation, tokens
from visavis.store.database import Database
from visavis.store.records import Record
from visavis.store.robots import Robot
from visavis.store.tables import access_keys, metadata
from visavis.store.vault import Vault, VaultError, key_id_of, read_keys

# --- the vault ---------------------------------------------------------------------------------------


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
        (vault, "v1.a.b", "here"),
        (vault, "", "here"),
        (Vault.open(Settings(data=tmp_path, secret_key="another")), sealed, "here"),
    ):
        with pytest.raises(VaultError):
            other.unseal(text, purpose)


def test_each_process_has_a_data_key_of_its_own_which_is_stored_wrapped(tmp_path: Path) -> None:
    first, second = Vault.open(Settings(data=tmp_path)), Vault.open(Settings(data=tmp_path))
    one, two, other = first.seal("a", "p").split("."), first.seal("b", "p").split("."), second.seal("a", "p").split(".")
    assert one[:3] == two[:3]
    assert one[1] == other[1] == first.newest
    assert one[2] != other[2]
    (key,) = read_keys(tmp_path / "secret.key")
    wrapped = base64.urlsafe_b64decode(one[2])
    data_key = AESGCM(key).decrypt(wrapped[:12], wrapped[12:], b"visavis data key")
    body = base64.urlsafe_b64decode(one[3])
    assert AESGCM(data_key).decrypt(body[:12], body[12:], b"p") == b"a"


def old_form(vault_key: bytes, text: str, purpose: str) -> str:
    """As the first version sealed it: with the installation's key itself."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(vault_key).encrypt(nonce, text.encode(), purpose.encode())).decode()


def test_what_the_first_version_sealed_can_be_read(tmp_path: Path) -> None:
    vault = Vault.open(Settings(data=tmp_path))
    (key,) = read_keys(tmp_path / "secret.key")
    sealed = old_form(key, "hush", "p")
    assert key_id_of(sealed) == ""
    assert vault.unseal(sealed, "p") == "hush"
    with pytest.raises(VaultError):
        vault.unseal(sealed, "q")


def test_a_key_from_the_settings_needs_no_file(tmp_path: Path) -> None:
    sealed = Vault.open(Settings(data=tmp_path, secret_key="s")).seal("x", "p")
    assert Vault.open(Settings(data=tmp_path / "elsewhere", secret_key="s")).unseal(sealed, "p") == "x"
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_elsewhere(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", secret_key_file=tmp_path / "keys" / "visavis")
    Vault.open(settings)
    assert len(read_keys(tmp_path / "keys" / "visavis")) == 1
    assert not (tmp_path / "data").exists()


def test_the_key_file_is_the_owner_s(tmp_path: Path) -> None:
    Vault.open(Settings(data=tmp_path))
    file = tmp_path / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault.open(Settings(data=tmp_path))
    file.chmod(0o600)
    for damaged in ("short", "", "00" * 32 + "\n" + "00" * 31):
        file.write_text(damaged)
        with pytest.raises(VaultError, match="damaged"):
            Vault.open(Settings(data=tmp_path))


def test_two_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        vaults = list(pool.map(lambda _: Vault.open(settings), range(8)))
    sealed = vaults[0].seal("x", "p")
    assert {vault.unseal(sealed, "p") for vault in vaults} == {"x"}
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


# --- what is stored ----------------------------------------------------------------------------------


def a_robot(number: int, secret: str) -> Robot:
    secrets = {"third_party_model_config": {"app_key": secret}}
    return Robot(f"robot{number}", "p1", "r", 6, "CHAT", "", {}, 1.0, 1.0, secrets)


async def fill(database: Database) -> dict[str, str]:
    """One of every secret there is; each in clear, by what it is."""
    key = await identity.add_key(database, "p1", 1.0)
    user = await identity.put_user(database, "p1", "ann", identity.hash_password("the-password-of-ann"), 1.0)
    temporary = await tokens.issue_key(database, "p1", Role.ADMIN, user, key.ak, 1.0, 900)
    await robots.create(database, a_robot(1, "the-app-key-of-a-robot"))
    await records.create(
        database, Record("r1", "p1", "role", {"name": "n"}, secrets={"api_key": "the-key-of-a-record"})
    )
    activation = "the-activation-code"
    await attempts.failed(database, activation, 1.0, attempts.Rule())
    return {
        "SK": key.sk,
        "password": "the-password-of-ann",
        "temporary SK": temporary.key.sk,
        "security token": temporary.security_token,
        "token": await tokens.issue(database, user, "p1", 1.0, 60.0),
        "one-time code": await codes.create(database, "p1", 1.0),
        "RTC key": (await identity.rtc_key(database, "p1")).app_key,
        "robot's key": "the-app-key-of-a-robot",
        "record's key": "the-key-of-a-record",
        "guessed code": activation,
    }


def dump(settings: Settings, postgres: Any) -> str:
    if settings.database_url:
        return str(postgres.server.dump(settings.database_url.rpartition("/")[2]))
    with sqlite3.connect(settings.data / "visavis.sqlite3") as plain:
        return "\n".join(plain.iterdump())


async def test_a_dump_of_the_database_holds_no_secret(database: Database, settings: Settings, postgres: Any) -> None:
    secrets = await fill(database)
    shown = await asyncio.to_thread(dump, settings, postgres)
    assert {name: secret for name, secret in secrets.items() if secret in shown} == {}
    keys_in_file = (settings.data / "secret.key").read_text().split()
    assert not any(key in shown for key in keys_in_file)
    assert '"name": "n"' in shown, "the search finds what is in clear"


async def test_no_file_of_the_data_folder_holds_a_secret(tmp_path: Path) -> None:
    database = await Database.open(Settings(data=tmp_path))
    try:
        await identity.ensure_project(database, "p1", 1.0)
        secrets = await fill(database)
        for path in tmp_path.iterdir():  # noqa: ASYNC240
            content = path.read_bytes()
            assert [name for name, secret in secrets.items() if secret.encode() in content] == [], path.name
    finally:
        await database.close()


def test_every_encrypted_column_takes_part_in_a_rotation() -> None:
    marked = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if "encrypted" in (column.comment or "")
    }
    assert marked == {f"{sealed.table.name}.{sealed.column.name}" for sealed in rotation.SEALED}


# --- new keys ----------------------------------------------------------------------------------------


async def state(database: Database, ak: str) -> tuple[Any, ...]:
    """Everything that is secret, as the server reads it."""
    key = await identity.find_key(database, ak, 2.0)
    robot = await robots.get(database, "p1", "robot1")
    record = await records.get(database, "p1", "role", "r1")
    assert key is not None
    assert robot is not None
    assert record is not None
    return key.sk, robot.secrets, record.secrets, (await identity.rtc_key(database, "p1")).app_key


async def test_rotation_beside_a_running_server(database: Database, settings: Settings) -> None:
    await fill(database)
    ak = (await identity.add_key(database, "p1", 1.0)).ak
    before, first = await state(database, ak), database.vault.newest
    done = await asyncio.to_thread(rotation.rotate, settings)
    assert done == sum(use.secrets for use in await rotation.usage(database)) == 7

    # The server, which was not told, reads the new ones and writes under the new key.
    assert await state(database, ak) == before
    assert database.vault.newest != first
    await robots.create(database, a_robot(2, "later"))
    usage = {use.id: use for use in await rotation.usage(database)}
    assert (usage[first].secrets, usage[database.vault.newest].secrets) == (0, 8)

    file = settings.data / "secret.key"
    assert len(read_keys(file)) == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await asyncio.to_thread(rotation.prune, settings) == 1
    assert len(read_keys(file)) == 1
    assert await state(database, ak) == before
    assert await asyncio.to_thread(rotation.prune, settings) == 0


async def test_a_secret_written_during_a_rotation_survives_it(database: Database, settings: Settings) -> None:
    """Sealed before the new key was there, stored after everything was encrypted anew: the old key stays for it."""
    late = database.vault.seal(json.dumps({}), "robots.secrets")
    await robots.create(database, a_robot(1, "x"))
    await asyncio.to_thread(rotation.rotate, settings)
    async with database.write() as connection:
        await connection.execute(update(metadata.tables["robots"]).values(secrets=late))
    assert (await robots.get(database, "p1", "robot1")).secrets == {}  # type: ignore[union-attr]
    await asyncio.to_thread(rotation.rotate, settings)
    await asyncio.to_thread(rotation.prune, settings)
    assert (await robots.get(database, "p1", "robot1")).secrets == {}  # type: ignore[union-attr]


async def test_rotation_brings_the_first_version_s_secrets_over(database: Database, settings: Settings) -> None:
    key = await identity.add_key(database, "p1", 1.0)
    (master,) = read_keys(settings.data / "secret.key")
    sealed = old_form(master, "the-old-sk", "access_keys.sk")
    async with database.write() as connection:
        await connection.execute(update(access_keys).values(sk=sealed))
    assert "" in {use.id for use in await rotation.usage(database)}
    await asyncio.to_thread(rotation.rotate, settings)
    await asyncio.to_thread(rotation.prune, settings)
    assert {use.newest for use in await rotation.usage(database)} == {True}
    found = await identity.find_key(database, key.ak, 2.0)
    assert found is not None
    assert found.sk == "the-old-sk"


async def test_rotation_of_many(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_BATCH", 3)
    for number in range(10):
        await robots.create(database, a_robot(number, f"secret {number}"))
        await records.create(database, Record(f"r{number}", "p1", "role", {}, secrets={"k": f"record {number}"}))
    told: list[int] = []
    done = await asyncio.to_thread(rotation.rotate, settings, told.append)
    assert done == 22
    assert told[-1] == 22
    for number in range(10):
        robot = await robots.get(database, "p1", f"robot{number}")
        record = await records.get(database, "p1", "role", f"r{number}")
        assert robot is not None
        assert record is not None
        assert robot.secrets == {"third_party_model_config": {"app_key": f"secret {number}"}}
        assert record.secrets == {"k": f"record {number}"}


def test_rotation_with_keys_of_the_environment(tmp_path: Path) -> None:
    old = Settings(data=tmp_path, secret_key="the old one")
    key = keys.create_key(old, "p1")
    new = Settings(data=tmp_path, secret_key="the new one", secret_keys_before=["the old one"])
    assert keys.list_keys(new)[0].ak == key.ak
    assert rotation.rotate(new) == 2
    alone = Settings(data=tmp_path, secret_key="the new one")

    async def look(settings: Settings) -> str:
        database = await Database.open(settings)
        try:
            found = await identity.find_key(database, key.ak, 1.0)
            assert found is not None
            return found.sk
        finally:
            await database.close()

    assert asyncio.run(look(alone)) == key.sk
    with pytest.raises(VaultError):
        asyncio.run(look(old))
    with pytest.raises(VisavisError, match="VISAVIS_SECRET_KEYS_BEFORE"):
        rotation.prune(new)
    assert not (tmp_path / "secret.key").exists()
