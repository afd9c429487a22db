"""One browser and one fake server for each module of tests; a fresh context for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from page_server import FakeServer
from page_visitor import FLAGS, Visitor, chromium, visitors
from playwright.async_api import Browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium(FLAGS) as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(browser: Browser, server: FakeServer, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    """Options of the browser context come from ``@pytest.mark.parametrize("visitor", [{...}], indirect=True)``."""
    async for someone in visitors(browser, server, **getattr(request, "param", {})):
        yield someone
