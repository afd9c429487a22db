"""Roles, keys that are rotated and revoked, temporary keys, locks, codes of one room, and the audit log."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import argon2
import pytest

from visavis.contract.roles import Role
from visavis.settings import Settings
from visavis.store import attempts, audit, codes, identity, rosters, tokens
from visavis.store.attempts import Rule
from visavis.store.audit import Entry, Filter
from visavis.store.database import Database
from visavis.store.identity import IdentityError


async def role_of(database: Database, ak: str, now: float = 10.0) -> Role | None:
    """What the key allows, as the server's signature check learns it."""
    found = await identity.find_key(database, ak, now)
    return None if found is None else found.role


# --- roles -------------------------------------------------------------------------------------------


def test_roles_are_in_order() -> None:
    allowed = {(mine, wanted) for mine in Role for wanted in Role if mine.allows(wanted)}
    viewer, operator, admin = Role.VIEWER, Role.OPERATOR, Role.ADMIN
    assert allowed == {
        (viewer, viewer),
        (operator, viewer),
        (operator, operator),
        (admin, viewer),
        (admin, operator),
        (admin, admin),
    }


@pytest.mark.parametrize("of_key", list(Role))
@pytest.mark.parametrize("of_user", list(Role))
async def test_a_user_s_key_allows_the_lesser_of_both(database: Database, of_key: Role, of_user: Role) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0, of_user)
    key = await identity.add_key(database, "p1", 1.0, of_key, user)
    assert await role_of(database, key.ak) == min(of_key, of_user, key=list(Role).index)


async def test_a_changed_role_counts_at_once(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0, Role.ADMIN)
    key = await identity.add_key(database, "p1", 1.0, Role.ADMIN, user)
    token = await tokens.issue(database, user, "p1", 1.0, 100.0)
    for role in (Role.ADMIN, Role.VIEWER, Role.OPERATOR):
        await identity.set_role(database, "p1", "ann", role)
        info = await tokens.find(database, token, 2.0)
        assert info is not None
        assert (info.role, await role_of(database, key.ak)) == (role, role)


async def test_roles_of_unknown_users_and_projects(database: Database) -> None:
    await identity.put_user(database, "p1", "ann", "hash", 1.0)
    for project_id, name in (("p1", "nobody"), ("nowhere", "ann")):
        with pytest.raises(IdentityError, match=r"nobody|nowhere"):
            await identity.set_role(database, project_id, name, Role.VIEWER)
    with pytest.raises(IdentityError, match="not in project"):
        await identity.remove_member(database, "p2", "ann")


