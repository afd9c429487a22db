"""The database: connections, transactions, migrations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store import quick
from visavis.store.callers import Callers
from visavis.store.vault import Vault

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITE = "visavis_write"
_BUSY_MS = 60_000
_WRITE_LOCK = 7_236_451


class RevisionError(VisavisError):
    """The tables are not of a revision that this version can use."""


class Database:
    """One installation's database and vault. Open it with :meth:`open`, in the event loop that uses it."""

    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self._engine = engine
        self._write_lock = asyncio.Lock()
        self.vault = vault
        self.callers = Callers(_stamp_file(engine))
        self.quick = quick.reader(engine, _file(engine))

    @classmethod
    async def open(cls, settings: Settings, revision: str = "head") -> Database:
        """Connect and bring the tables up to date.

        Args:
            revision: of the tables; "head" is what this version uses. Another one is for whoever goes back to an older
                version: only :meth:`close` works then.

        Raises:
            VaultError: the key file cannot be used.
            RevisionError: the tables are of a version that this one does not know, or ``revision`` is unknown.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
        """
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        vault = await asyncio.to_thread(Vault.open, settings)
        # What a statement carries (hashes, sealed keys, what was configured) has no place in an error's text and the log.
        url = make_url(settings.sqlalchemy_url)
        # A restart of a database server must not cost a request: pooled connections are tried before they are used.
        remote = url.get_backend_name() != "sqlite"
        engine = create_async_engine(url, hide_parameters=True, pool_pre_ping=remote)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _sqlite_connect)
            event.listen(engine.sync_engine, "begin", _sqlite_begin)
        else:
            event.listen(engine.sync_engine, "begin", _postgresql_begin)
        database = cls(engine, vault)
        try:
            async with database.write() as connection:
                await connection.run_sync(_migrate, revision)
        except BaseException:
            await engine.dispose()
            raise
        return database

    async def close(self) -> None:
        """Close all connections."""
        if self.quick is not None:
            await self.quick.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write; commits at its end, rolls back on an exception.

        It holds the one write lock from its beginning, so what it reads cannot change before it writes, whatever other
        processes do: SQLite's own lock, or an advisory lock of PostgreSQL.
        """
        async with self._write_lock, self._engine.connect() as plain:
            connection = await plain.execution_options(**{_WRITE: True})
            async with connection.begin():
                yield connection

    async def ping(self) -> None:
        """Raises when the database does not answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))


def _sqlite_connect(dbapi: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions of its own: _sqlite_begin does.
    raw: Any = dbapi
    raw.isolation_level = None
    cursor = dbapi.cursor()
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITE, False):
        connection.exec_driver_sql(
            f"SELECT set_config('lock_timeout', '{_BUSY_MS}', true), pg_advisory_xact_lock({_WRITE_LOCK})"
        )


def _file(engine: AsyncEngine) -> Path | None:
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def _stamp_file(engine: AsyncEngine) -> Path | None:
    file = _file(engine)
    return file and file.with_name(f"{file.name}.callers")


def _migrate(connection: Connection, revision: str) -> None:
    config = alembic_config(connection)
    script = ScriptDirectory.from_config(config)
    newest_first = [each.revision for each in script.walk_revisions()]
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in newest_first:
        raise RevisionError(f"the database is of a newer version of visavis (revision {current} of its tables)")
    wanted = newest_first[0] if revision == "head" else revision
    if wanted not in newest_first:
        raise RevisionError(f"there is no revision {revision!r} of the tables: {', '.join(sorted(newest_first))}")
    if current is None or newest_first.index(wanted) < newest_first.index(current):
        command.upgrade(config, wanted)
    elif wanted != current:
        command.downgrade(config, wanted)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for a connection (its migrations are packaged beside this file)."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
