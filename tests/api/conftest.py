"""Applications in this process, each with a fake dispatcher and one project, p1, with a key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import structlog
from control_fakes import FakeDispatcher
from control_server import CATALOGUE, HOST, Clock, Server

from visavis.api.app import create_app
from visavis.settings import Settings


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """Structlog's own default draws exceptions with all their variables, which takes seconds."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


MakeServer = Callable[..., Awaitable[Server]]


@pytest_asyncio.fixture
async def make_server(tmp_path: Path, database_url: str) -> AsyncIterator[MakeServer]:
    """Starts applications; each is stopped at the test's end, or by ``stop``."""
    open_servers: list[tuple[Any, httpx.AsyncClient]] = []

    async def make(dispatcher: FakeDispatcher | None = None, web: Path | None = None, **settings: Any) -> Server:
        # Tests ask quickly, and by a clock that stands: the project's rate is a test's only where it says so.
        usual = {"check_answers": True, "database_url": database_url, "project_rate": 0}
        config = Settings(data=tmp_path / "data", **{**usual, **settings})
        dispatcher = dispatcher or FakeDispatcher()
        clock = Clock()
        extra = {"web": web} if web else {}
        app = create_app(config, dispatcher, CATALOGUE, clock=clock, **extra)
        lifespan = app.router.lifespan_context(app)
        await lifespan.__aenter__()
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        http = httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")
        open_servers.append((lifespan, http))
        server = Server(app, http, dispatcher, clock, config)
        await server.project("p1")
        return server

    yield make
    for lifespan, http in reversed(open_servers):
        await http.aclose()
        await lifespan.__aexit__(None, None, None)


@pytest_asyncio.fixture
async def server(make_server: MakeServer) -> Server:
    return await make_server()
