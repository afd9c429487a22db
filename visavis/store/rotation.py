"""New keys for stored secrets, beside a running server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.errors import VisavisError
from visavis.settings import Settings
from visavis.store.commands import run, run_audited
from visavis.store.database import Database
from visavis.store.identity import APP_KEY_PURPOSE, SK_PURPOSE
from visavis.store.tables import metadata
from visavis.store.vault import id_of_key, key_file, key_id_of, new_key, read_keys, write_keys

_BATCH = 200

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed texts; '' in it means that there is nothing."""

    table: Table
    column: Column[Any]
    purpose: str

    @property
    def key(self) -> tuple[Column[Any], ...]:
        """The columns that name a row."""
        return tuple(self.table.primary_key.columns)


def _column(table: str, column: str, purpose: str) -> Sealed:
    return Sealed(metadata.tables[table], metadata.tables[table].c[column], purpose)


SEALED = (
    _column("projects", "rtc_app_key", APP_KEY_PURPOSE),
    _column("access_keys", "sk", SK_PURPOSE),
    _column("robots", "secrets", "robots.secrets"),
    _column("records", "secrets", "records.secrets"),
    _column("buckets", "secret", "buckets.secret"),
)
"""Every column that holds sealed texts (tests/store/test_store_secrets.py proves that none is missing)."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One of the installation's keys, and how many stored secrets need it. ``id`` empty: of the first version's form."""

    id: str
    newest: bool
    secrets: int


async def reseal(database: Database, progress: Progress = lambda _: None) -> int:
    """Encrypt every stored secret anew: under the newest key, with a new data key. Answers how many.

    In short transactions, between which a server that runs beside it goes on.

    Args:
        progress: told how many are done.

    Raises:
        VaultError: a stored secret cannot be read with the keys at hand (those done before stay done).
    """
    done = 0
    for sealed in SEALED:
        last: tuple[Any, ...] | None = None
        while True:
            query = select(*sealed.key, sealed.column).order_by(*sealed.key).limit(_BATCH)
            if last is not None:
                query = query.where(tuple_(*sealed.key) > last)
            async with database.write() as connection:
                rows = (await connection.execute(query)).all()
                for row in rows:
                    done += await _reseal(database, connection, sealed, tuple(row))
            if not rows:
                break
            last = tuple(rows[-1])[:-1]
            progress(done)
    database.callers.changed()
    return done


async def _reseal(database: Database, connection: AsyncConnection, sealed: Sealed, row: tuple[Any, ...]) -> int:
    key, text = row[:-1], row[-1]
    if not text:
        return 0
    fresh = database.vault.seal(database.vault.unseal(text, sealed.purpose), sealed.purpose)
    where = [column == value for column, value in zip(sealed.key, key, strict=True)]
    await connection.execute(update(sealed.table).where(*where).values({sealed.column.name: fresh}))
    return 1


async def usage(database: Database) -> list[KeyUse]:
    """The keys at hand and those that stored secrets need, the newest first."""
    found: dict[str, int] = dict.fromkeys(database.vault.key_ids, 0)
    for sealed in SEALED:
        async with database.read() as connection:
            for (text,) in await connection.execute(select(sealed.column).where(sealed.column != "")):
                key_id = key_id_of(text)
                found[key_id] = found.get(key_id, 0) + 1
    newest = database.vault.newest
    return [KeyUse(key_id, key_id == newest, count) for key_id, count in found.items()]


def rotate(settings: Settings, progress: Progress = lambda _: None) -> int:
    """For the command line: encrypt all stored secrets under a new key; answers how many. A server may run beside it.

    With a key file: makes the new key. The one before stays in the file, to read with, until :func:`prune` or the next
    rotation. With ``VISAVIS_SECRET_KEY`` the operator has put the new key there before, and the earlier one into
    ``VISAVIS_SECRET_KEYS_BEFORE``.
    """

    async def work(database: Database) -> int:
        if not settings.secret_key:
            path = key_file(settings)
            newest, *older = read_keys(path)
            needed = {use.id for use in await usage(database) if use.secrets}
            # Of the first version's form it is not known which key they need.
            kept = [key for key in older if "" in needed or id_of_key(key) in needed]
            write_keys(path, (new_key(), newest, *kept))
        return await reseal(database, progress)

    return run_audited(settings, work, "secrets rotate", "", "")


def prune(settings: Settings, progress: Progress = lambda _: None) -> int:
    """For the command line: take the keys before the newest one out of the key file; answers how many.

    What still needs them is encrypted anew before.

    Raises:
        VisavisError: the keys are in the settings, not in a file.
    """
    if settings.secret_key:
        raise VisavisError("the keys are in the environment: take VISAVIS_SECRET_KEYS_BEFORE out of it")

    async def work(database: Database) -> int:
        path = key_file(settings)
        if any(use.secrets and not use.newest for use in await usage(database)):
            await reseal(database, progress)
        newest, *older = read_keys(path)
        if older:
            write_keys(path, (newest,))
        return len(older)

    return run_audited(settings, work, "secrets prune", "", "")


def status(settings: Settings) -> list[KeyUse]:
    """For the command line: see :func:`usage`."""
    return run(settings, usage)
