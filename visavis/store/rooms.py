"""Rooms."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.contract.jobs import ACTIVE_STATES
from visavis.errors import VisavisError
from visavis.store.database import Database
from visavis.store.tables import jobs, robots, rooms


class RoomBusyError(VisavisError):
    """A job runs in the room."""


class UnknownRobotError(VisavisError):
    """The room names a robot that the project does not have."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room. ``settings`` holds the accepted fields of the request that are not named here."""

    id: str
    project_id: str
    name: str
    robot_id: str
    concurrency: int
    settings: dict[str, Any]
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class RoomFilter:
    """``job_from`` / ``job_to``: rooms with a job created in that time."""

    name: str = ""
    avatar_ids: tuple[str, ...] | None = None
    job_from: float | None = None
    job_to: float | None = None


def _room(row: Row[Any]) -> Room:
    return Room(
        row.id, row.project_id, row.name, row.robot_id, row.concurrency, row.settings, row.created_at, row.updated_at
    )


async def _require_robot(connection: AsyncConnection, project_id: str, robot_id: str) -> None:
    if not robot_id:
        return
    # Locked, so that the robot cannot be deleted between this look and the room that names it.
    query = select(robots.c.id).where(robots.c.project_id == project_id, robots.c.id == robot_id).with_for_update()
    if (await connection.execute(query)).first() is None:
        raise UnknownRobotError(robot_id)


async def create(
    database: Database,
    project_id: str,
    name: str,
    robot_id: str,
    concurrency: int,
    settings: dict[str, Any],
    now: float,
) -> Room:
    """Store a new room.

    Raises:
        UnknownRobotError: the project has no such robot.
    """
    room = Room(uuid.uuid4().hex, project_id, name, robot_id, concurrency, settings, now, now)
    async with database.write() as connection:
        await _require_robot(connection, project_id, robot_id)
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
            )
        )
    return room


async def get(database: Database, project_id: str, room_id: str) -> Room | None:
    """The project's room of that id."""
    query = select(rooms).where(rooms.c.project_id == project_id, rooms.c.id == room_id)
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else _room(row)


async def update_room(
    database: Database, project_id: str, room_id: str, changes: dict[str, Any], settings: dict[str, Any], now: float
) -> Room | None:
    """Change columns (``name``, ``robot_id``, ``concurrency``) and merge ``settings``. None: no such room.

    Raises:
        UnknownRobotError: the project has no such robot.
    """
    where = (rooms.c.project_id == project_id, rooms.c.id == room_id)
    async with database.write() as connection:
        row = (await connection.execute(select(rooms).where(*where).with_for_update())).first()
        if row is None:
            return None
        await _require_robot(connection, project_id, changes.get("robot_id", ""))
        merged = {**row.settings, **settings}
        await connection.execute(update(rooms).where(*where).values(**changes, settings=merged, updated_at=now))
        return _room((await connection.execute(select(rooms).where(*where))).one())


async def remove(database: Database, project_id: str, room_id: str) -> bool:
    """Delete the room. False: no such room.

    Raises:
        RoomBusyError: a job runs in it.
    """
    async with database.write() as connection:
        # The lock on the room is the one that the placing of a job takes too.
        where = (rooms.c.project_id == project_id, rooms.c.id == room_id)
        if (await connection.execute(select(rooms.c.id).where(*where).with_for_update())).first() is None:
            return False
        active = select(jobs.c.id).where(jobs.c.room_id == room_id, jobs.c.state.in_(ACTIVE_STATES)).limit(1)
        if (await connection.execute(active)).first() is not None:
            raise RoomBusyError(room_id)
        await connection.execute(update(robots).where(robots.c.room_id == room_id).values(room_id=""))
        await connection.execute(delete(rooms).where(*where))
        return True


def _matching(project_id: str, wanted: RoomFilter) -> Select[Any]:
    query = select(rooms).where(rooms.c.project_id == project_id)
    if wanted.name:
        query = query.where(rooms.c.name.icontains(wanted.name, autoescape=True))
    if wanted.avatar_ids is not None:
        query = query.where(rooms.c.settings["model_asset_id"].as_string().in_(wanted.avatar_ids))
    if wanted.job_from is not None or wanted.job_to is not None:
        recent = select(jobs.c.id).where(jobs.c.room_id == rooms.c.id)
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
    matching = query.subquery()
    async with database.read() as connection:
        count, total = (
            await connection.execute(select(func.count(), func.coalesce(func.sum(matching.c.concurrency), 0)))
        ).one()
        page = query.order_by(rooms.c.created_at.desc(), rooms.c.id).offset(offset).limit(limit)
        return count, int(total), [_room(row) for row in await connection.execute(page)]
