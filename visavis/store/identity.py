"""Projects, users, access keys and tokens."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field

import argon2
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.store.database import Database
from visavis.store.tables import access_keys, memberships, projects, tokens, users
from visavis.store.vault import digest

_SK_PURPOSE = "access_keys.sk"
_APP_KEY_PURPOSE = "projects.rtc_app_key"
_PASSWORDS = argon2.PasswordHasher()


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
    """An AK/SK pair of one project."""

    ak: str
    sk: str = field(repr=False)
    project_id: str


@dataclass(frozen=True, slots=True)
class User:
    """Someone who can log in with a password."""

    id: str
    name: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What a valid token stands for; ``project_id`` None: no project was asked for."""

    user_id: str
    project_id: str | None
    expires_at: float


def hash_password(password: str) -> str:
    """Argon2id; takes about 50 ms of CPU, so call it in a thread."""
    return _PASSWORDS.hash(password)


def password_matches(password_hash: str, password: str) -> bool:
    """The same cost as :func:`hash_password`."""
    try:
        return _PASSWORDS.verify(password_hash, password)
    except argon2.exceptions.VerifyMismatchError:
        return False


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
                    rtc_app_key=database.vault.seal(secrets.token_hex(32), _APP_KEY_PURPOSE),
                    created_at=now,
                )
            )
            return Project(project_id, name or project_id)
        return Project(row.id, row.name)


async def rtc_key(database: Database, project_id: str) -> RtcKey:
    """The project's RTC application.

    Raises:
        sqlalchemy.exc.NoResultFound: no such project.
    """
    async with database.read() as connection:
        row = (await connection.execute(select(projects).where(projects.c.id == project_id))).one()
    return RtcKey(row.rtc_app_id, database.vault.unseal(row.rtc_app_key, _APP_KEY_PURPOSE))


async def add_key(database: Database, project_id: str, now: float) -> AccessKey:
    """A new AK/SK of an existing project."""
    key = AccessKey(ak=secrets.token_hex(10).upper(), sk=secrets.token_urlsafe(30), project_id=project_id)
    async with database.write() as connection:
        await connection.execute(
            insert(access_keys).values(
                ak=key.ak,
                sk=database.vault.seal(key.sk, _SK_PURPOSE),
                project_id=project_id,
                enabled=True,
                created_at=now,
            )
        )
    return key


async def find_key(database: Database, ak: str) -> AccessKey | None:
    """The enabled key of that name."""
    query = select(access_keys).where(access_keys.c.ak == ak, access_keys.c.enabled.is_(True))
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    if row is None:
        return None
    return AccessKey(row.ak, database.vault.unseal(row.sk, _SK_PURPOSE), row.project_id)


async def put_user(database: Database, project_id: str, name: str, password_hash: str, now: float) -> str:
    """Make or change a user, and let it into the project. Answers its id. A changed password ends its tokens."""
    async with database.write() as connection:
        user_id = (await connection.execute(select(users.c.id).where(users.c.name == name))).scalar()
        if user_id is None:
            user_id = uuid.uuid4().hex
            await connection.execute(
                insert(users).values(id=user_id, name=name, password_hash=password_hash, created_at=now)
            )
        else:
            await connection.execute(users.update().where(users.c.id == user_id).values(password_hash=password_hash))
            await connection.execute(delete(tokens).where(tokens.c.user_id == user_id))
        is_member = select(memberships).where(memberships.c.user_id == user_id, memberships.c.project_id == project_id)
        if (await connection.execute(is_member)).first() is None:
            await connection.execute(insert(memberships).values(user_id=user_id, project_id=project_id))
        return str(user_id)


async def find_user(database: Database, name: str) -> User | None:
    """The user of that name."""
    async with database.read() as connection:
        row = (await connection.execute(select(users).where(users.c.name == name))).first()
    return None if row is None else User(row.id, row.name, row.password_hash)


async def user_projects(database: Database, user_id: str) -> list[Project]:
    """The projects a user may enter, by name."""
    query = (
        select(projects.c.id, projects.c.name)
        .join(memberships, memberships.c.project_id == projects.c.id)
        .where(memberships.c.user_id == user_id)
        .order_by(projects.c.name)
    )
    async with database.read() as connection:
        return [Project(row.id, row.name) for row in await connection.execute(query)]


async def project(database: Database, project_id: str) -> Project | None:
    """The project of that id."""
    query = select(projects.c.id, projects.c.name).where(projects.c.id == project_id)
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else Project(row.id, row.name)


async def issue_token(database: Database, user_id: str, project_id: str | None, now: float, ttl_s: float) -> str:
    """A new token (256 random bits); only its hash is stored. Forgets expired ones."""
    token = secrets.token_urlsafe(32)
    async with database.write() as connection:
        await connection.execute(delete(tokens).where(tokens.c.expires_at <= now))
        await connection.execute(
            insert(tokens).values(
                hash=digest(token), user_id=user_id, project_id=project_id, issued_at=now, expires_at=now + ttl_s
            )
        )
    return token


async def find_token(database: Database, token: str, now: float) -> TokenInfo | None:
    """What the token stands for, if it is valid and its user still belongs to its project."""
    async with database.read() as connection:
        query = select(tokens).where(tokens.c.hash == digest(token), tokens.c.expires_at > now)
        row = (await connection.execute(query)).first()
        if row is None or not await _member(connection, row.user_id, row.project_id):
            return None
    return TokenInfo(row.user_id, row.project_id, row.expires_at)


async def _member(connection: AsyncConnection, user_id: str, project_id: str | None) -> bool:
    if project_id is None:
        return True
    query = select(memberships).where(memberships.c.user_id == user_id, memberships.c.project_id == project_id)
    return (await connection.execute(query)).first() is not None
