"""One-time codes: valid for five minutes, for one use, in one project, and for one room where that was asked for."""

from __future__ import annotations

import secrets

from sqlalchemy import delete, insert, or_, update

from visavis.store.database import Database
from visavis.store.tables import once_codes
from visavis.store.vault import digest

TTL_S = 300.0
_KEEP_S = 86400.0


async def create(database: Database, project_id: str, now: float, room_id: str = "") -> str:
    """A new code (192 random bits); only its hash is stored. Forgets those that ended a day ago.

    Args:
        room_id: the only room that it opens; empty: any of the project.
    """
    code = secrets.token_urlsafe(24)
    async with database.write() as connection:
        await connection.execute(delete(once_codes).where(once_codes.c.expires_at < now - _KEEP_S))
        await connection.execute(
            insert(once_codes).values(
                hash=digest(code),
                project_id=project_id,
                created_at=now,
                expires_at=now + TTL_S,
                used_at=None,
                room_id=room_id,
            )
        )
    return code


async def consume(database: Database, project_id: str, code: str, now: float, room_id: str = "") -> bool:
    """Use the code up for a room. True for exactly one caller, before it expires.

    Args:
        room_id: the room it is shown for; empty: for no room, which a code of one room does not do.
    """
    # One statement decides: of two callers at the same time one finds used_at set.
    statement = (
        update(once_codes)
        .where(
            once_codes.c.hash == digest(code),
            once_codes.c.project_id == project_id,
            once_codes.c.used_at.is_(None),
            once_codes.c.expires_at > now,
            or_(once_codes.c.room_id == "", once_codes.c.room_id == room_id),
        )
        .values(used_at=now)
    )
    async with database.write() as connection:
        return (await connection.execute(statement)).rowcount == 1
