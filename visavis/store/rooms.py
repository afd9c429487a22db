"""Rooms."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.contract.jobs import ACTIVE_STATES
from visavis.errors import VisavisError
from visavis.store import tallies
from visavis.store.database import Database
from visavis.store.paging import newest_first
from visavis.store.quick import Lookup
from visavis.store.records import TooManyRecordsError, Transaction, VersionConflictError
from visavis.store.tables import jobs, once_codes, robots, rooms
from visavis.store.tallies import Kind

MOST = 100_000
"""How many a project may have."""

_ROOM = Lookup(select(rooms).where(rooms.c.project_id == bindparam("project_id"), rooms.c.id == bindparam("room_id")))


class RoomBusyError(VisavisError):
    """A job runs in the room."""


class UnknownRobotError(VisavisError):
    """The room names a robot that the project (or the third-party user) does not have."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room. ``settings`` holds the accepted fields of the request that are not named here.

    ``app_user_id``: the third-party user whose it is; empty: of nobody in particular. ``version``: one more with each change.
    """

    id: str
    project_id: str
    name: str
    robot_id: str
    concurrency: int
    settings: dict[str, Any]
    created_at: float
    updated_at: float
    app_user_id: str = ""
    version: int = 1


Check = Callable[[Room], None]
"""Looks at a room as it would be, before it is written; what it raises forbids that."""

Along = Callable[[Transaction], Awaitable[None]]
"""Something else to do in the same transaction."""


@dataclass(frozen=True, slots=True)
class RoomFilter:
    """``job_from`` / ``job_to``: rooms with a job created in that time. ``app_user_id`` empty: anybody's."""

    name: str = ""
    avatar_ids: tuple[str, ...] | None = None
    job_from: float | None = None
    job_to: float | None = None
    app_user_id: str = ""


EVERY_ROOM = RoomFilter()


def _room(row: Row[Any]) -> Room:
    return Room(
        row.id,
        row.project_id,
        row.name,
        row.robot_id,
        row.concurrency,
        row.settings,
        row.created_at,
        row.updated_at,
        row.app_user_id,
        row.version,
    )


async def _require_robot(connection: AsyncConnection, room: Room) -> None:
    if not room.robot_id:
        return
    where = [robots.c.project_id == room.project_id, robots.c.id == room.robot_id]
    if room.app_user_id:
        # What is nobody's in particular is there for everybody.
        where.append(robots.c.app_user_id.in_(("", room.app_user_id)))
    # Locked, so that the robot cannot be deleted between this look and the room that names it.
    if (await connection.execute(select(robots.c.id).where(*where).with_for_update())).first() is None:
        raise UnknownRobotError(room.robot_id)


async def create(
    database: Database,
    project_id: str,
    name: str,
    robot_id: str,
    concurrency: int,
    settings: dict[str, Any],
    now: float,
    app_user_id: str = "",
) -> Room:
    """Store a new room.

    Raises:
        UnknownRobotError: the project has no such robot. TooManyRecordsError: it has :data:`MOST` rooms.
    """
    room = Room(uuid.uuid4().hex, project_id, name, robot_id, concurrency, settings, now, now, app_user_id)
    async with database.write() as connection:
        await _require_robot(connection, room)
        if (await tallies.of(connection, project_id, Kind.ROOMS))[0] >= MOST:
            raise TooManyRecordsError(f"a project may have {MOST} rooms")
        await connection.execute(
            insert(rooms).values(
                id=room.id,
                project_id=project_id,
                name=name,
                robot_id=robot_id,
                concurrency=concurrency,
                settings=settings,
                created_at=now,
                updated_at=now,
                app_user_id=app_user_id,
                version=room.version,
            )
        )
        await tallies.add(connection, project_id, Kind.ROOMS, 1, concurrency)
    return room


async def get(database: Database, project_id: str, room_id: str) -> Room | None:
    """The project's room of that id."""
    row = await _ROOM.first(database, project_id=project_id, room_id=room_id)
    return None if row is None else _room(row)


async def _locked(
    connection: AsyncConnection, project_id: str, room_id: str, app_user_id: str, expected: int | None
) -> Room | None:
    """The room, which nobody else changes until the transaction ends. ``app_user_id``: only that user's."""
    query = select(rooms).where(rooms.c.project_id == project_id, rooms.c.id == room_id).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None or (app_user_id and row.app_user_id != app_user_id):
        return None
    if expected is not None and row.version != expected:
        raise VersionConflictError(f"version {row.version}, not {expected}")
    return _room(row)


