"""The database: connections, transactions, migrations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from visavis.settings import Settings
from visavis.store.vault import Vault

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITE = "visavis_write"
_BUSY_MS = 15_000
_MIGRATION_LOCK = 7_236_451


class Database:
    """One installation's database and vault. Open it with :meth:`open`, in the event loop that uses it."""

    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self._engine = engine
        self._write_lock = asyncio.Lock()
        self.vault = vault

    @classmethod
    async def open(cls, settings: Settings) -> Database:
        """Connect and bring the tables up to date.

        Raises:
            VaultError: the key file cannot be used.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
        """
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        vault = await asyncio.to_thread(Vault.open, settings)
        # What a statement carries (hashes, sealed keys, what was configured) has no place in an error's text and the log.
        engine = create_async_engine(settings.sqlalchemy_url, hide_parameters=True)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _sqlite_connect)
            event.listen(engine.sync_engine, "begin", _sqlite_begin)
        database = cls(engine, vault)
        try:
            async with database.write() as connection:
                await connection.run_sync(_migrate)
        except BaseException:
            await engine.dispose()
            raise
        return database

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write; commits at its end, rolls back on an exception.

        On SQLite it holds the one write lock from its beginning, so what it reads cannot change before it writes.
        On other databases rows that a decision rests on are locked with ``FOR UPDATE``.
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


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for a connection (its migrations are packaged beside this file)."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
