"""The audit log: who changed what, when, and with what result. No bodies, no secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, insert, select

from visavis.store.database import Database
from visavis.store.tables import audit, users

COMMAND_LINE = "command line"
_DAY_S = 86400.0
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Entry:
    """One change.

    ``at``: epoch seconds. ``user_id``, ``ak``: who; both empty: the command line. ``operation``: its published name.
    ``target``: the id of what was changed, where it is known. ``status``: HTTP; 0: no HTTP. ``error_code``: empty if it worked.
    """

    at: float
    project_id: str
    operation: str
    target: str = ""
    user_id: str = ""
    ak: str = ""
    status: int = 0
    error_code: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as it is shown; ``who``: the user's name (its id when it is gone), else the AK, else the command line."""

    entry: Entry
    who: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; what is empty or None does not matter. ``who``: a user's name or id, or an AK."""

    project_id: str = ""
    who: str = ""
    operation: str = ""
    target: str = ""
    since: float | None = None
    until: float | None = None
    failed: bool = False


async def record(database: Database, entry: Entry, keep_days: int) -> None:
    """Write an entry; entries older than ``keep_days`` are forgotten."""
    async with database.write() as connection:
        await connection.execute(delete(audit).where(audit.c.at < entry.at - keep_days * _DAY_S))
        await connection.execute(
            insert(audit).values(
                at=entry.at,
                project_id=entry.project_id[:64],
                user_id=entry.user_id[:32],
                ak=entry.ak[:64],
                operation=entry.operation[:_LONGEST],
                target=entry.target[:_LONGEST],
                status=entry.status,
                error_code=entry.error_code,
                request_id=entry.request_id[:64],
            )
        )


def _chosen(wanted: Filter) -> Select[Any]:
    query = select(audit, users.c.name.label("user_name")).outerjoin(users, users.c.id == audit.c.user_id)
    for column, value in (
        (audit.c.project_id, wanted.project_id),
        (audit.c.operation, wanted.operation),
        (audit.c.target, wanted.target),
    ):
        if value:
            query = query.where(column == value)
    if wanted.who == COMMAND_LINE:
        query = query.where(audit.c.user_id == "", audit.c.ak == "")
    elif wanted.who:
        query = query.where((users.c.name == wanted.who) | (audit.c.user_id == wanted.who) | (audit.c.ak == wanted.who))
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    if wanted.failed:
        query = query.where(audit.c.error_code != "")
    return query


async def listing(database: Database, wanted: Filter, limit: int) -> list[Shown]:
    """The newest ``limit`` entries that fit, newest first."""
    query = _chosen(wanted).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)
    async with database.read() as connection:
        rows = (await connection.execute(query)).all()
    return [_shown(row) for row in rows]


def _shown(row: Any) -> Shown:
    entry = Entry(
        row.at,
        row.project_id,
        row.operation,
        row.target,
        row.user_id,
        row.ak,
        row.status,
        row.error_code,
        row.request_id,
    )
    return Shown(entry, row.user_name or row.user_id or row.ak or COMMAND_LINE)
