"""Helpers of the dispatch tests: a dispatcher with a consumer of its events. Workers import the fakes by sys.path."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from visavis.dispatch.local import LocalDispatcher
from visavis.session.signals import JobEvent, OfferSignal, SessionCommand
from visavis.session.spec import JobSpec, RtcUser
from visavis.settings import Settings

E = TypeVar("E")
HOST = "dispatch_fakes:create_host"
USER = RtcUser(user_type="END_USER", user_id="u")


def job(job_id: str, behaviour: str = "") -> JobSpec:
    return JobSpec(
        job_id=job_id, project_id="p", room_id="r", rtc_room_id="rtc", users=[USER], robot={"name": behaviour}
    )


def offer(sdp: str = "") -> OfferSignal:
    return OfferSignal(user=USER, sdp=sdp)


def say(text: str) -> SessionCommand:
    return SessionCommand(kind="say", text=text)


async def process_end(pid: int) -> None:
    """Wait until a process (any, not only a child) has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = await asyncio.to_thread(select.select, [handle], [], [], 20)
        assert ended, f"process {pid} lives on"
    finally:
        os.close(handle)


class Desk:
    """A dispatcher with a consumer of its events that keeps everything and lets tests wait."""

    def __init__(self, dispatcher: LocalDispatcher) -> None:
        self.dispatcher = dispatcher
        self.events: list[JobEvent] = []
        self._news = asyncio.Condition()

    async def consume(self) -> None:
        async for event in self.dispatcher.events():
            async with self._news:
                self.events.append(event)
                self._news.notify_all()

    async def until(self, matches: Callable[[JobEvent], bool], seconds: float = 20) -> Any:
        """The first event that matches, past or future."""

        def found() -> JobEvent | None:
            return next((event for event in self.events if matches(event)), None)

        async with asyncio.timeout(seconds), self._news:
            return await self._news.wait_for(found)

    async def held(self, job_id: str) -> Any:
        return await self.until(lambda event: event.kind == "held" and event.job_id == job_id)

    async def finished(self, job_id: str, seconds: float = 20) -> Any:
        return await self.until(lambda event: event.kind == "finished" and event.job_id == job_id, seconds)

    async def heard(self, job_id: str, text: str) -> Any:
        return await self.until(lambda event: event.kind == "turn" and event.job_id == job_id and event.heard == text)

    async def run(self, *jobs: JobSpec) -> None:
        for spec in jobs:
            await self.dispatcher.start(spec)
        for spec in jobs:
            await self.held(spec.job_id)

    def of(self, job_id: str, kind: str) -> list[Any]:
        return [event for event in self.events if event.job_id == job_id and event.kind == kind]

    async def pid(self, job_id: str) -> int:
        """The process that holds the job."""
        return int((await self.dispatcher.signal(job_id, offer())).pc_id)


@asynccontextmanager
async def open_desk(
    *, behaviour: dict[str, Any] | None = None, ready: bool = True, **options: Any
) -> AsyncIterator[Desk]:
    settings = Settings(
        workers=options.pop("workers", 1),
        sessions_per_worker=options.pop("sessions_per_worker", 2),
        heartbeat_s=options.pop("heartbeat_s", 30.0),
        worker_timeout_s=options.pop("worker_timeout_s", 15.0),
        stt_options=behaviour or {},
    )
    dispatcher = LocalDispatcher(settings, session_host=HOST, **options)
    desk = Desk(dispatcher)
    await dispatcher.open()
    consumer = asyncio.create_task(desk.consume())
    pids: set[int] = set()
    try:
        if ready:
            async with asyncio.timeout(60):
                await dispatcher.ready()
        yield desk
    finally:
        pids = {worker.pid for worker in dispatcher.workers() if worker.state != "dead"}
        await dispatcher.close()
        await asyncio.wait_for(consumer, 5)  # the stream ends
        for pid in pids - {0}:
            await process_end(pid)
