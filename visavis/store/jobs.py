"""Jobs: placing them in a room, and moving them through their states."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from visavis.contract.jobs import ACTIVE_STATES, Effect, JobEventType, JobState, Transition, advance
from visavis.errors import VisavisError
from visavis.store import tallies
from visavis.store.database import Database
from visavis.store.paging import newest_first
from visavis.store.quick import Lookup
from visavis.store.tables import jobs, rooms
from visavis.store.tallies import Kind

_CLOSING, _LINKED = 1, 2

_JOB = Lookup(
    select(jobs).where(
        jobs.c.project_id == bindparam("project_id"),
        jobs.c.room_id == bindparam("room_id"),
        jobs.c.id == bindparam("job_id"),
    )
)
_JOB_BY_ID = Lookup(select(jobs).where(jobs.c.id == bindparam("job_id")))
_JOB_BY_RTC_ROOM = Lookup(select(jobs).where(jobs.c.rtc_room_id == bindparam("rtc_room_id")))


class RoomFullError(VisavisError):
    """As many jobs run in the room as its concurrency allows."""


class RoomGoneError(VisavisError):
    """The room was deleted meanwhile."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job. ``settings`` is what it was started with (see ``visavis.api.services.jobs``).

    ``app_user_id``: the third-party user that it was started for; empty: nobody in particular.
    """

    id: str
    project_id: str
    room_id: str
    robot_id: str
    rtc_room_id: str
    users: list[dict[str, str]]
    settings: dict[str, Any]
    language: str
    created_at: float
    updated_at: float
    state: JobState = JobState.WAITING
    chat_state: int = 0
    linked: bool = False
    finish_reason: str = ""
    error_code: str = ""
    error_msg: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    app_user_id: str = ""

    def duration(self, now: float) -> float:
        """Seconds that a worker has held it."""
        if self.started_at is None:
            return 0.0
        return round(max(0.0, (now if self.ended_at is None else self.ended_at) - self.started_at), 3)


@dataclass(frozen=True, slots=True)
class Detail:
    """What an event carries."""

    chat_state: int = 0
    language: str = ""
    error_code: str = ""
    error_msg: str = field(default="")


def new_id() -> str:
    """An id for a job or an RTC room."""
    return uuid.uuid4().hex


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        project_id=row.project_id,
        room_id=row.room_id,
        robot_id=row.robot_id,
        rtc_room_id=row.rtc_room_id,
        users=row.users,
        settings=row.settings,
        language=row.language,
        created_at=row.created_at,
        updated_at=row.updated_at,
        state=JobState(row.state),
        chat_state=row.chat_state,
        linked=row.linked,
        finish_reason=row.finish_reason,
        error_code=row.error_code,
        error_msg=row.error_msg,
        started_at=row.started_at,
        ended_at=row.ended_at,
        app_user_id=row.app_user_id,
    )


async def place(database: Database, job: Job) -> None:
    """Store a new job, WAITING, if its room has room. Atomic: concurrent calls never exceed the concurrency.

    Raises:
        RoomFullError, RoomGoneError.
    """
    async with database.write() as connection:
        limit = (
            await connection.execute(
                select(rooms.c.concurrency)
                .where(rooms.c.project_id == job.project_id, rooms.c.id == job.room_id)
                .with_for_update()
            )
        ).scalar()
        if limit is None:
            raise RoomGoneError(job.room_id)
        running = (
            await connection.execute(
                select(func.count()).where(
                    jobs.c.project_id == job.project_id,
                    jobs.c.room_id == job.room_id,
                    jobs.c.state.in_(ACTIVE_STATES),
                )
            )
        ).scalar_one()
        if running >= limit:
            raise RoomFullError(f"{running} of {limit} jobs run")
        await connection.execute(
            insert(jobs).values(
                id=job.id,
                project_id=job.project_id,
                room_id=job.room_id,
                robot_id=job.robot_id,
                rtc_room_id=job.rtc_room_id,
                state=job.state.value,
                chat_state=job.chat_state,
                linked=job.linked,
                finish_reason=job.finish_reason,
                error_code=job.error_code,
                error_msg=job.error_msg,
                language=job.language,
                users=job.users,
                settings=job.settings,
                created_at=job.created_at,
                started_at=job.started_at,
                ended_at=job.ended_at,
                updated_at=job.updated_at,
                app_user_id=job.app_user_id,
            )
        )
        await tallies.add(connection, job.project_id, Kind.JOBS, 1, scope=job.room_id)


async def get(database: Database, project_id: str, room_id: str, job_id: str) -> Job | None:
    """The project's job of that room and id."""
    row = await _JOB.first(database, project_id=project_id, room_id=room_id, job_id=job_id)
    return None if row is None else _job(row)


