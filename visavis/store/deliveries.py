"""What is to be delivered to buckets, and was: dialogue reports with their turns, and recordings.

A delivery is OPEN while its job runs, WAITING until its object is in the bucket, then DELIVERED. Turns are kept until then
only; of what was delivered the object's name stays, so that it can be deleted by the user's id (ERASING: that is to be done).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.contract.jobs import ACTIVE_STATES
from visavis.session.signals import TurnEvent
from visavis.store.database import Database
from visavis.store.tables import deliveries, jobs, turns


class Kind(StrEnum):
    """What is delivered."""

    DIALOG = "dialog"
    AUDIO = "audio"


class State(StrEnum):
    """How far it is."""

    OPEN = "OPEN"
    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    ERASING = "ERASING"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One object. Times are epoch seconds; ``due_at``: not before; ``since``: when it came into its state."""

    id: str
    project_id: str
    job_id: str
    kind: Kind
    part: int
    app_user_id: str
    rtc_user_id: str
    bucket: str
    object_key: str
    created_at: float
    state: State = State.OPEN
    attempts: int = 0
    due_at: float = 0.0
    since: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One question and answer, as :class:`~visavis.session.signals.TurnEvent` told it."""

    chat_id: str
    at: float
    asked: str
    answered: str
    language: str
    interrupted: bool
    stages: dict[str, float]
    citations: list[str] = field(default_factory=list)
    refused: bool = False


def new_id() -> str:
    """An id of a delivery."""
    return uuid.uuid4().hex


def _values(one: Delivery) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Delivery.__slots__} | {
        "kind": one.kind.value,
        "state": one.state.value,
    }


def _delivery(row: Row[Any]) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery.__slots__}
    return Delivery(**{**values, "kind": Kind(row.kind), "state": State(row.state)})


async def add(database: Database, new: list[Delivery]) -> None:
    """Store new deliveries, all or none."""
    async with database.write() as connection:
        for one in new:
            await connection.execute(insert(deliveries).values(**_values(one)))


async def add_parts(database: Database, one: Delivery, parts: list[Delivery], *, last: bool) -> None:
    """Store parts of an OPEN delivery, unless its user's data were erased meanwhile; those that are there stay as they are.

    Args:
        last: no more will come: the OPEN one has done its work.
    """
    still = (deliveries.c.id == one.id, deliveries.c.state == State.OPEN)
    async with database.write() as connection:
        if (await connection.execute(select(deliveries.c.id).where(*still))).first() is None:
            return
        for part in parts:
            same = (deliveries.c.job_id == part.job_id, deliveries.c.kind == part.kind, deliveries.c.part == part.part)
            if (await connection.execute(select(deliveries.c.id).where(*same))).first() is None:
                await connection.execute(insert(deliveries).values(**_values(part)))
        if last:
            await connection.execute(delete(deliveries).where(*still))


async def add_turn(database: Database, event: TurnEvent, now: float, most: int, key: Any) -> bool:
    """Keep a turn of a job that is reported on. When there are ``most`` of them, that part of the report is complete.

    Args:
        key: (delivery, part) -> name of the next part's object.

    Returns:
        Whether a part is complete.
    """
    open_one = (
        deliveries.c.job_id == event.job_id,
        deliveries.c.kind == Kind.DIALOG,
        deliveries.c.state == State.OPEN,
    )
    async with database.write() as connection:
        row = (await connection.execute(select(deliveries).where(*open_one))).first()
        if row is None:
            return False
        await connection.execute(
            insert(turns).values(
                delivery_id=row.id,
                chat_id=event.chat_id[:64],
                at=now,
                asked=event.heard,
                answered=event.answered,
                language=event.language[:16],
                interrupted=event.interrupted,
                stages=event.stages,
                citations=event.citations,
                refused=event.refused,
            )
        )
        count = select(func.count()).select_from(turns).where(turns.c.delivery_id == row.id)
        if (await connection.execute(count)).scalar_one() < most:
            return False
        old = _delivery(row)
        await connection.execute(
            update(deliveries).where(deliveries.c.id == old.id).values(state=State.WAITING, due_at=now, since=now)
        )
        values = _values(old) | {"id": new_id(), "part": old.part + 1, "object_key": key(old, old.part + 1)}
        await connection.execute(insert(deliveries).values(**values))
        return True


async def turns_of(database: Database, delivery_id: str) -> list[StoredTurn]:
    """Its turns, in their order."""
    query = select(turns).where(turns.c.delivery_id == delivery_id).order_by(turns.c.id)
    async with database.read() as connection:
        return [
            StoredTurn(
                row.chat_id,
                row.at,
                row.asked,
                row.answered,
                row.language,
                row.interrupted,
                row.stages,
                row.citations,
                row.refused,
            )
            for row in await connection.execute(query)
        ]


@dataclass(frozen=True, slots=True)
class OpenOne:
    """An OPEN delivery and how its job is. ``empty``: a report without turns, of a job that nobody linked to."""

    delivery: Delivery
    ended: bool
    empty: bool


async def open_ones(database: Database) -> list[OpenOne]:
    """All OPEN deliveries."""
    counted = select(func.count()).select_from(turns).where(turns.c.delivery_id == deliveries.c.id).scalar_subquery()
    query = (
        select(deliveries, jobs.c.state.label("job_state"), jobs.c.linked, counted.label("turn_count"))
        .outerjoin(jobs, jobs.c.id == deliveries.c.job_id)
        .where(deliveries.c.state == State.OPEN)
        .order_by(deliveries.c.created_at)
    )
    async with database.read() as connection:
        return [
            OpenOne(_delivery(row), row.job_state not in ACTIVE_STATES, not row.turn_count and not row.linked)
            for row in await connection.execute(query)
        ]


async def move(database: Database, one: Delivery, **news: Any) -> bool:
    """Change it, unless it is in another state by now or gone. A DELIVERED one's turns are forgotten."""
    where = (deliveries.c.id == one.id, deliveries.c.state == one.state)
    async with database.write() as connection:
        if not (await connection.execute(update(deliveries).where(*where).values(**news))).rowcount:
            return False
        if news.get("state") in (State.DELIVERED, State.ERASING):
            await _wipe(connection, turns.c.delivery_id == one.id)
        return True