async def update_room(
    database: Database,
    project_id: str,
    room_id: str,
    changes: dict[str, Any],
    settings: dict[str, Any],
    now: float,
    *,
    app_user_id: str = "",
    expected: int | None = None,
    check: Check | None = None,
) -> Room | None:
    """Change columns (``name``, ``robot_id``, ``concurrency``) and merge ``settings``. None: no such room.

    Args:
        app_user_id: only a room of that third-party user.
        expected: the version that the change was made for.
        check: may refuse the room as it would be.

    Raises:
        UnknownRobotError: the project has no such robot. VersionConflictError: it has another version by now.
    """
    async with database.write() as connection:
        old = await _locked(connection, project_id, room_id, app_user_id, expected)
        if old is None:
            return None
        new = replace(old, **changes, settings={**old.settings, **settings}, updated_at=now, version=old.version + 1)
        if new.robot_id != old.robot_id:
            await _require_robot(connection, new)
        if check is not None:
            check(new)
        await connection.execute(
            update(rooms)
            .where(rooms.c.project_id == project_id, rooms.c.id == room_id)
            .values(**changes, settings=new.settings, updated_at=now, version=new.version)
        )
        if new.concurrency != old.concurrency:
            await tallies.add(connection, project_id, Kind.ROOMS, 0, new.concurrency - old.concurrency)
        return new


async def remove(
    database: Database,
    project_id: str,
    room_id: str,
    *,
    app_user_id: str = "",
    expected: int | None = None,
    along: Along | None = None,
) -> bool:
    """Delete the room, and the one-time codes that open nothing else. False: no such room.

    Its jobs stay on record: they are what was used. ``along``: what else is deleted with it.

    Raises:
        RoomBusyError: a job runs in it. VersionConflictError: it has another version than ``expected``.
    """
    async with database.write() as connection:
        # The lock on the room is the one that the placing of a job takes too.
        room = await _locked(connection, project_id, room_id, app_user_id, expected)
        if room is None:
            return False
        active = select(jobs.c.id).where(
            jobs.c.project_id == project_id, jobs.c.room_id == room_id, jobs.c.state.in_(ACTIVE_STATES)
        )
        if (await connection.execute(active.limit(1))).first() is not None:
            raise RoomBusyError(room_id)
        here = (robots.c.project_id == project_id, robots.c.room_id == room_id)
        await connection.execute(update(robots).where(*here).values(room_id="", version=robots.c.version + 1))
        codes = (once_codes.c.project_id == project_id, once_codes.c.room_id == room_id)
        await connection.execute(delete(once_codes).where(*codes))
        if along is not None:
            await along(Transaction(connection, database.vault))
        await connection.execute(delete(rooms).where(rooms.c.project_id == project_id, rooms.c.id == room_id))
        await tallies.add(connection, project_id, Kind.ROOMS, -1, -room.concurrency)
        await tallies.forget(connection, project_id, Kind.JOBS, room_id)
        return True


async def projects(database: Database, most: int) -> list[str]:
    """The projects whose rooms were changed last, the newest first."""
    query = select(rooms.c.project_id).group_by(rooms.c.project_id).order_by(func.max(rooms.c.updated_at).desc())
    async with database.read() as connection:
        return list((await connection.execute(query.limit(most))).scalars())


def _matching(project_id: str, wanted: RoomFilter) -> Select[Any]:
    query = select(rooms).where(rooms.c.project_id == project_id)
    if wanted.app_user_id:
        query = query.where(rooms.c.app_user_id == wanted.app_user_id)
    if wanted.name:
        query = query.where(rooms.c.name.icontains(wanted.name, autoescape=True))
    if wanted.avatar_ids is not None:
        query = query.where(rooms.c.settings["model_asset_id"].as_string().in_(wanted.avatar_ids))
    if wanted.job_from is not None or wanted.job_to is not None:
        recent = select(jobs.c.id).where(jobs.c.project_id == project_id, jobs.c.room_id == rooms.c.id)
        if wanted.job_from is not None:
            recent = recent.where(jobs.c.created_at >= wanted.job_from)
        if wanted.job_to is not None:
            recent = recent.where(jobs.c.created_at <= wanted.job_to)
        query = query.where(recent.exists())
    return query


async def listing(
    database: Database, project_id: str, wanted: RoomFilter, offset: int, limit: int
) -> tuple[int, int, list[Room]]:
    """(how many match, the sum of their concurrency, one page of them), newest first."""
    query = _matching(project_id, wanted)
    async with database.read() as connection:
        if wanted == EVERY_ROOM:
            count, total = await tallies.of(connection, project_id, Kind.ROOMS)
        else:
            matching = query.with_only_columns(rooms.c.concurrency).subquery()
            sums = select(func.count(), func.coalesce(func.sum(matching.c.concurrency), 0))
            count, total = (await connection.execute(sums.select_from(matching))).one()
        order = (rooms.c.created_at, rooms.c.id)
        rows = await newest_first(connection, query, order, count, offset, limit)
        return count, int(total), [_room(row) for row in rows]
