"""Single rows by their key, read at a fraction of what a transaction through the pool costs.

A request that only shows one thing spent nine tenths of its time on the way to the database's thread and back. Here SQLite's
file is read in the event loop itself, which takes some ten microseconds (it reads what is committed at that moment; in WAL mode
nothing that writes keeps it waiting), and PostgreSQL is asked in one round trip on a connection without a transaction.
Whatever goes wrong here is done again in the ordinary way, which also says what was wrong.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json
from sqlalchemy import JSON, Dialect, Select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine

from visavis import log

if TYPE_CHECKING:
    from visavis.store.database import Database

_POOL: Final = 4
_BUSY_S: Final = 0.05
_MAPPED_BYTES: Final = 1 << 30
_TIMEOUT_S: Final = 10.0

_log = log.get(__name__)


class _Compiled:
    """A lookup's text for one kind of database, and how its rows become values."""

    __slots__ = ("_names", "_processors", "_row", "text")

    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        compiled = query.compile(dialect=dialect)
        self.text = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        columns = list(query.selected_columns)
        self._row: Callable[..., Any] = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc]
        self._processors: list[tuple[int, Callable[[Any], Any]]] = []
        if dialect.name == "sqlite":  # PostgreSQL's driver answers values of the right types by itself
            found = [_processor(column.type, dialect) for column in columns]
            self._processors = [(at, one) for at, one in enumerate(found) if one is not None]

    def values(self, given: dict[str, Any]) -> list[Any]:
        """The parameters in the text's order."""
        return [given[name] for name in self._names]

    def row(self, raw: Sequence[Any]) -> Any:
        """The row with its columns as attributes."""
        values = list(raw)
        for at, process in self._processors:
            values[at] = process(values[at])
        return self._row(*values)


def _processor(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(kind, JSON):
        return _from_json  # a third of what the standard library's takes
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _from_json(text: str | None) -> Any:
    return None if text is None else from_json(text)


class Lookup:
    """A query for at most one row, with ``bindparam`` for what changes. Made once, at import.

    Answers look like SQLAlchemy's rows: columns are attributes.
    """

    def __init__(self, query: Select[Any]) -> None:
        self.query = query
        self._compiled: _Compiled | None = None
        self._dialect = ""

    async def first(self, database: Database, **given: Any) -> Any:
        """The row as it is committed now; None: there is none. ``given``: the parameters."""
        quick = database.quick
        if quick is not None:
            try:
                return await quick.first(self, given)
            except quick.errors as error:
                _log.warning("quick_lookup_failed", reason=type(error).__name__)
        async with database.read() as connection:
            return (await connection.execute(self.query, given)).first()

    def compiled(self, dialect: Dialect) -> _Compiled:
        """For that kind of database."""
        if self._compiled is None or self._dialect != dialect.name:
            self._compiled, self._dialect = _Compiled(self.query, dialect), dialect.name
        return self._compiled


class SqliteReader:
    """A connection of the event loop's own that only reads."""

    errors: Final = (sqlite3.Error,)

    def __init__(self, engine: AsyncEngine, file: Path) -> None:
        self._dialect = engine.dialect
        self._file = file
        self._connection: sqlite3.Connection | None = None

    async def first(self, lookup: Lookup, given: dict[str, Any]) -> Any:
        """See :meth:`Lookup.first`."""
        compiled = lookup.compiled(self._dialect)
        if self._connection is None:
            self._connection = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None)
            self._connection.execute("PRAGMA query_only=ON")
            # Its own cache of pages is void after each write of others; the system's, read in place, is not.
            self._connection.execute(f"PRAGMA mmap_size={_MAPPED_BYTES}")
        # All rows: a statement that is not at its end would hold on to this moment's state of the database.
        rows = self._connection.execute(compiled.text, compiled.values(given)).fetchall()
        return compiled.row(rows[0]) if rows else None

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresReader:
    """A few connections without transactions. For one event loop."""

    def __init__(self, engine: AsyncEngine) -> None:
        import asyncpg  # type: ignore[import-untyped]

        self.errors: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
        self._create_pool = asyncpg.create_pool
        self._dialect = engine.dialect
        _, self._options = engine.dialect.create_connect_args(engine.url)
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def first(self, lookup: Lookup, given: dict[str, Any]) -> Any:
        """See :meth:`Lookup.first`."""
        compiled = lookup.compiled(self._dialect)
        if self._pool is None:
            async with self._opening:
                self._pool = self._pool or await self._create_pool(
                    **self._options, min_size=0, max_size=_POOL, init=_json, reset=_nothing, command_timeout=_TIMEOUT_S
                )
        row = await self._pool.fetchrow(compiled.text, *compiled.values(given))
        return None if row is None else compiled.row(row)

    async def close(self) -> None:
        """Close the connections; nothing is under way any more."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None


async def _json(connection: Any) -> None:
    # As SQLAlchemy sets its own connections up: its types expect values, not texts.
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def _nothing(connection: Any) -> None:
    """Between two lookups nothing must be put back, and no round trip is spent on it."""


Reader = SqliteReader | PostgresReader


def reader(engine: AsyncEngine, file: Path | None) -> Reader | None:
    """What reads this database quickly; None: nothing does. ``file``: SQLite's."""
    if engine.dialect.name == "postgresql":
        return PostgresReader(engine)
    return None if file is None else SqliteReader(engine, file)
