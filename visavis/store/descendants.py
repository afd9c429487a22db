"""What hangs on a thing that is deleted goes with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.store.tables import once_codes, records

_AT_ONCE = 500
"""Ids in one statement."""


async def remove_below(connection: AsyncConnection, project_id: str, parent_ids: Collection[str]) -> None:
    """Delete the records that have one of these as parent, whatever their kind, and what hangs on those in turn.

    A one-time code that a record belongs to (its id is the code's hash) opens nothing any more. In the transaction of who
    deletes the parents.
    """
    parents, seen = set(parent_ids), set(parent_ids)
    while parents:
        found: set[str] = set()
        for some in _portions(parents):
            where = (records.c.project_id == project_id, records.c.parent_id.in_(some))
            found.update(row.id for row in await connection.execute(select(records.c.id).where(*where)))
            await connection.execute(delete(records).where(*where))
        parents = found - seen  # settings have the id of what they belong to
        seen |= found
    for some in _portions(seen):
        codes = (once_codes.c.project_id == project_id, once_codes.c.hash.in_(some))
        await connection.execute(delete(once_codes).where(*codes))


def _portions(ids: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))
