"""Projects, users and their roles, access keys."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

import argon2
from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.contract.roles import Role as Role  # for those who look for it here
from visavis.contract.roles import lesser
from visavis.errors import VisavisError
from visavis.store.database import Database
from visavis.store.quick import Lookup
from visavis.store.tables import access_keys, memberships, projects, tokens, users
from visavis.store.vault import Vault

SK_PURPOSE = "access_keys.sk"
APP_KEY_PURPOSE = "projects.rtc_app_key"
# Argon2id, 3 passes over 64 MiB: the second choice of RFC 9106, for servers that check several at a time.
_PASSWORDS = argon2.PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)


_PROJECT = Lookup(select(projects).where(projects.c.id == bindparam("project_id")))
_parents = access_keys.alias("parents")
_KEY = Lookup(
    select(
        access_keys,
        memberships.c.role.label("member_role"),
        _parents.c.enabled.label("parent_enabled"),
        _parents.c.role.label("parent_role"),
        _parents.c.expires_at.label("parent_expires_at"),
    )
    .outerjoin(
        memberships,
        (memberships.c.user_id == access_keys.c.user_id) & (memberships.c.project_id == access_keys.c.project_id),
    )
    .outerjoin(_parents, _parents.c.ak == access_keys.c.parent)
    .where(access_keys.c.ak == bindparam("ak"), access_keys.c.enabled.is_(True))
)


class IdentityError(VisavisError):
    """There is no such project, user or key, or it exists already."""


@dataclass(frozen=True, slots=True)
class Project:
    """A tenant: everything else belongs to one."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RtcKey:
    """The secret that a project's RTC tokens are signed with."""

    app_id: str
    app_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An AK/SK pair of one project.

    ``role``: what it allows now: its own, or its user's in that project if that is less. ``expires_at``: epoch seconds;
    None: never. ``token_hash``: of the security token that must come with a temporary key; empty: a lasting one.
    """

    ak: str
    sk: str = field(repr=False)
    project_id: str
    role: Role = Role.ADMIN
    user_id: str | None = None
    expires_at: float | None = None
    token_hash: str = field(default="", repr=False)

    def valid(self, now: float) -> bool:
        """Whether it has not ended."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class User:
    """Someone who can log in with a password."""

    id: str
    name: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """A project that a user may enter, and as what."""

    project: Project
    role: Role


def hash_password(password: str) -> str:
    """Argon2id; takes about 50 ms of CPU, so call it in a thread."""
    return _PASSWORDS.hash(password)


def password_matches(password_hash: str, password: str) -> bool:
    """The same cost as :func:`hash_password`."""
    try:
        return _PASSWORDS.verify(password_hash, password)
    except argon2.exceptions.VerifyMismatchError:
        return False


def password_is_outdated(password_hash: str) -> bool:
    """Whether it was hashed with less work than today's hashes."""
    return _PASSWORDS.check_needs_rehash(password_hash)


async def ensure_project(database: Database, project_id: str, now: float, name: str = "") -> Project:
    """The project, made if it does not exist. ``name`` (default: the id) is what ``GET /v3/projects?name=`` finds."""
    async with database.write() as connection:
        row = (await connection.execute(select(projects).where(projects.c.id == project_id))).first()
        if row is None:
            await connection.execute(
                insert(projects).values(
                    id=project_id,
                    name=name or project_id,
                    rtc_app_id=uuid.uuid4().hex[:24],
                    rtc_app_key=database.vault.seal(secrets.token_hex(32), APP_KEY_PURPOSE),
                    created_at=now,
                )
            )
            return Project(project_id, name or project_id)
        return Project(row.id, row.name)


async def project(database: Database, project_id: str) -> Project | None:
    """The project of that id."""
    query = select(projects.c.id, projects.c.name).where(projects.c.id == project_id)
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else Project(row.id, row.name)


async def rtc_key(database: Database, project_id: str) -> RtcKey:
    """The project's RTC application.

    Raises:
        sqlalchemy.exc.NoResultFound: no such project.
    """
    name = f"rtc {project_id}"
    known = database.callers.known(name, look=False)
    if known is None:
        stamp = database.callers.stamp()
        row = await _PROJECT.first(database, project_id=project_id)
        if row is None:
            raise NoResultFound(project_id)
        known = RtcKey(row.rtc_app_id, database.vault.unseal(row.rtc_app_key, APP_KEY_PURPOSE))
        database.callers.remember(name, known, stamp)
    key: RtcKey = known
    return key


# --- access keys -------------------------------------------------------------------------------------


