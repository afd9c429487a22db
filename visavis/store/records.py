"""Records: the things of a project that the API stores by kind (roles, hot words, documents, switches, ...).

A record is a JSON document with a name to search by, perhaps a parent (a robot, a library), secrets that are encrypted, and a
version that every change raises. Kinds do not know each other here; what refers to what is the services' business.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.errors import VisavisError
from visavis.store.database import Database
from visavis.store.tables import records
from visavis.store.vault import Vault

_PURPOSE = "records.secrets"

Order = Literal["asc", "desc"]


class ExistsError(VisavisError):
    """There is a record of that kind and id already."""


class TooManyRecordsError(VisavisError):
    """The project has as many of that kind as it may have."""


class VersionConflictError(VisavisError):
    """The record is not of the version that the change was made for."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. ``document`` and ``secrets`` are JSON values; ``app_user_id`` empty: of nobody in particular."""

    id: str
    project_id: str
    kind: str
    document: dict[str, Any]
    name: str = ""
    parent_id: str = ""
    app_user_id: str = ""
    secrets: dict[str, Any] = field(default_factory=dict, repr=False)
    version: int = 1
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def whole(self) -> dict[str, Any]:
        """The document with the secrets in it."""
        return {**self.document, **self.secrets}


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; None and empty: anything.

    ``parents``: one of these. ``name``: a part of it, whatever the case. ``fields``: values (text, whole number, bool) of
    the document's own fields. ``since``, ``until``: epoch seconds of the creation, both included.
    """

    parent_id: str | None = None
    parents: Sequence[str] | None = None
    name: str = ""
    app_user_id: str | None = None
    fields: Mapping[str, str | int | bool] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    since: float | None = None
    until: float | None = None


EVERYTHING = Filter()

Change = Callable[[Record], Record]
"""Makes the new record of the old one; id, project, kind, version and times are not its business."""


def new_id() -> str:
    """An id for a record."""
    return uuid.uuid4().hex


class Transaction:
    """Several steps that happen together or not at all. Made by :func:`transaction`."""

    def __init__(self, connection: AsyncConnection, vault: Vault) -> None:
        self.connection = connection
        self._vault = vault

    async def create(self, record: Record, *, most: int | None = None) -> Record:
        """Store a new record; ``updated_at`` is its creation.

        Args:
            most: how many of its kind the project may have (of that parent, if it has one).

        Raises:
            ExistsError: its id is taken. TooManyRecordsError: there are ``most``.
        """
        if await self.get(record.project_id, record.kind, record.id) is not None:
            raise ExistsError(record.id)
        if most is not None:
            wanted = Filter(parent_id=record.parent_id or None)
            if await self.count(record.project_id, record.kind, wanted) >= most:
                raise TooManyRecordsError(f"a project may have {most}")
        stored = replace(record, version=1, updated_at=record.created_at)
        await self.connection.execute(insert(records).values(self._row(stored)))
        return stored

    async def get(self, project_id: str, kind: str, record_id: str) -> Record | None:
        """The record of that kind and id."""
        query = select(records).where(*_where(project_id, kind, Filter(ids=[record_id])))
        row = (await self.connection.execute(query)).first()
        return None if row is None else self._record(row)

    async def update(
        self,
        project_id: str,
        kind: str,
        record_id: str,
        change: Change,
        now: float,
        *,
        expected: int | None = None,
    ) -> Record | None:
        """The changed record; None: there is none.

        Args:
            expected: the version that the change was made for.

        Raises:
            VersionConflictError: it has another version by now.
        """
        query = select(records).where(*_where(project_id, kind, Filter(ids=[record_id]))).with_for_update()
        row = (await self.connection.execute(query)).first()
        if row is None:
            return None
        old = self._record(row)
        if expected is not None and old.version != expected:
            raise VersionConflictError(f"version {old.version}, not {expected}")
        changed = replace(
            change(old),
            id=old.id,
            project_id=old.project_id,
            kind=old.kind,
            version=old.version + 1,
            created_at=old.created_at,
            updated_at=now,
        )
        place = (records.c.project_id == project_id, records.c.kind == kind, records.c.id == record_id)
        await self.connection.execute(update(records).where(*place).values(self._row(changed)))
        return changed

    async def put(self, record: Record, now: float) -> Record:
        """Store the record, whether there was one or not: for what exists once, such as a switch."""
        changed = await self.update(record.project_id, record.kind, record.id, lambda _: record, now)
        return changed or await self.create(replace(record, created_at=now))

    async def remove(
        self, project_id: str, kind: str, ids: Sequence[str], *, children: Sequence[str] = ()
    ) -> list[str]:
        """Delete what there is of ``ids``, and the records of the kinds ``children`` that have them as parent. Answers
        the ids that were there.
        """
        query = select(records.c.id).where(*_where(project_id, kind, Filter(ids=ids))).with_for_update()
        there = {row.id for row in await self.connection.execute(query)}
        if not there:
            return []
        for inner in children:
            await self.connection.execute(
                delete(records).where(
                    records.c.project_id == project_id, records.c.kind == inner, records.c.parent_id.in_(there)
                )
            )
        await self.connection.execute(delete(records).where(*_where(project_id, kind, Filter(ids=sorted(there)))))
        return [one for one in dict.fromkeys(ids) if one in there]

    async def listing(
        self,
        project_id: str,
        kind: str,
        wanted: Filter = EVERYTHING,
        *,
        offset: int = 0,
        limit: int | None = 100,
        order: Order = "desc",
    ) -> tuple[int, list[Record]]:
        """(how many match, one page of them), by creation. ``limit`` None: all of them."""
        query: Select[Any] = select(records).where(*_where(project_id, kind, wanted))
        if order == "desc":
            query = query.order_by(records.c.created_at.desc(), records.c.id.desc())
        else:
            query = query.order_by(records.c.created_at, records.c.id)
        if limit is not None:
            query = query.offset(offset).limit(limit)
        page = [self._record(row) for row in await self.connection.execute(query)]
        if limit is None:
            return len(page), page
        if len(page) < limit and (page or not offset):
            return offset + len(page), page  # the end of the list: its length is known
        return await self.count(project_id, kind, wanted), page

    async def count(self, project_id: str, kind: str, wanted: Filter = EVERYTHING) -> int:
        """How many match."""
        query = select(func.count()).select_from(records).where(*_where(project_id, kind, wanted))
        return int((await self.connection.execute(query)).scalar_one())

    def _row(self, record: Record) -> dict[str, Any]:
        return {
            "id": record.id,
            "project_id": record.project_id,
            "kind": record.kind,
            "parent_id": record.parent_id,
            "name": record.name,
            "app_user_id": record.app_user_id,
            "document": record.document,
            "secrets": self._vault.seal(json.dumps(record.secrets), _PURPOSE) if record.secrets else "",
            "version": record.version,
            "created_at": record.created_at,
            "updated_at": record.updated_at,
        }

    def _record(self, row: Row[Any]) -> Record:
        return Record(
            id=row.id,
            project_id=row.project_id,
            kind=row.kind,
            parent_id=row.parent_id,
            name=row.name,
            app_user_id=row.app_user_id,
            document=row.document,
            secrets=json.loads(self._vault.unseal(row.secrets, _PURPOSE)) if row.secrets else {},
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


def _where(project_id: str, kind: str, wanted: Filter) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [records.c.project_id == project_id, records.c.kind == kind]
    if wanted.parent_id is not None:
        where.append(records.c.parent_id == wanted.parent_id)
    if wanted.parents is not None:
        where.append(records.c.parent_id.in_(list(wanted.parents)))
    if wanted.app_user_id is not None:
        where.append(records.c.app_user_id == wanted.app_user_id)
    if wanted.ids is not None:
        where.append(records.c.id.in_(list(wanted.ids)))
    if wanted.name:
        where.append(records.c.name.icontains(wanted.name, autoescape=True))
    if wanted.since is not None:
        where.append(records.c.created_at >= wanted.since)
    if wanted.until is not None:
        where.append(records.c.created_at <= wanted.until)
    for key, value in wanted.fields.items():
        inner = records.c.document[key]
        if isinstance(value, bool):
            where.append(inner.as_boolean() == value)
        elif isinstance(value, int):
            where.append(inner.as_integer() == value)
        else:
            where.append(inner.as_string() == value)
    return where


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Transaction]:
    """A transaction that may write; committed at its end, rolled back on an exception."""
    async with database.write() as connection:
        yield Transaction(connection, database.vault)


async def create(database: Database, *new: Record, most: int | None = None) -> None:
    """Store new records, all or none. Raises as :meth:`Transaction.create`."""
    async with transaction(database) as steps:
        for record in new:
            await steps.create(record, most=most)


async def get(database: Database, project_id: str, kind: str, record_id: str) -> Record | None:
    """The record of that kind and id."""
    async with database.read() as connection:
        return await Transaction(connection, database.vault).get(project_id, kind, record_id)


async def update_record(
    database: Database,
    project_id: str,
    kind: str,
    record_id: str,
    change: Change,
    now: float,
    *,
    expected: int | None = None,
) -> Record | None:
    """The changed record; None: there is none. Raises as :meth:`Transaction.update`."""
    async with transaction(database) as steps:
        return await steps.update(project_id, kind, record_id, change, now, expected=expected)


async def put(database: Database, record: Record, now: float) -> Record:
    """Store the record, whether there was one or not."""
    async with transaction(database) as steps:
        return await steps.put(record, now)


async def remove_all(
    database: Database,
    project_id: str,
    kind: str,
    ids: Sequence[str],
    *,
    children: Sequence[str] = (),
    check: Callable[[Transaction], Awaitable[None]] | None = None,
) -> list[str]:
    """Delete what there is of ``ids`` with their children, all or none. Answers the ids that were there.

    Args:
        check: asked before, within the transaction; what it raises forbids the deletion.
    """
    async with transaction(database) as steps:
        if check is not None:
            await check(steps)
        return await steps.remove(project_id, kind, ids, children=children)


async def listing(
    database: Database,
    project_id: str,
    kind: str,
    wanted: Filter = EVERYTHING,
    *,
    offset: int = 0,
    limit: int | None = 100,
    order: Order = "desc",
) -> tuple[int, list[Record]]:
    """(how many match, one page of them), by creation. ``limit`` None: all of them."""
    async with database.read() as connection:
        steps = Transaction(connection, database.vault)
        return await steps.listing(project_id, kind, wanted, offset=offset, limit=limit, order=order)


async def count_of(database: Database, project_id: str, kind: str, wanted: Filter = EVERYTHING) -> int:
    """How many match."""
    async with database.read() as connection:
        return await Transaction(connection, database.vault).count(project_id, kind, wanted)
