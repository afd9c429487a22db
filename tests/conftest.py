"""Databases: what is stored is tested on SQLite and on PostgreSQL. ``--database sqlite`` runs the half of it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import structlog
from postgres_server import PostgresServer, program

from visavis.settings import Settings
from visavis.store.database import Database
from visavis.store.tables import metadata

_KINDS = ("sqlite", "postgresql")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=[*_KINDS, "both"], default="both", help="which databases to test on")


_REAL_TIME = {"rtc", "session", "system", "web"}
"""Folders of tests in which sound and pictures flow in real time: a machine that is busy elsewhere for a moment breaks them.
They are tried once more, and pytest's closing line tells how many were."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in _REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=1))
    wanted = config.getoption("--database")
    if wanted == "both":
        return

    def other(item: Any) -> bool:
        callspec = getattr(item, "callspec", None)
        return callspec is not None and callspec.params.get("database_kind", wanted) != wanted

    left_out = [item for item in items if other(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def log_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that runs a command in this process sets up logging as the command does: the tests after it log as before.

    Loggers are not kept as they were first used, or no later setting would reach them.
    """
    before, configure = structlog.get_config(), structlog.configure

    def forgetful(**options: Any) -> None:
        configure(**{**options, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", forgetful)
    yield
    configure(**before)


class Postgres:
    """The session's server, started when the first test asks for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = count(1)
        self._shared = ""
        self._server: PostgresServer | None = None

    @property
    def server(self) -> PostgresServer:
        """The running server; skips the test where there is none, and says why."""
        if program("postgres") is None:
            pytest.skip(
                "PostgreSQL's server is not installed (Debian package postgresql, installed by make setup-tests)"
            )
        if importlib.util.find_spec("asyncpg") is None:
            pytest.skip("PostgreSQL's driver asyncpg is not installed")
        if self._server is None:
            self._server = PostgresServer()
        return self._server

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = f"t{next(self._names)}"
        self.server.execute(f"CREATE DATABASE {name}")
        return self.server.url(name)

    def cleaned(self) -> str:
        """The URL of the one database that most tests take turns in: all its tables are there, and empty."""
        server = self.server
        if not self._shared:
            url = self.fresh()
            server.run(_migrated(Settings(data=self._folder, database_url=url)))
            self._shared = url
        # Quicker than TRUNCATE, which makes new files: the tables are small.
        tables = reversed(metadata.sorted_tables)
        server.execute("; ".join(f"DELETE FROM {table.name}" for table in tables), self._shared.rpartition("/")[2])
        return self._shared

    def stop(self) -> None:
        """End the server, if it was started."""
        if self._server is not None:
            self._server.stop()


async def _migrated(settings: Settings) -> None:
    await (await Database.open(settings)).close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """For tests that need PostgreSQL, or a database of their own in it."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


@pytest.fixture(params=_KINDS, scope="module")
def database_kind(request: pytest.FixtureRequest) -> str:
    """The test runs once for each kind of database; a module's tests on the one before those on the other."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(database_kind: str, postgres: Postgres) -> str:
    """The setting ``database_url`` of an empty database: '' is SQLite in the data folder."""
    return postgres.cleaned() if database_kind == "postgresql" else ""
