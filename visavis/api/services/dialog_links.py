"""Links to the conversation page: a one-time code of one room, and the robot that the job of that code is to have."""

from __future__ import annotations

from urllib.parse import urlencode

from visavis.store import codes, records
from visavis.store.database import Database
from visavis.store.records import Filter, Record
from visavis.store.vault import digest

KIND = "dialog_link"


async def create(database: Database, base: str, project_id: str, room_id: str, robot_id: str, now: float) -> str:
    """A link, good for one use within five minutes. ``base``: the server's own address. The code is behind the ``#``."""
    code = await codes.create(database, project_id, now, room_id)
    async with records.transaction(database) as steps:
        # What is older belongs to codes that have ended.
        _, old = await steps.listing(project_id, KIND, Filter(until=now - codes.TTL_S), order="asc", limit=100)
        await steps.remove(project_id, KIND, [one.id for one in old])
        await steps.create(
            Record(
                id=digest(code),
                project_id=project_id,
                kind=KIND,
                document={"robot_id": robot_id},
                parent_id=robot_id,
                created_at=now,
            )
        )
    return f"{base}/#{urlencode({'project': project_id, 'room': room_id, 'code': code})}"


async def robot_of(database: Database, project_id: str, code: str) -> str:
    """The robot of a link's code; empty: the code is of no link."""
    record = await records.get(database, project_id, KIND, digest(code))
    return "" if record is None else str(record.document["robot_id"])
