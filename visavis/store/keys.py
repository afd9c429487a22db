"""For the command line: make keys and users. Both work on an empty data folder and while a server runs on it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store import identity
from visavis.store.database import Database
from visavis.store.identity import AccessKey

_PROJECT_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_MIN_PASSWORD = 8

T = TypeVar("T")


class BadIdentityError(VisavisError):
    """A project id, user name or password that cannot be used."""


def create_key(settings: Settings, project_id: str, name: str = "") -> AccessKey:
    """A new AK/SK of a project, which is made if it does not exist.

    Args:
        name: the project's name when it is made (default: its id). SDKs without a project id ask for the project that
            is named like their region.

    Raises:
        BadIdentityError: the project id cannot stand in a URL, or another project has the name.
    """
    _check_project(project_id)

    async def work(database: Database) -> AccessKey:
        try:
            await identity.ensure_project(database, project_id, time.time(), name)
        except IntegrityError:
            raise BadIdentityError(f"another project is named {name or project_id!r}") from None
        return await identity.add_key(database, project_id, time.time())

    return _run(settings, work)


def create_user(settings: Settings, project_id: str, name: str, password: str) -> str:
    """Make a user of a project, or give it a new password. Answers the user's id.

    Raises:
        BadIdentityError: unusable project id or name, or a password of fewer than 8 characters.
    """
    _check_project(project_id)
    if not 1 <= len(name) <= 64:
        raise BadIdentityError("a user's name has 1 to 64 characters")
    if not _MIN_PASSWORD <= len(password) <= 128:
        raise BadIdentityError(f"a password has {_MIN_PASSWORD} to 128 characters")

    async def work(database: Database) -> str:
        await identity.ensure_project(database, project_id, time.time())
        password_hash = await asyncio.to_thread(identity.hash_password, password)
        return await identity.put_user(database, project_id, name, password_hash, time.time())

    return _run(settings, work)


def _check_project(project_id: str) -> None:
    if not _PROJECT_ID.match(project_id):
        raise BadIdentityError(f"project id {project_id!r}: wanted 1 to 64 letters, digits, '-' and '_'")


def _run(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    async def main() -> T:
        database = await Database.open(settings)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(main())
    except (SQLAlchemyError, ImportError) as error:  # ImportError: the URL's driver is not installed
        raise VisavisError(f"the database cannot be used: {getattr(error, 'orig', None) or error}") from error
