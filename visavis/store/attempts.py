"""Locks after repeated failures, kept in the database: for what is guessed at over days, such as activation codes.

What fails is named by a *key*: the guessed thing's name, the guessing address, or both; only its hash is stored. Failures
of unknown things from many addresses are better counted in memory (``visavis.api.throttle.Throttle``): they cost no write.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from visavis.store.database import Database
from visavis.store.tables import attempts
from visavis.store.vault import digest


@dataclass(frozen=True, slots=True)
class Rule:
    """After ``limit`` failures, each within ``forget_s`` of the one before, the key is locked for ``lock_s`` seconds."""

    limit: int = 5
    lock_s: float = 300.0
    forget_s: float = 86400.0


async def locked_for(database: Database, key: str, now: float) -> float:
    """Seconds until the key is free again; 0: it is not locked."""
    query = select(attempts.c.locked_until).where(attempts.c.hash == digest(key))
    async with database.read() as connection:
        until = (await connection.execute(query)).scalar()
    return max(0.0, (until or 0.0) - now)


async def failed(database: Database, key: str, now: float, rule: Rule) -> float:
    """Count a failure, atomically. Answers for how long the key is locked now; 0: it is not.

    While it is locked further failures change nothing: a lock ends, however often somebody knocks.
    """
    of_key = attempts.c.hash == digest(key)
    async with database.write() as connection:
        await connection.execute(
            delete(attempts).where(attempts.c.last_at <= now - rule.forget_s, attempts.c.locked_until <= now)
        )
        row = (await connection.execute(select(attempts).where(of_key))).first()
        if row is not None and row.locked_until > now:
            return float(row.locked_until - now)
        # A lock that ended gives all attempts back.
        failures = 1 if row is None or row.locked_until else row.failures + 1
        until = now + rule.lock_s if failures >= rule.limit else 0.0
        values = {"failures": failures, "last_at": now, "locked_until": until}
        if row is None:
            await connection.execute(insert(attempts).values(hash=digest(key), **values))
        else:
            await connection.execute(update(attempts).where(of_key).values(**values))
    return max(0.0, until - now)


async def forget(database: Database, key: str) -> None:
    """It succeeded, or was reset: no failures, no lock."""
    async with database.write() as connection:
        await connection.execute(delete(attempts).where(attempts.c.hash == digest(key)))
