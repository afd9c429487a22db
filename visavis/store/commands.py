"""How a command of the command line uses the database: opened for it, and what it changes written to the audit log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store import audit
from visavis.store.database import Database

T = TypeVar("T")

Told = str | Callable[[T], str]
"""A word of the audit log, or how it is found in the result."""


def run(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Do ``work`` with the database.

    Raises:
        VisavisError: the database cannot be used; and what ``work`` raises.
    """

    return _done(settings, "head", work)


def go_back(settings: Settings, revision: str) -> None:
    """Bring the tables to an older revision.

    Raises:
        VisavisError: the database cannot be used, or there is no such revision.
    """

    async def nothing(_: Database) -> None:
        return

    _done(settings, revision, nothing)


def _done(settings: Settings, revision: str, work: Callable[[Database], Awaitable[T]]) -> T:
    async def main() -> T:
        database = await Database.open(settings, revision)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(main())
    except (SQLAlchemyError, ImportError, OSError) as error:
        # ImportError: the URL's driver is not installed. OSError: nothing listens there.
        raise VisavisError(f"the database cannot be used: {getattr(error, 'orig', None) or error}") from error


def run_audited(
    settings: Settings,
    work: Callable[[Database], Awaitable[T]],
    operation: str,
    project_id: Told[T],
    target: Told[T],
) -> T:
    """The same, and an entry in the audit log when it worked."""

    async def both(database: Database) -> T:
        result = await work(database)
        entry = audit.Entry(time.time(), _told(project_id, result), operation, _told(target, result))
        await audit.record(database, entry, settings.audit_days)
        return result

    return run(settings, both)


def _told(what: Told[T], result: T) -> str:
    return what if isinstance(what, str) else what(result)