async def by_id(database: Database, job_id: str) -> Job | None:
    """The job of that id, of whatever project: for the events of workers only."""
    row = await _JOB_BY_ID.first(database, job_id=job_id)
    return None if row is None else _job(row)


async def by_rtc_room(database: Database, rtc_room_id: str) -> Job | None:
    """The job of that RTC room; the caller must hold one of the room's tokens."""
    row = await _JOB_BY_RTC_ROOM.first(database, rtc_room_id=rtc_room_id)
    return None if row is None else _job(row)


async def listing(
    database: Database,
    project_id: str,
    room_id: str,
    states: list[str],
    offset: int,
    limit: int,
    app_user_id: str = "",
) -> tuple[int, list[Job]]:
    """(how many match, one page of them), newest first. ``states`` empty: all. ``app_user_id``: only that user's."""
    query = select(jobs).where(jobs.c.project_id == project_id, jobs.c.room_id == room_id)
    if states:
        query = query.where(jobs.c.state.in_(states))
    if app_user_id:
        query = query.where(jobs.c.app_user_id == app_user_id)
    async with database.read() as connection:
        if states or app_user_id:
            matching = query.with_only_columns(jobs.c.id).subquery()
            count = (await connection.execute(select(func.count()).select_from(matching))).scalar_one()
        else:
            count, _ = await tallies.of(connection, project_id, Kind.JOBS, room_id)
        order = (jobs.c.created_at, jobs.c.id)
        rows = await newest_first(connection, query, order, count, offset, limit)
        return count, [_job(row) for row in rows]


def changes(job: Job, transition: Transition, detail: Detail, now: float) -> dict[str, Any]:
    """The columns that a transition changes."""
    values: dict[str, Any] = {"state": transition.state.value, "updated_at": now}
    for effect in transition.effects:
        match effect:
            case Effect.SET_START:
                values["started_at"] = now
            case Effect.SET_END:
                values |= {"ended_at": now, "chat_state": _CLOSING}
            case Effect.SET_ERROR:
                values |= {"error_code": detail.error_code, "error_msg": detail.error_msg}
            case Effect.SET_CHAT_STATE:
                values |= {"chat_state": detail.chat_state, "linked": job.linked or detail.chat_state == _LINKED}
            case Effect.SET_LANGUAGE:
                values["language"] = detail.language
            case Effect.REASON_NORMAL:
                values["finish_reason"] = "NORMAL"
            case Effect.REASON_MUTE_TIMEOUT:
                values["finish_reason"] = "MUTE_TIMEOUT"
            case Effect.STOP_WORKER:
                pass  # the service's part: the store does not know workers
    return values


async def apply(
    database: Database, job_id: str, event: JobEventType, now: float, detail: Detail | None = None
) -> Job | None:
    """Let ``event`` happen to the job. None: no such job.

    Raises:
        IllegalEventError: it cannot happen in the job's state.
    """
    async with database.write() as connection:
        row = (await connection.execute(select(jobs).where(jobs.c.id == job_id).with_for_update())).first()
        if row is None:
            return None
        job = _job(row)
        values = changes(job, advance(job.state, event), detail or Detail(), now)
        await connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))
        return _job((await connection.execute(select(jobs).where(jobs.c.id == job_id))).one())


async def fail_active(database: Database, now: float, detail: Detail) -> list[Job]:
    """End every job that was running when the last server ended. Answers them as they are now."""
    async with database.read() as connection:
        query = select(jobs.c.id).where(jobs.c.state.in_(ACTIVE_STATES))
        ids = [row.id for row in await connection.execute(query)]
    ended = [await apply(database, job_id, JobEventType.SERVER_RESTARTED, now, detail) for job_id in ids]
    return [job for job in ended if job is not None]


async def running(database: Database) -> int:
    """How many jobs are WAITING or PROCESSING, in all projects."""
    query = select(func.count()).where(jobs.c.state.in_(ACTIVE_STATES))
    async with database.read() as connection:
        return int((await connection.execute(query)).scalar_one())
