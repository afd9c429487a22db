"""How much was talked: the jobs that a worker held, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, or_, select

from visavis.store.database import Database
from visavis.store.tables import jobs


@dataclass(frozen=True, slots=True)
class Span:
    """One job's time with a worker, in epoch seconds."""

    room_id: str
    started_at: float
    ended_at: float


async def spans(database: Database, project_id: str, since: float, until: float, now: float, most: int) -> list[Span]:
    """The jobs that ran at some time from ``since`` until before ``until``, at most ``most`` of them, oldest first.

    What runs still ends ``now``. Jobs that no worker ever held are none.
    """
    query = (
        select(jobs.c.room_id, jobs.c.started_at, jobs.c.ended_at)
        .where(
            jobs.c.project_id == project_id,
            jobs.c.started_at < until,
            or_(jobs.c.ended_at.is_(None), jobs.c.ended_at > since),
        )
        .order_by(jobs.c.started_at)
        .limit(most)
    )
    async with database.read() as connection:
        rows = await connection.execute(query)
        return [Span(row.room_id, row.started_at, now if row.ended_at is None else row.ended_at) for row in rows]


async def total(database: Database, project_id: str, now: float) -> tuple[int, float]:
    """(how many jobs a worker ever held, their seconds)."""
    seconds = func.sum(func.coalesce(jobs.c.ended_at, now) - jobs.c.started_at)
    query = select(func.count(), seconds).where(jobs.c.project_id == project_id, jobs.c.started_at.is_not(None))
    async with database.read() as connection:
        count, summed = (await connection.execute(query)).one()
    return int(count), float(summed or 0.0)
