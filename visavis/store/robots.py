"""Robots. What is secret in their configuration is one encrypted column."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.contract.jobs import ACTIVE_STATES
from visavis.errors import VisavisError
from visavis.store.database import Database
from visavis.store.tables import jobs, robots, rooms
from visavis.store.vault import Vault

_PURPOSE = "robots.secrets"

Secrets = dict[str, dict[str, str]]
"""Nested object -> secret field -> value."""


class RobotInUseError(VisavisError):
    """A room names the robot, or a job runs with it."""


class UnknownRoomError(VisavisError):
    """The robot names a room that the project does not have."""


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot. ``settings`` holds the accepted fields of the request that are not named here, without secrets."""

    id: str
    project_id: str
    name: str
    app_type: int
    robot_type: str
    room_id: str
    settings: dict[str, Any]
    created_at: float
    updated_at: float
    secrets: Secrets = field(repr=False, default_factory=dict)

    def config(self, name: str) -> dict[str, Any]:
        """The nested object ``name`` with its secrets; empty when it was never given."""
        return {**self.settings.get(name, {}), **self.secrets.get(name, {})}


def _robot(row: Row[Any], vault: Vault) -> Robot:
    return Robot(
        row.id,
        row.project_id,
        row.name,
        row.app_type,
        row.robot_type,
        row.room_id,
        row.settings,
        row.created_at,
        row.updated_at,
        json.loads(vault.unseal(row.secrets, _PURPOSE)),
    )


async def _require_room(connection: AsyncConnection, project_id: str, room_id: str) -> None:
    if not room_id:
        return
    query = select(rooms.c.id).where(rooms.c.project_id == project_id, rooms.c.id == room_id).with_for_update()
    if (await connection.execute(query)).first() is None:
        raise UnknownRoomError(room_id)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """``new`` over ``old``; nested objects field by field."""
    result = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(old.get(key), dict)
        result[key] = {**old[key], **value} if both else value
    return result


async def create(database: Database, robot: Robot) -> None:
    """Store a new robot (``robot.id`` is :func:`new_id`'s).

    Raises:
        UnknownRoomError: the project has no such room.
    """
    async with database.write() as connection:
        await _require_room(connection, robot.project_id, robot.room_id)
        await connection.execute(
            insert(robots).values(
                id=robot.id,
                project_id=robot.project_id,
                name=robot.name,
                app_type=robot.app_type,
                robot_type=robot.robot_type,
                room_id=robot.room_id,
                settings=robot.settings,
                secrets=database.vault.seal(json.dumps(robot.secrets), _PURPOSE),
                created_at=robot.created_at,
                updated_at=robot.updated_at,
            )
        )


def new_id() -> str:
    """An id for a robot."""
    return uuid.uuid4().hex


async def get(database: Database, project_id: str, robot_id: str) -> Robot | None:
    """The project's robot of that id."""
    query = select(robots).where(robots.c.project_id == project_id, robots.c.id == robot_id)
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else _robot(row, database.vault)


async def of_room(database: Database, project_id: str, room_id: str) -> Robot | None:
    """The newest robot that was made for the room."""
    query = (
        select(robots)
        .where(robots.c.project_id == project_id, robots.c.room_id == room_id)
        .order_by(robots.c.created_at.desc())
        .limit(1)
    )
    async with database.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else _robot(row, database.vault)


async def update_robot(
    database: Database,
    project_id: str,
    robot_id: str,
    changes: dict[str, Any],
    settings: dict[str, Any],
    secrets: Secrets,
    now: float,
) -> Robot | None:
    """Change columns, and merge ``settings`` and ``secrets``. None: no such robot.

    Raises:
        UnknownRoomError: the project has no such room.
    """
    where = (robots.c.project_id == project_id, robots.c.id == robot_id)
    async with database.write() as connection:
        row = (await connection.execute(select(robots).where(*where).with_for_update())).first()
        if row is None:
            return None
        await _require_room(connection, project_id, changes.get("room_id", ""))
        old = _robot(row, database.vault)
        sealed = database.vault.seal(json.dumps(_merged(old.secrets, secrets)), _PURPOSE)
        await connection.execute(
            update(robots)
            .where(*where)
            .values(**changes, settings=_merged(old.settings, settings), secrets=sealed, updated_at=now)
        )
        return _robot((await connection.execute(select(robots).where(*where))).one(), database.vault)


async def remove(database: Database, project_id: str, robot_ids: list[str]) -> list[str]:
    """Delete all of them, or none. Answers the ids that the project does not have (then none was deleted).

    Raises:
        RobotInUseError: a room names one of them, or a running job uses it.
    """
    where = (robots.c.project_id == project_id, robots.c.id.in_(robot_ids))
    async with database.write() as connection:
        found = {row.id for row in await connection.execute(select(robots.c.id).where(*where).with_for_update())}
        if missing := [robot_id for robot_id in robot_ids if robot_id not in found]:
            return missing
        naming = select(rooms.c.robot_id).where(rooms.c.project_id == project_id, rooms.c.robot_id.in_(robot_ids))
        running = select(jobs.c.robot_id).where(jobs.c.robot_id.in_(robot_ids), jobs.c.state.in_(ACTIVE_STATES))
        for query in (naming, running):
            if (row := (await connection.execute(query.limit(1))).first()) is not None:
                raise RobotInUseError(row.robot_id)
        await connection.execute(delete(robots).where(*where))
        return []


async def listing(
    database: Database, project_id: str, room_id: str, robot_type: str, offset: int, limit: int
) -> tuple[int, list[Robot]]:
    """(how many match, one page of them), newest first. ``room_id``: made for that room, or named by it."""
    query = select(robots).where(robots.c.project_id == project_id)
    if room_id:
        named = select(rooms.c.robot_id).where(rooms.c.project_id == project_id, rooms.c.id == room_id)
        query = query.where(or_(robots.c.room_id == room_id, robots.c.id.in_(named)))
    if robot_type:
        query = query.where(robots.c.robot_type == robot_type)
    async with database.read() as connection:
        count = (await connection.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
        page = query.order_by(robots.c.created_at.desc(), robots.c.id).offset(offset).limit(limit)
        return count, [_robot(row, database.vault) for row in await connection.execute(page)]
