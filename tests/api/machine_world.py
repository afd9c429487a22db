"""The application in this process for tests/api/test_state_machine.py: asked without a network, stopped and started again."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from control_fakes import FakeDispatcher
from control_server import CATALOGUE, HOST, Clock

from visavis.api.app import create_app
from visavis.contract.roles import Role
from visavis.settings import Settings
from visavis.store import identity, tokens

CAPACITY = 6
"""Jobs that the workers hold at once."""


class CrashingDispatcher(FakeDispatcher):
    """``crashed``: it ends without ending its jobs, as a killed server does."""

    crashed = False

    async def close(self, grace_s: float = 8.0) -> None:
        if self.crashed:
            self.running.clear()
        await super().close(grace_s)


class Station:
    """One installation. Call :meth:`close` at the end."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.clock = Clock()
        self._settings = Settings(
            data=folder, check_answers=True, project_rate=0, database_url=database_url, link_timeout_s=3600
        )
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(1)
        self._tokens: dict[str, str] = {}
        self.run(self._up())

    def run(self, work: Any) -> Any:
        """Wait for something of the application's, in its loop."""
        return self._runner.run(work)

    async def _up(self) -> None:
        self.dispatcher = CrashingDispatcher(CAPACITY, holds=False)
        self.app = create_app(self._settings, self.dispatcher, CATALOGUE, clock=self.clock)
        self._lifespan = self.app.router.lifespan_context(self.app)
        await self._lifespan.__aenter__()
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def _down(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        await self._lifespan.__aexit__(None, None, None)

    def restart(self, *, crash: bool) -> None:
        """Stop it, or let it die, and start it anew over the same database."""
        self.dispatcher.crashed = crash
        self.run(self._down())
        self.run(self._up())

    def close(self) -> None:
        """Stop it."""
        self.run(self._down())
        self._runner.close()

    @property
    def context(self) -> Any:
        """The application's parts."""
        return self.app.state.context

    def project(self) -> str:
        """A new project's id."""
        name = f"machine-{next(self._numbers)}"
        self._tokens[name] = self.run(self._make(name))
        return name

    async def _make(self, name: str) -> str:
        database, now = self.context.database, self.clock()
        await identity.ensure_project(database, name, now)
        user = await identity.put_user(database, name, f"owner of {name}", "no password", now, Role.ADMIN)
        return await tokens.issue(database, user, name, now, 10 * 365 * 86400)

    def fresh_host(self) -> str:
        """An address that nobody has called from."""
        number = next(self._numbers)
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    # --- calls ----------------------------------------------------------------------------------------

    def call(self, project: str, verb: str, path: str, body: Any = None, user: str = "") -> tuple[int, Any]:
        """(status, answer) of an operation; ``path`` behind /v1/{project_id}."""
        headers = {"X-Auth-Token": self._tokens[project], **({"X-App-UserId": user} if user else {})}
        return self.run(self._send("127.0.0.1", verb, f"/v1/{project}{path}", body, headers))  # type: ignore[no-any-return]

    def page(self, body: Any, headers: dict[str, str], host: str, times: int = 1) -> list[tuple[int, Any]]:
        """The page's start, so many times at the same moment."""

        async def all_at_once() -> list[tuple[int, Any]]:
            asked = (self._send(host, "POST", "/page/v1/sessions", body, headers) for _ in range(times))
            return list(await asyncio.gather(*asked))

        return self.run(all_at_once())  # type: ignore[no-any-return]

    def calls(self, project: str, verb: str, path: str, times: int) -> list[tuple[int, Any]]:
        """The same operation so many times at the same moment."""
        headers = {"X-Auth-Token": self._tokens[project]}

        async def all_at_once() -> list[tuple[int, Any]]:
            asked = (self._send("127.0.0.1", verb, f"/v1/{project}{path}", {}, headers) for _ in range(times))
            return list(await asyncio.gather(*asked))

        return self.run(all_at_once())  # type: ignore[no-any-return]

    async def _send(self, host: str, verb: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        client = self._clients.get(host)
        if client is None:
            transport = httpx.ASGITransport(self.app, client=(host, 5000))
            client = self._clients[host] = httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        answer = await client.request(verb, path, content=content, headers=headers)
        return answer.status_code, answer.json()

    def until(self, ask: Callable[[], bool]) -> None:
        """Until what workers told has been taken in, which another task does."""

        async def once() -> None:
            await asyncio.sleep(0)

        for _ in range(2000):
            if ask():
                return
            self.run(once())
        raise AssertionError("it did not come about")
