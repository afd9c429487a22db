"""The two servers of ``visavis bench api``, each a process of its own: visavis without workers, and one bare FastAPI route.

``python -m visavis.bench.api_server visavis CORE`` serves the data folder of its environment (VISAVIS_DATA and so on);
``python -m visavis.bench.api_server bare CORE`` answers the JSON text that it reads from standard input, on one route.
Each binds a free port and prints it once it listens. Both run on the one core named, in the same uvicorn.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from visavis import log
from visavis.api.app import create_app
from visavis.bench.load import HOST
from visavis.dispatch.types import JobNotRunning, WorkerInfo
from visavis.session.sayable import Sayable
from visavis.session.signals import (
    FinishReason,
    HeldEvent,
    JobEvent,
    SessionCommand,
    Signal,
    SignalReply,
)
from visavis.session.spec import JobSpec
from visavis.settings import Settings

ROUTE: Final = "/v1/{project_id}/digital-human-chat/smart-chat-rooms/{room_id}/smart-chat-jobs/{job_id}/state"


class NoWorkers:
    """A dispatcher whose jobs are held at once by nobody: the API is measured, not the media."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[JobEvent | None] = asyncio.Queue()

    async def open(self) -> None: ...

    async def close(self, grace_s: float = 8.0) -> None:
        self._events.put_nowait(None)

    async def ready(self) -> None: ...

    async def start(self, spec: JobSpec) -> None:
        self._events.put_nowait(HeldEvent(job_id=spec.job_id, worker="none"))

    async def signal(self, job_id: str, signal: Signal) -> SignalReply:
        raise JobNotRunning(job_id)

    async def command(self, job_id: str, command: SessionCommand) -> None:
        raise JobNotRunning(job_id)

    async def stop(self, job_id: str, reason: FinishReason = "NORMAL") -> None:
        raise JobNotRunning(job_id)

    def prepare(self, project_id: str, rooms: Mapping[str, Sayable]) -> None: ...

    async def events(self) -> AsyncIterator[JobEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    def workers(self) -> list[WorkerInfo]:
        return []


def bare(answer: dict[str, Any]) -> FastAPI:
    """An application with the one route: no identity, no store, no check, no log; FastAPI as it comes."""
    app = FastAPI()

    @app.get(ROUTE)
    async def show(project_id: str, room_id: str, job_id: str) -> dict[str, Any]:
        return answer

    return app


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)


def main(what: str, core: str) -> None:
    """Serve until the parent ends this process."""
    if int(core) >= 0:
        os.sched_setaffinity(0, {int(core)})
    if what == "bare":
        app = bare(json.load(sys.stdin))
    else:
        settings = Settings()
        log.configure(settings.log_level, settings.log_format)
        app = create_app(settings, NoWorkers())
    # The same options as ``visavis serve``.
    config = uvicorn.Config(app, host=HOST, port=0, log_config=None, access_log=False, server_header=False)
    _Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
