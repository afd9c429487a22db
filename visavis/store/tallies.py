"""How many rooms, robots and jobs there are: kept with every change, since counting a hundred thousand rows takes longer than
reading a page of them.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.store.database import Database
from visavis.store.tables import jobs, robots, rooms, tallies


class Kind(StrEnum):
    """What is counted; jobs by room."""

    ROOMS = "rooms"
    ROBOTS = "robots"
    JOBS = "jobs"


async def add(
    connection: AsyncConnection, project_id: str, kind: Kind, count: int, total: int = 0, scope: str = ""
) -> None:
    """There are ``count`` more (or fewer) now, and their sum is ``total`` higher. In the transaction that makes it so."""
    where = (tallies.c.project_id == project_id, tallies.c.kind == kind.value, tallies.c.scope == scope)
    changed = update(tallies).where(*where).values(count=tallies.c.count + count, total=tallies.c.total + total)
    # Writers come one after the other, so nobody else makes the row between these two statements.
    if (await connection.execute(changed)).rowcount == 0:
        row = {"project_id": project_id, "kind": kind.value, "scope": scope, "count": count, "total": total}
        await connection.execute(insert(tallies).values(row))


async def of(connection: AsyncConnection, project_id: str, kind: Kind, scope: str = "") -> tuple[int, int]:
    """(how many there are, their sum)."""
    query = select(tallies.c.count, tallies.c.total).where(
        tallies.c.project_id == project_id, tallies.c.kind == kind.value, tallies.c.scope == scope
    )
    row = (await connection.execute(query)).first()
    return (0, 0) if row is None else (row[0], row[1])


async def forget(connection: AsyncConnection, project_id: str, kind: Kind, scope: str) -> None:
    """Nobody will ask for that scope again."""
    where = (tallies.c.project_id == project_id, tallies.c.kind == kind.value, tallies.c.scope == scope)
    await connection.execute(delete(tallies).where(*where))


async def recount(database: Database) -> None:
    """Count everything anew: for who has written rows by another way than this package."""
    columns = ["project_id", "kind", "scope", "count", "total"]
    queries = (
        select(rooms.c.project_id, literal(Kind.ROOMS.value), literal(""), func.count(), func.sum(rooms.c.concurrency))
        .group_by(rooms.c.project_id),
        select(robots.c.project_id, literal(Kind.ROBOTS.value), literal(""), func.count(), literal(0))
        .group_by(robots.c.project_id),
        select(jobs.c.project_id, literal(Kind.JOBS.value), jobs.c.room_id, func.count(), literal(0))
        .group_by(jobs.c.project_id, jobs.c.room_id),
    )  # fmt: skip
    async with database.write() as connection:
        await connection.execute(delete(tallies))
        for query in queries:
            await connection.execute(insert(tallies).from_select(columns, query))