async def remove(database: Database, one: Delivery) -> None:
    """Forget it, with its turns."""
    async with database.write() as connection:
        await _wipe(connection, turns.c.delivery_id == one.id)
        await connection.execute(delete(deliveries).where(deliveries.c.id == one.id))


_PENDING = deliveries.c.state.in_((State.WAITING, State.ERASING))


Place = tuple[str, str]
"""A project and one of its buckets."""


async def due_places(database: Database, now: float) -> list[Place]:
    """Where something may be tried now."""
    query = select(deliveries.c.project_id, deliveries.c.bucket).where(_PENDING, deliveries.c.due_at <= now).distinct()
    async with database.read() as connection:
        return [(row.project_id, row.bucket) for row in await connection.execute(query)]


async def next_of(database: Database, place: Place, now: float) -> Delivery | None:
    """What is to be tried next there: what failed least often, of those the oldest."""
    query = select(deliveries).where(_PENDING, deliveries.c.due_at <= now, *_at(place))
    order = (deliveries.c.attempts, deliveries.c.since, deliveries.c.id)
    async with database.read() as connection:
        row = (await connection.execute(query.order_by(*order).limit(1))).first()
    return None if row is None else _delivery(row)


async def rest(database: Database, place: Place, until: float) -> None:
    """Try nothing there before then."""
    where = (_PENDING, deliveries.c.due_at < until, *_at(place))
    async with database.write() as connection:
        await connection.execute(update(deliveries).where(*where).values(due_at=until))


def _at(place: Place) -> tuple[ColumnElement[bool], ...]:
    return (deliveries.c.project_id == place[0], deliveries.c.bucket == place[1])


async def next_due(database: Database, now: float) -> tuple[int, float | None]:
    """(how many wait, when the next one that is not due yet is to be tried)."""
    later = case((deliveries.c.due_at > now, deliveries.c.due_at))
    query = select(func.count(), func.min(later)).where(_PENDING)
    async with database.read() as connection:
        count, first = (await connection.execute(query)).one()
        return count, first


async def expire(database: Database, before: float, now: float) -> int:
    """What was delivered before then is to be deleted in its bucket. Answers how many."""
    where = (deliveries.c.state == State.DELIVERED, deliveries.c.since < before)
    async with database.write() as connection:
        values = {"state": State.ERASING, "since": now, "due_at": now, "attempts": 0}
        return int((await connection.execute(update(deliveries).where(*where).values(**values))).rowcount)


async def erase_user(database: Database, project_id: str, user_id: str, now: float) -> tuple[int, list[Delivery]]:
    """Forget all that was said in a user's jobs. What may be in a bucket becomes ERASING.

    Args:
        user_id: the X-App-UserId that the jobs were started with, or a job's END_USER.

    Returns:
        How many turns were deleted, and the deliveries as they were.
    """
    mine = (
        deliveries.c.project_id == project_id,
        (deliveries.c.app_user_id == user_id) | (deliveries.c.rtc_user_id == user_id),
    )
    async with database.write() as connection:
        found = [_delivery(row) for row in await connection.execute(select(deliveries).where(*mine))]
        ids = select(deliveries.c.id).where(*mine)
        count = await _wipe(connection, turns.c.delivery_id.in_(ids))
        await connection.execute(delete(deliveries).where(*mine, deliveries.c.state == State.OPEN))
        # A WAITING one may be on its way just now.
        values = {"state": State.ERASING, "since": now, "due_at": now, "attempts": 0}
        await connection.execute(update(deliveries).where(*mine).values(**values))
    async with database.read() as connection:
        if connection.dialect.name == "sqlite":  # the log of changes still holds what was deleted
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return count, found


async def _wipe(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    """Delete turns so that nothing of them stays in the file. Answers how many."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("PRAGMA secure_delete=ON")
    return int((await connection.execute(delete(turns).where(which))).rowcount)


async def jobs_with_sound(database: Database) -> set[str]:
    """Jobs whose recordings, or pieces of them, are still to be delivered."""
    query = select(deliveries.c.job_id).where(
        deliveries.c.kind == Kind.AUDIO, deliveries.c.state.in_((State.OPEN, State.WAITING))
    )
    async with database.read() as connection:
        return {row.job_id for row in await connection.execute(query)}
