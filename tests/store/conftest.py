from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from visavis.settings import Settings
from visavis.store import identity
from visavis.store.database import Database


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with the projects p1 and p2."""
    opened = await Database.open(Settings(data=tmp_path))
    for project_id in ("p1", "p2"):
        await identity.ensure_project(opened, project_id, 1.0)
    yield opened
    await opened.close()