async def add_key(
    database: Database, project_id: str, now: float, role: Role = Role.ADMIN, user_id: str | None = None
) -> AccessKey:
    """A new AK/SK of an existing project, or of a user in it (then it never allows more than the user's role there)."""
    key = new_pair(project_id, role, user_id)
    async with database.write() as connection:
        await store_key(connection, database.vault, key, now)
    return key


def new_pair(project_id: str, role: Role, user_id: str | None, **more: Any) -> AccessKey:
    """An AK (80 random bits) and an SK (240), not stored."""
    return AccessKey(secrets.token_hex(10).upper(), secrets.token_urlsafe(30), project_id, role, user_id, **more)


async def store_key(connection: AsyncConnection, vault: Vault, key: AccessKey, now: float, parent: str = "") -> None:
    """Store a key of :func:`new_pair`. ``parent``: the AK it was made with, without which it ends too."""
    await connection.execute(
        insert(access_keys).values(
            ak=key.ak,
            sk=vault.seal(key.sk, SK_PURPOSE),
            project_id=key.project_id,
            enabled=True,
            created_at=now,
            user_id=key.user_id,
            role=key.role.value,
            expires_at=key.expires_at,
            token_hash=key.token_hash,
            parent=parent,
        )
    )


async def find_key(database: Database, ak: str, now: float) -> AccessKey | None:
    """The key of that name, if it is valid: enabled, not ended, and its user is still a member of its project."""
    known = database.callers.known(f"key {ak}")
    if known is None:
        stamp = database.callers.stamp()
        known = await _read_key(database, ak)
        if known is None:
            return None
        database.callers.remember(f"key {ak}", known, stamp)
    key: AccessKey = known
    return key if key.valid(now) else None


async def _read_key(database: Database, ak: str) -> AccessKey | None:
    row = await _KEY.first(database, ak=ak)
    if row is None or (row.user_id and not row.member_role) or (row.parent and not row.parent_enabled):
        return None
    roles = [role for role in (row.role, row.member_role, row.parent_role) if role]
    ends = [at for at in (row.expires_at, row.parent_expires_at) if at is not None]
    sk = database.vault.unseal(row.sk, SK_PURPOSE)
    return AccessKey(row.ak, sk, row.project_id, lesser(*roles), row.user_id, min(ends, default=None), row.token_hash)


async def rotate_key(database: Database, ak: str, now: float, grace_s: float) -> AccessKey:
    """A new key in place of a lasting one; the old one goes on for ``grace_s`` seconds (0: ends at once).

    Raises:
        IdentityError: there is no such lasting key that is valid.
    """
    old = (access_keys.c.ak == ak, access_keys.c.enabled.is_(True), access_keys.c.token_hash == "")
    async with database.write() as connection:
        row = (await connection.execute(select(access_keys).where(*old))).first()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            raise IdentityError(f"there is no valid access key {ak}")
        key = new_pair(row.project_id, Role(row.role), row.user_id)
        await store_key(connection, database.vault, key, now)
        end = min(at for at in (row.expires_at, now + grace_s) if at is not None)
        await connection.execute(update(access_keys).where(*old).values(expires_at=end))
    database.callers.changed()
    return key


async def revoke_key(database: Database, ak: str) -> str:
    """End a key, and the temporary ones made with it, for good and at once. Answers its project.

    Raises:
        IdentityError: there is no such key that is not revoked.
    """
    async with database.write() as connection:
        wanted = (access_keys.c.ak == ak, access_keys.c.enabled.is_(True))
        row = (await connection.execute(select(access_keys.c.project_id).where(*wanted))).first()
        if row is None:
            raise IdentityError(f"there is no access key {ak} that is not revoked already")
        await connection.execute(update(access_keys).where(*wanted).values(enabled=False))
    database.callers.changed()
    return str(row.project_id)


# --- users -------------------------------------------------------------------------------------------


async def put_user(
    database: Database, project_id: str, name: str, password_hash: str, now: float, role: Role | None = None
) -> str:
    """Make or change a user, and let it into the project. Answers its id.

    A changed password ends the user's tokens and temporary keys. ``role`` None: the one it has, an admin's if it is new.
    """
    async with database.write() as connection:
        user_id = (await connection.execute(select(users.c.id).where(users.c.name == name))).scalar()
        if user_id is None:
            user_id = uuid.uuid4().hex
            await connection.execute(
                insert(users).values(id=user_id, name=name, password_hash=password_hash, created_at=now)
            )
        else:
            await _change_password(connection, user_id, password_hash)
        await _put_membership(connection, user_id, project_id, role)
    database.callers.changed()
    return str(user_id)


