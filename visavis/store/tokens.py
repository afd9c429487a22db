"""What ends by itself: tokens of a password, and temporary access keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select

from visavis.contract.roles import Role
from visavis.store.database import Database
from visavis.store.identity import AccessKey, new_pair, store_key
from visavis.store.tables import access_keys, memberships, tokens
from visavis.store.vault import digest


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What a valid token stands for; ``project_id`` and ``role`` None: no project was asked for."""

    user_id: str
    project_id: str | None
    expires_at: float
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """An access key that ends, and the security token that must come with it."""

    key: AccessKey
    security_token: str = field(repr=False)


async def issue(database: Database, user_id: str, project_id: str | None, now: float, ttl_s: float) -> str:
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


async def find(database: Database, token: str, now: float) -> TokenInfo | None:
    """What the token stands for, if it is valid and its user still belongs to its project."""
    hashed = digest(token)
    known = database.callers.known(f"token {hashed}")
    if known is None:
        stamp = database.callers.stamp()
        known = await _read(database, hashed)
        if known is None:
            return None
        database.callers.remember(f"token {hashed}", known, stamp)
    info: TokenInfo = known
    return info if now < info.expires_at else None


async def _read(database: Database, hashed: str) -> TokenInfo | None:
    query = (
        select(tokens, memberships.c.role.label("member_role"))
        .outerjoin(
            memberships,
            (memberships.c.user_id == tokens.c.user_id) & (memberships.c.project_id == tokens.c.project_id),
        )
        .where(tokens.c.hash == hashed)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    if row is None or (row.project_id is not None and row.member_role is None):
        return None
    role = None if row.member_role is None else Role(row.member_role)
    return TokenInfo(row.user_id, row.project_id, row.expires_at, role)


async def revoke(database: Database, token: str) -> bool:
    """End a token at once; False: there is no such token."""
    async with database.write() as connection:
        ended = (await connection.execute(delete(tokens).where(tokens.c.hash == digest(token)))).rowcount == 1
    database.callers.changed()
    return ended


async def issue_key(
    database: Database, project_id: str, role: Role, user_id: str | None, parent: str, now: float, ttl_s: float
) -> TemporaryKey:
    """A temporary access key; forgets ended ones.

    Args:
        parent: the AK it was asked for with (the temporary key ends when that one is revoked); empty: with a token.
    """
    security_token = secrets.token_urlsafe(48)
    key = new_pair(project_id, role, user_id, expires_at=now + ttl_s, token_hash=digest(security_token))
    async with database.write() as connection:
        ended = (access_keys.c.token_hash != "", access_keys.c.expires_at <= now)
        await connection.execute(delete(access_keys).where(*ended))
        await store_key(connection, database.vault, key, now, parent)
    return TemporaryKey(key, security_token)
