"""Robots. What is secret in their configuration is one encrypted column."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, true, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.contract.jobs import ACTIVE_STATES
from visavis.errors import VisavisError
from visavis.store import tallies
from visavis.store.database import Database
from visavis.store.descendants import remove_below
from visavis.store.paging import newest_first
from visavis.store.quick import Lookup
from visavis.store.records import TooManyRecordsError, VersionConflictError
from visavis.store.tables import jobs, robots, rooms
from visavis.store.tallies import Kind
from visavis.store.vault import Vault

MOST = 100_000
"""How many a project may have."""

_ROBOT = Lookup(
    select(robots).where(robots.c.project_id == bindparam("project_id"), robots.c.id == bindparam("robot_id"))
)

_PURPOSE = "robots.secrets"

Secrets = dict[str, dict[str, str]]
"""Nested object -> secret field -> value."""


class RobotInUseError(VisavisError):
    """A room names the robot, or a job runs with it."""


class UnknownRoomError(VisavisError):
    """The robot names a room that the project (or the third-party user) does not have."""


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot. ``settings`` holds the accepted fields of the request that are not named here, without secrets.

    ``app_user_id``: the third-party user whose it is; empty: of nobody in particular. ``version``: one more with each change.
    """

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
    app_user_id: str = ""
    version: int = 1

    def config(self, name: str) -> dict[str, Any]:
        """The nested object ``name`` with its secrets; empty when it was never given."""
        return {**self.settings.get(name, {}), **self.secrets.get(name, {})}


Check = Callable[[Robot], None]
"""Looks at a robot as it would be, before it is written; what it raises forbids that."""


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
        row.app_user_id,
        row.version,
    )


async def _require_room(connection: AsyncConnection, robot: Robot) -> None:
    if not robot.room_id:
        return
    where = [rooms.c.project_id == robot.project_id, rooms.c.id == robot.room_id]
    if robot.app_user_id:
        # What is nobody's in particular is there for everybody.
        where.append(rooms.c.app_user_id.in_(("", robot.app_user_id)))
    if (await connection.execute(select(rooms.c.id).where(*where).with_for_update())).first() is None:
        raise UnknownRoomError(robot.room_id)


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
        UnknownRoomError: the project has no such room. TooManyRecordsError: it has :data:`MOST` robots.
    """
    async with database.write() as connection:
        await _require_room(connection, robot)
        if (await tallies.of(connection, robot.project_id, Kind.ROBOTS))[0] >= MOST:
            raise TooManyRecordsError(f"a project may have {MOST} robots")
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
                app_user_id=robot.app_user_id,
                version=robot.version,
            )
        )
        await tallies.add(connection, robot.project_id, Kind.ROBOTS, 1)


def new_id() -> str:
    """An id for a robot."""
    return uuid.uuid4().hex


async def get(database: Database, project_id: str, robot_id: str) -> Robot | None:
    """The project's robot of that id."""
    row = await _ROBOT.first(database, project_id=project_id, robot_id=robot_id)
    return None if row is None else _robot(row, database.vault)


