from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from visavis.settings import Settings
from visavis.store import identity
from visavis.store.database import Database


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of an empty database: SQLite's, then PostgreSQL's."""
    return Settings(data=tmp_path, database_url=database_url)


@pytest_asyncio.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """An empty database with the projects p1 and p2."""
    opened = await Database.open(settings)
    for project_id in ("p1", "p2"):
        await identity.ensure_project(opened, project_id, 1.0)
    yield opened
    await opened.close()
