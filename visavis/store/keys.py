"""For the command line: projects, users, keys.

Everything here works on an empty data folder and while a server runs on it; what changes something is in the audit log.
"""

from __future__ import annotations

import asyncio
import re
import time

from sqlalchemy.exc import IntegrityError

from visavis.contract.roles import Role
from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store import identity, rosters
from visavis.store.commands import run, run_audited
from visavis.store.database import Database
from visavis.store.identity import AccessKey

_PROJECT_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_MIN_PASSWORD = 8


class BadIdentityError(VisavisError):
    """A project id, user name or password that cannot be used."""


# --- projects ----------------------------------------------------------------------------------------


def create_project(settings: Settings, project_id: str, name: str = "") -> None:
    """A new project.

    Raises:
        BadIdentityError: unusable id or name, or it exists.
    """
    _check_project(project_id, name)

    async def work(database: Database) -> None:
        if await identity.project(database, project_id) is not None:
            raise BadIdentityError(f"there is a project {project_id!r} already")
        await _ensure_project(database, project_id, name)

    run_audited(settings, work, "project create", project_id, project_id)


def list_projects(settings: Settings) -> list[rosters.ProjectRow]:
    """All projects, by id."""
    return run(settings, rosters.projects)


# --- keys --------------------------------------------------------------------------------------------


def create_key(
    settings: Settings, project_id: str, name: str = "", role: Role = Role.ADMIN, user: str = ""
) -> AccessKey:
    """A new AK/SK of a project, which is made if it does not exist.

    Args:
        name: the project's name when it is made (default: its id). SDKs without a project id ask for the project that
            is named like their region.
        user: whose key it is: it ends when the user leaves the project, and never allows more than the user's role.

    Raises:
        BadIdentityError: the project id cannot stand in a URL, another project has the name, or the user is no member.
    """
    _check_project(project_id, name)

    async def work(database: Database) -> AccessKey:
        user_id = await _member(database, project_id, user) if user else None
        await _ensure_project(database, project_id, name)
        return await identity.add_key(database, project_id, time.time(), role, user_id)

    return run_audited(settings, work, "key create", project_id, lambda key: key.ak)


def list_keys(settings: Settings, project_id: str = "") -> list[rosters.KeyRow]:
    """All keys, or those of a project; never their secrets."""
    return run(settings, lambda database: rosters.keys(database, project_id))


def rotate_key(settings: Settings, ak: str, grace_s: float) -> AccessKey:
    """A new key in place of another one, which goes on for ``grace_s`` seconds.

    Raises:
        IdentityError: no such valid key.
    """

    async def work(database: Database) -> AccessKey:
        return await identity.rotate_key(database, ak, time.time(), grace_s)

    return run_audited(settings, work, "key rotate", lambda key: key.project_id, ak)


def revoke_key(settings: Settings, ak: str) -> None:
    """End a key at once, also in running servers.

    Raises:
        IdentityError: no such key.
    """
    run_audited(settings, lambda database: identity.revoke_key(database, ak), "key revoke", lambda project: project, ak)


# --- users -------------------------------------------------------------------------------------------


def create_user(
    settings: Settings, project_id: str, name: str, password: str, role: Role | None = None, *, new: bool = False
) -> str:
    """Make a user of a project (which is made if it does not exist), or give it a new password. Answers the user's id.

    Args:
        role: None: the one it has, an admin's if it is new.
        new: refuse one that exists.

    Raises:
        BadIdentityError: unusable project id or name, a password of fewer than 8 characters, or the user exists.
    """
    _check_project(project_id)
    if not (1 <= len(name) <= 64 and name.isprintable()):
        raise BadIdentityError("a user's name has 1 to 64 printable characters")
    _check_password(password)

    async def work(database: Database) -> str:
        if new and await identity.find_user(database, name) is not None:
            raise BadIdentityError(
                f"there is a user {name!r} already: give it a role in the project, or a new password"
            )
        await _ensure_project(database, project_id)
        password_hash = await asyncio.to_thread(identity.hash_password, password)
        return await identity.put_user(database, project_id, name, password_hash, time.time(), role)

    return run_audited(settings, work, "user create", project_id, name)


def list_users(settings: Settings, project_id: str = "") -> list[rosters.UserRow]:
    """All users with their roles, a row a project; or those of one project."""
    return run(settings, lambda database: rosters.users(database, project_id))


def set_password(settings: Settings, name: str, password: str) -> None:
    """Another password; the user's tokens and temporary keys end at once.

    Raises:
        BadIdentityError, IdentityError: an unusable password; no such user.
    """
    _check_password(password)

    async def work(database: Database) -> None:
        password_hash = await asyncio.to_thread(identity.hash_password, password)
        await identity.set_password(database, name, password_hash)

    run_audited(settings, work, "user password", "", name)


def set_role(settings: Settings, project_id: str, name: str, role: Role) -> None:
    """Let a user into a project, or change its role there: effective at once.

    Raises:
        IdentityError: no such user or project.
    """
    run_audited(
        settings, lambda db: identity.set_role(db, project_id, name, role), f"user role {role}", project_id, name
    )


def remove_member(settings: Settings, project_id: str, name: str) -> None:
    """Shut a user out of a project at once, with its keys and tokens there.

    Raises:
        IdentityError: it is no member.
    """
    run_audited(settings, lambda db: identity.remove_member(db, project_id, name), "user remove", project_id, name)


def end_sessions(settings: Settings, name: str) -> None:
    """End a user's tokens and temporary keys at once.

    Raises:
        IdentityError: no such user.
    """
    run_audited(settings, lambda database: identity.end_sessions(database, name), "user logout", "", name)


# --- help --------------------------------------------------------------------------------------------


def _check_project(project_id: str, name: str = "") -> None:
    if not _PROJECT_ID.match(project_id):
        raise BadIdentityError(f"project id {project_id!r}: wanted 1 to 64 letters, digits, '-' and '_'")
    if name and not (len(name) <= 64 and name.isprintable()):
        raise BadIdentityError("a project's name has 1 to 64 printable characters")


def _check_password(password: str) -> None:
    if not _MIN_PASSWORD <= len(password) <= 128:
        raise BadIdentityError(f"a password has {_MIN_PASSWORD} to 128 characters")


async def _ensure_project(database: Database, project_id: str, name: str = "") -> None:
    try:
        await identity.ensure_project(database, project_id, time.time(), name)
    except IntegrityError:
        raise BadIdentityError(f"another project is named {name or project_id!r}") from None


async def _member(database: Database, project_id: str, name: str) -> str:
    user = await identity.find_user(database, name)
    if user is None or project_id not in {found.id for found in await identity.user_projects(database, user.id)}:
        raise BadIdentityError(f"user {name!r} is not in project {project_id!r}")
    return user.id
