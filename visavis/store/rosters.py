"""Lists of projects, users and keys for whoever runs the server. No secrets."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from visavis.store import tables
from visavis.store.database import Database


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project. ``created_at``: epoch seconds."""

    id: str
    name: str
    users: int
    keys: int
    created_at: float


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user in one project; ``project_id`` and ``role`` empty: in none."""

    name: str
    project_id: str
    role: str
    created_at: float


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An access key. ``user`` empty: nobody's. ``expires_at`` None: never."""

    ak: str
    project_id: str
    user: str
    role: str
    enabled: bool
    temporary: bool
    created_at: float
    expires_at: float | None

    def state(self, now: float) -> str:
        """One word: valid, ending (valid until ``expires_at``), ended or revoked."""
        if not self.enabled:
            return "revoked"
        if self.expires_at is None:
            return "valid"
        return "ending" if now < self.expires_at else "ended"


async def projects(database: Database) -> list[ProjectRow]:
    """All projects, by id, with how many users and how many keys that are not revoked they have."""
    project, member, key = tables.projects, tables.memberships, tables.access_keys
    members = select(func.count()).where(member.c.project_id == project.c.id).scalar_subquery()
    keys_of = select(func.count()).where(key.c.project_id == project.c.id, key.c.enabled.is_(True)).scalar_subquery()
    query = select(project, members.label("members"), keys_of.label("keys_of")).order_by(project.c.id)
    async with database.read() as connection:
        return [
            ProjectRow(row.id, row.name, row.members, row.keys_of, row.created_at)
            for row in await connection.execute(query)
        ]


async def users(database: Database, project_id: str = "") -> list[UserRow]:
    """Users and their roles, by name and project; of one project where it is given."""
    user, member = tables.users, tables.memberships
    query = (
        select(user.c.name, user.c.created_at, member.c.project_id, member.c.role)
        .outerjoin(member, member.c.user_id == user.c.id)
        .order_by(user.c.name, member.c.project_id)
    )
    if project_id:
        query = query.where(member.c.project_id == project_id)
    async with database.read() as connection:
        return [
            UserRow(row.name, row.project_id or "", row.role or "", row.created_at)
            for row in await connection.execute(query)
        ]


async def keys(database: Database, project_id: str = "") -> list[KeyRow]:
    """Keys, revoked and ended ones too, by project and age; of one project where it is given."""
    key, user = tables.access_keys, tables.users
    query = (
        select(key, user.c.name.label("user_name"))
        .outerjoin(user, user.c.id == key.c.user_id)
        .order_by(key.c.project_id, key.c.created_at, key.c.ak)
    )
    if project_id:
        query = query.where(key.c.project_id == project_id)
    async with database.read() as connection:
        return [
            KeyRow(
                row.ak,
                row.project_id,
                row.user_name or "",
                row.role,
                row.enabled,
                bool(row.token_hash),
                row.created_at,
                row.expires_at,
            )
            for row in await connection.execute(query)
        ]