async def of_room(database: Database, project_id: str, room_id: str, app_users: Collection[str] = ()) -> Robot | None:
    """The newest robot that was made for the room; ``app_users``: by one of these (none: by anybody)."""
    theirs = robots.c.app_user_id.in_(app_users) if app_users else true()
    query = (
        select(robots)
        .where(robots.c.project_id == project_id, robots.c.room_id == room_id, theirs)
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
    *,
    app_user_id: str = "",
    expected: int | None = None,
    check: Check | None = None,
) -> Robot | None:
    """Change columns, and merge ``settings`` and ``secrets``. None: no such robot.

    Args:
        app_user_id: only a robot of that third-party user.
        expected: the version that the change was made for.
        check: may refuse the robot as it would be.

    Raises:
        UnknownRoomError: the project has no such room. VersionConflictError: it has another version by now.
    """
    where = (robots.c.project_id == project_id, robots.c.id == robot_id)
    async with database.write() as connection:
        row = (await connection.execute(select(robots).where(*where).with_for_update())).first()
        if row is None or (app_user_id and row.app_user_id != app_user_id):
            return None
        old = _robot(row, database.vault)
        if expected is not None and old.version != expected:
            raise VersionConflictError(f"version {old.version}, not {expected}")
        new = replace(
            old,
            **changes,
            settings=_merged(old.settings, settings),
            secrets=_merged(old.secrets, secrets),
            updated_at=now,
            version=old.version + 1,
        )
        if new.room_id != old.room_id:
            await _require_room(connection, new)
        if check is not None:
            check(new)
        sealed = database.vault.seal(json.dumps(new.secrets), _PURPOSE)
        await connection.execute(
            update(robots)
            .where(*where)
            .values(**changes, settings=new.settings, secrets=sealed, updated_at=now, version=new.version)
        )
        return new


async def remove(
    database: Database, project_id: str, robot_ids: list[str], *, app_user_id: str = "", expected: int | None = None
) -> list[str]:
    """Delete all of them with what hangs on them (switches, words, activation codes, ...), or none.

    Answers the ids that the project (or the third-party user) does not have; then none was deleted.

    Raises:
        RobotInUseError: a room names one of them, or a running job uses it. VersionConflictError: one has another version
            than ``expected``.
    """
    where = (robots.c.project_id == project_id, robots.c.id.in_(robot_ids))
    columns = (robots.c.id, robots.c.app_user_id, robots.c.version)
    async with database.write() as connection:
        rows = (await connection.execute(select(*columns).where(*where).with_for_update())).all()
        found = {row.id for row in rows if not app_user_id or row.app_user_id == app_user_id}
        if missing := [robot_id for robot_id in robot_ids if robot_id not in found]:
            return missing
        if expected is not None and any(row.version != expected for row in rows):
            raise VersionConflictError(f"not of version {expected}")
        naming = select(rooms.c.robot_id).where(rooms.c.project_id == project_id, rooms.c.robot_id.in_(robot_ids))
        running = select(jobs.c.robot_id).where(jobs.c.robot_id.in_(robot_ids), jobs.c.state.in_(ACTIVE_STATES))
        for query in (naming, running):
            if (row := (await connection.execute(query.limit(1))).first()) is not None:
                raise RobotInUseError(row.robot_id)
        await remove_below(connection, project_id, found)
        await connection.execute(delete(robots).where(*where))
        await tallies.add(connection, project_id, Kind.ROBOTS, -len(found))
        return []


async def listing(
    database: Database,
    project_id: str,
    room_id: str,
    robot_type: str,
    offset: int,
    limit: int,
    app_user_id: str = "",
) -> tuple[int, list[Robot]]:
    """(how many match, one page of them), newest first. ``room_id``: made for that room, or named by it."""
    query = select(robots).where(robots.c.project_id == project_id)
    if app_user_id:
        query = query.where(robots.c.app_user_id == app_user_id)
    if room_id:
        made = select(robots.c.id).where(robots.c.project_id == project_id, robots.c.room_id == room_id)
        named = select(rooms.c.robot_id).where(rooms.c.project_id == project_id, rooms.c.id == room_id)
        query = query.where(robots.c.id.in_(union_all(made, named)))
    if robot_type:
        query = query.where(robots.c.robot_type == robot_type)
    async with database.read() as connection:
        if app_user_id or room_id or robot_type:
            matching = query.with_only_columns(robots.c.id).subquery()
            count = (await connection.execute(select(func.count()).select_from(matching))).scalar_one()
        else:
            count, _ = await tallies.of(connection, project_id, Kind.ROBOTS)
        order = (robots.c.created_at, robots.c.id)
        rows = await newest_first(connection, query, order, count, offset, limit)
        return count, [_robot(row, database.vault) for row in rows]