async def find_user(database: Database, name: str) -> User | None:
    """The user of that name."""
    async with database.read() as connection:
        row = (await connection.execute(select(users).where(users.c.name == name))).first()
    return None if row is None else _user(row)


def _user(row: Row[Any]) -> User:
    return User(row.id, row.name, row.password_hash)


async def set_password(database: Database, name: str, password_hash: str) -> None:
    """Give a user another password; its tokens and temporary keys end.

    Raises:
        IdentityError: no such user.
    """
    async with database.write() as connection:
        user_id = await _user_id(connection, name)
        await _change_password(connection, user_id, password_hash)
    database.callers.changed()


async def refresh_hash(database: Database, user: User, password_hash: str) -> None:
    """The same password hashed anew: nothing ends. Nothing happens when the password changed meanwhile."""
    where = (users.c.id == user.id, users.c.password_hash == user.password_hash)
    async with database.write() as connection:
        await connection.execute(update(users).where(*where).values(password_hash=password_hash))


async def end_sessions(database: Database, name: str) -> None:
    """End a user's tokens and temporary keys.

    Raises:
        IdentityError: no such user.
    """
    async with database.write() as connection:
        await _end_sessions(connection, await _user_id(connection, name))
    database.callers.changed()


async def set_role(database: Database, project_id: str, name: str, role: Role) -> None:
    """Let an existing user into a project, or change what it may do there.

    Raises:
        IdentityError: no such user or project.
    """
    async with database.write() as connection:
        user_id = await _user_id(connection, name)
        if (await connection.execute(select(projects.c.id).where(projects.c.id == project_id))).first() is None:
            raise IdentityError(f"there is no project {project_id!r}")
        await _put_membership(connection, user_id, project_id, role)
    database.callers.changed()


async def remove_member(database: Database, project_id: str, name: str) -> None:
    """Shut a user out of a project: its keys and tokens for it end.

    Raises:
        IdentityError: the user is no member.
    """
    async with database.write() as connection:
        user_id = await _user_id(connection, name)
        of_both = (memberships.c.user_id == user_id, memberships.c.project_id == project_id)
        if (await connection.execute(delete(memberships).where(*of_both))).rowcount == 0:
            raise IdentityError(f"user {name!r} is not in project {project_id!r}")
        # Marked, too: whoever is let in again later does not get old keys back.
        keys = (access_keys.c.user_id == user_id, access_keys.c.project_id == project_id)
        await connection.execute(update(access_keys).where(*keys).values(enabled=False))
        await connection.execute(delete(tokens).where(tokens.c.user_id == user_id, tokens.c.project_id == project_id))
    database.callers.changed()


async def memberships_of(database: Database, user_id: str) -> list[Membership]:
    """The projects a user may enter, by name."""
    query = (
        select(projects.c.id, projects.c.name, memberships.c.role)
        .join(memberships, memberships.c.project_id == projects.c.id)
        .where(memberships.c.user_id == user_id)
        .order_by(projects.c.name)
    )
    async with database.read() as connection:
        return [Membership(Project(row.id, row.name), Role(row.role)) for row in await connection.execute(query)]


async def user_projects(database: Database, user_id: str) -> list[Project]:
    """The projects a user may enter, by name."""
    return [membership.project for membership in await memberships_of(database, user_id)]


async def _user_id(connection: AsyncConnection, name: str) -> str:
    found = (await connection.execute(select(users.c.id).where(users.c.name == name))).scalar()
    if found is None:
        raise IdentityError(f"there is no user {name!r}")
    return str(found)


async def _change_password(connection: AsyncConnection, user_id: str, password_hash: str) -> None:
    await connection.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))
    await _end_sessions(connection, user_id)


async def _end_sessions(connection: AsyncConnection, user_id: str) -> None:
    temporary = (access_keys.c.user_id == user_id, access_keys.c.token_hash != "")
    await connection.execute(delete(tokens).where(tokens.c.user_id == user_id))
    await connection.execute(delete(access_keys).where(*temporary))


async def _put_membership(connection: AsyncConnection, user_id: str, project_id: str, role: Role | None) -> None:
    of_both = (memberships.c.user_id == user_id, memberships.c.project_id == project_id)
    if (await connection.execute(select(memberships.c.role).where(*of_both))).first() is None:
        values = {"user_id": user_id, "project_id": project_id, "role": (role or Role.ADMIN).value}
        await connection.execute(insert(memberships).values(**values))
    elif role is not None:
        await connection.execute(update(memberships).where(*of_both).values(role=role.value))