async def test_who_leaves_a_project_leaves_with_keys_and_tokens(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    await identity.put_user(database, "p2", "ann", "hash", 1.0)
    keys = {project: await identity.add_key(database, project, 2.0, Role.ADMIN, user) for project in ("p1", "p2")}
    held = {project: await tokens.issue(database, user, project, 2.0, 100.0) for project in ("p1", "p2")}
    await identity.remove_member(database, "p1", "ann")
    assert await role_of(database, keys["p1"].ak) is None
    assert await tokens.find(database, held["p1"], 3.0) is None
    assert await role_of(database, keys["p2"].ak) == Role.ADMIN
    assert await tokens.find(database, held["p2"], 3.0) is not None
    await identity.set_role(database, "p1", "ann", Role.ADMIN)
    assert await role_of(database, keys["p1"].ak) is None, "old keys do not come back"


# --- keys --------------------------------------------------------------------------------------------


async def test_a_rotated_key_and_its_successor_are_both_valid_for_a_while(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    old = await identity.add_key(database, "p1", 1.0, Role.OPERATOR, user)
    new = await identity.rotate_key(database, old.ak, 100.0, 50.0)
    assert (new.project_id, new.role, new.user_id) == ("p1", Role.OPERATOR, user)
    assert new.sk != old.sk
    for now, of_old in ((100.0, Role.OPERATOR), (149.9, Role.OPERATOR), (150.0, None)):
        assert await role_of(database, old.ak, now) == of_old
        assert await role_of(database, new.ak, now) == Role.OPERATOR
    with pytest.raises(IdentityError):
        await identity.rotate_key(database, old.ak, 150.0, 50.0)
    again = await identity.rotate_key(database, new.ak, 200.0, 0.0)
    assert await role_of(database, new.ak, 200.0) is None
    assert await role_of(database, again.ak, 200.0) == Role.OPERATOR


async def test_rotating_twice_does_not_prolong_a_key(database: Database) -> None:
    old = await identity.add_key(database, "p1", 1.0)
    await identity.rotate_key(database, old.ak, 100.0, 50.0)
    await identity.rotate_key(database, old.ak, 120.0, 500.0)
    assert await role_of(database, old.ak, 149.9) == Role.ADMIN
    assert await role_of(database, old.ak, 150.0) is None


async def test_a_revoked_key_is_refused_at_once_by_another_server_too(database: Database, settings: Settings) -> None:
    key = await identity.add_key(database, "p1", 1.0)
    other = await Database.open(settings)
    try:
        for server in (database, other, database, other):  # both remember it by now
            assert await role_of(server, key.ak) == Role.ADMIN
        assert await identity.revoke_key(database, key.ak) == "p1"
        assert await role_of(other, key.ak) is None
        assert await role_of(database, key.ak) is None
    finally:
        await other.close()
    for name in (key.ak, "UNKNOWN"):
        with pytest.raises(IdentityError):
            await identity.revoke_key(database, name)


async def test_revoked_by_another_process(tmp_path: Path) -> None:
    """As an operator does it beside a running server, which remembers keys."""
    settings = Settings(data=tmp_path)
    database = await Database.open(settings)
    try:
        await identity.ensure_project(database, "p1", 1.0)
        key = await identity.add_key(database, "p1", 1.0)
        assert await role_of(database, key.ak) == Role.ADMIN
        command = [sys.executable, "-m", "visavis.cli.main", "key", "revoke", key.ak, "--data", str(tmp_path)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert await role_of(database, key.ak) is None
    finally:
        await database.close()


async def test_a_known_key_costs_no_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await Database.open(Settings(data=tmp_path))
    try:
        await identity.ensure_project(database, "p1", 1.0)
        key = await identity.add_key(database, "p1", 1.0)
        user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
        token = await tokens.issue(database, user, "p1", 1.0, 100.0)
        for _ in range(2):
            assert await role_of(database, key.ak) == Role.ADMIN
            assert await tokens.find(database, token, 2.0) is not None

        def refuse() -> None:
            raise AssertionError("the database was asked")

        monkeypatch.setattr(database, "read", refuse)
        assert await role_of(database, key.ak) == Role.ADMIN
        assert await tokens.find(database, token, 2.0) is not None
        assert await tokens.find(database, token, 101.0) is None, "what is remembered still ends"
    finally:
        monkeypatch.undo()
        await database.close()


# --- temporary keys ----------------------------------------------------------------------------------


async def test_a_temporary_key_ends(database: Database) -> None:
    made = await tokens.issue_key(database, "p1", Role.OPERATOR, None, "", 100.0, 900.0)
    assert made.security_token not in repr(made)
    assert await role_of(database, made.key.ak, 999.9) == Role.OPERATOR
    assert await role_of(database, made.key.ak, 1000.0) is None
    with pytest.raises(IdentityError):
        await identity.rotate_key(database, made.key.ak, 101.0, 10.0)
    await tokens.issue_key(database, "p1", Role.OPERATOR, None, "", 1000.0, 900.0)
    assert made.key.ak not in {key.ak for key in await rosters.keys(database)}, "ended ones are forgotten"


async def test_a_temporary_key_ends_with_the_key_it_was_made_with(database: Database) -> None:
    parent = await identity.add_key(database, "p1", 1.0)
    made = await tokens.issue_key(database, "p1", Role.ADMIN, None, parent.ak, 100.0, 900.0)
    assert await role_of(database, made.key.ak, 101.0) == Role.ADMIN
    await identity.rotate_key(database, parent.ak, 101.0, 50.0)
    assert await role_of(database, made.key.ak, 150.9) == Role.ADMIN
    assert await role_of(database, made.key.ak, 151.0) is None
    await identity.revoke_key(database, parent.ak)
    assert await role_of(database, made.key.ak, 102.0) is None


async def test_a_new_password_ends_tokens_and_temporary_keys_but_no_lasting_ones(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    lasting = await identity.add_key(database, "p1", 1.0, Role.ADMIN, user)
    temporary = await tokens.issue_key(database, "p1", Role.ADMIN, user, "", 1.0, 900.0)
    token = await tokens.issue(database, user, "p1", 1.0, 900.0)
    assert await role_of(database, temporary.key.ak) == Role.ADMIN
    await identity.set_password(database, "ann", "another hash")
    assert await role_of(database, temporary.key.ak) is None
    assert await tokens.find(database, token, 2.0) is None
    assert await role_of(database, lasting.ak) == Role.ADMIN


async def test_a_token_is_revoked_once(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    token = await tokens.issue(database, user, "p1", 1.0, 900.0)
    assert await tokens.find(database, token, 2.0) is not None
    assert await tokens.revoke(database, token)
    assert await tokens.find(database, token, 2.0) is None
    assert not await tokens.revoke(database, token)


# --- passwords ---------------------------------------------------------------------------------------


def test_passwords_are_hashed_with_argon2id_as_rfc_9106_asks() -> None:
    hashed = identity.hash_password("correct horse")
    found = argon2.extract_parameters(hashed)
    assert found.type is argon2.Type.ID
    assert (found.time_cost, found.memory_cost, found.parallelism) == (3, 65536, 4)
    assert identity.password_matches(hashed, "correct horse")
    assert not identity.password_matches(hashed, "correct horsE")
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x")
    assert identity.password_is_outdated(weak)
    assert not identity.password_is_outdated(hashed)


# --- codes -------------------------------------------------------------------------------------------


async def test_a_code_of_one_room(database: Database) -> None:
    bound = await codes.create(database, "p1", 100.0, room_id="room1")
    assert not await codes.consume(database, "p1", bound, 101.0, "room2")
    assert not await codes.consume(database, "p1", bound, 101.0)
    assert await codes.consume(database, "p1", bound, 101.0, "room1")
    assert not await codes.consume(database, "p1", bound, 101.0, "room1")
    free = await codes.create(database, "p1", 100.0)
    assert await codes.consume(database, "p1", free, 101.0, "room2")


async def test_of_many_servers_one_uses_a_code(database: Database, settings: Settings) -> None:
    others = [await Database.open(settings) for _ in range(3)]
    try:
        code = await codes.create(database, "p1", 100.0)
        used = await asyncio.gather(*(codes.consume(server, "p1", code, 101.0) for server in [database, *others] * 4))
        assert used.count(True) == 1
    finally:
        for other in others:
            await other.close()


# --- locks -------------------------------------------------------------------------------------------


async def test_a_lock_after_repeated_failures(database: Database) -> None:
    rule = Rule(limit=3, lock_s=60.0)
    assert await attempts.locked_for(database, "code", 100.0) == 0
    assert [await attempts.failed(database, "code", 100.0 + n, rule) for n in range(3)] == [0, 0, 60.0]
    assert await attempts.locked_for(database, "code", 132.0) == 30.0
    assert await attempts.locked_for(database, "another", 132.0) == 0
    assert await attempts.failed(database, "code", 132.0, rule) == 30.0, "knocking does not prolong it"
    assert await attempts.locked_for(database, "code", 162.0) == 0
    assert await attempts.failed(database, "code", 162.0, rule) == 0, "all attempts are given back"


async def test_a_lock_survives_a_restart(database: Database, settings: Settings) -> None:
    for _ in range(2):
        await attempts.failed(database, "code", 100.0, Rule(limit=2))
    other = await Database.open(settings)
    try:
        assert await attempts.locked_for(other, "code", 101.0) == 299.0
        await attempts.forget(other, "code")
        assert await attempts.locked_for(database, "code", 101.0) == 0
    finally:
        await other.close()


async def test_failures_are_forgotten_after_a_while(database: Database) -> None:
    rule = Rule(limit=2, forget_s=1000.0)
    assert await attempts.failed(database, "code", 100.0, rule) == 0
    assert await attempts.failed(database, "code", 1100.0, rule) == 0
    assert await attempts.failed(database, "code", 1101.0, rule) == 300.0


async def test_guesses_made_at_once_are_all_counted(database: Database, settings: Settings) -> None:
    others = [await Database.open(settings) for _ in range(3)]
    try:
        rule = Rule(limit=10)
        found = await asyncio.gather(
            *(attempts.failed(server, "code", 100.0, rule) for server in [database, *others] for _ in range(3))
        )
        assert found.count(0.0) == 9
        assert found.count(300.0) == 3
    finally:
        for other in others:
            await other.close()


# --- audit -------------------------------------------------------------------------------------------


async def test_the_audit_log_is_searched(database: Database) -> None:
    user = await identity.put_user(database, "p1", "ann", "hash", 1.0)
    entries = [
        Entry(10.0, "p1", "create_robot", "r1", user_id=user, status=200, request_id="q1"),
        Entry(20.0, "p1", "delete_robot", "r1", ak="AK1", status=409, error_code="MSS.47010034", request_id="q2"),
        Entry(30.0, "p2", "create_robot", "r2", user_id="gone", status=200, request_id="q3"),
        Entry(40.0, "", "secrets rotate"),
    ]
    for entry in entries:
        await audit.record(database, entry, 180)

    async def shown(**wanted: object) -> list[tuple[str, str]]:
        found = await audit.listing(database, Filter(**wanted), 10)  # type: ignore[arg-type]
        return [(one.entry.request_id, one.who) for one in found]

    assert await shown() == [("", "command line"), ("q3", "gone"), ("q2", "AK1"), ("q1", "ann")]
    assert await shown(project_id="p1") == [("q2", "AK1"), ("q1", "ann")]
    assert await shown(who="ann") == await shown(who=user) == [("q1", "ann")]
    assert await shown(who="AK1") == [("q2", "AK1")]
    assert await shown(who="command line") == [("", "command line")]
    assert await shown(operation="create_robot", target="r2") == [("q3", "gone")]
    assert await shown(since=20.0, until=30.0) == [("q2", "AK1")]
    assert await shown(failed=True) == [("q2", "AK1")]
    (newest,) = await audit.listing(database, Filter(), 1)
    assert newest.entry == entries[-1]
    assert (await audit.listing(database, Filter(operation="delete_robot"), 9))[0].entry == entries[1]


async def test_the_audit_log_forgets_after_its_days(database: Database) -> None:
    day = 86400.0
    for at in (1.0, 0.5 * day, 3.0 * day):
        await audit.record(database, Entry(at, "p1", "create_robot"), keep_days=3)
    assert [one.entry.at for one in await audit.listing(database, Filter(), 9)] == [3.0 * day, 0.5 * day, 1.0]
    await audit.record(database, Entry(3.1 * day, "p1", "create_robot"), keep_days=3)
    assert [one.entry.at for one in await audit.listing(database, Filter(), 9)] == [3.1 * day, 3.0 * day, 0.5 * day]


async def test_overlong_ids_do_not_lose_an_entry(database: Database) -> None:
    await audit.record(database, Entry(1.0, "p" * 200, "o" * 200, "t" * 500, request_id="q" * 200), 180)
    (found,) = await audit.listing(database, Filter(), 1)
    assert (len(found.entry.project_id), len(found.entry.operation), len(found.entry.target)) == (64, 128, 128)
