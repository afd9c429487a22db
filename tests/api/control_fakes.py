"""A dispatcher without workers: the test plays their part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from visavis.dispatch.types import JobNotRunning, NoCapacity, SignalRefused, WorkerInfo
from visavis.session.sayable import Sayable
from visavis.session.signals import (
    ChatStateEvent,
    FinishedEvent,
    FinishReason,
    HeartbeatEvent,
    HeldEvent,
    JobEvent,
    OfferSignal,
    SessionCommand,
    Signal,
    SignalReply,
)
from visavis.session.spec import ChatState, JobSpec


class FakeDispatcher:
    """Holds up to ``capacity`` jobs at once. ``holds``: it reports them held at once, as a quick worker would."""

    def __init__(self, capacity: int = 100, holds: bool = True) -> None:
        self.capacity = capacity
        self.holds = holds
        self.specs: dict[str, JobSpec] = {}
        self.running: dict[str, JobSpec] = {}
        self.signals: list[tuple[str, Signal]] = []
        self.commands: list[tuple[str, SessionCommand]] = []
        self.refuse_signals = ""
        self.stop_reasons: dict[str, FinishReason] = {}
        self.answers_stop = True
        self.start_error: Exception | None = None
        self.prepared: dict[str, dict[str, Sayable]] = {}
        self.told = asyncio.Event()
        self.opened = False
        self.closed = False
        self._events: asyncio.Queue[JobEvent | None] = asyncio.Queue(maxsize=1000)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        self.opened = True
        self._loop = asyncio.get_running_loop()

    async def close(self, grace_s: float = 8.0) -> None:
        self.closed = True
        for job_id in list(self.running):
            await self.stop(job_id)
        self._events.put_nowait(None)

    async def ready(self) -> None:
        return

    async def start(self, spec: JobSpec) -> None:
        if self.start_error:
            raise self.start_error
        if len(self.running) >= self.capacity:
            raise NoCapacity("full")
        self.specs[spec.job_id] = self.running[spec.job_id] = spec
        if self.holds:
            self.tell(HeldEvent(job_id=spec.job_id, worker="fake"))

    async def signal(self, job_id: str, signal: Signal) -> SignalReply:
        if job_id not in self.running:
            raise JobNotRunning(job_id)
        if self.refuse_signals:
            raise SignalRefused(self.refuse_signals)
        self.signals.append((job_id, signal))
        if isinstance(signal, OfferSignal):
            return SignalReply(pc_id=signal.pc_id or "pc1", sdp="v=0\r\nanswer\r\n")
        return SignalReply(pc_id=signal.pc_id)

    async def command(self, job_id: str, command: SessionCommand) -> None:
        if job_id not in self.running:
            raise JobNotRunning(job_id)
        self.commands.append((job_id, command))

    async def stop(self, job_id: str, reason: FinishReason = "NORMAL") -> None:
        if job_id not in self.running:
            raise JobNotRunning(job_id)
        self.stop_reasons[job_id] = reason
        if self.answers_stop:
            self.finish(job_id, reason)

    async def events(self) -> AsyncIterator[JobEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    def prepare(self, project_id: str, rooms: Mapping[str, Sayable]) -> None:
        self.prepared[project_id] = dict(rooms)
        self.told.set()

    def workers(self) -> list[WorkerInfo]:
        return [WorkerInfo("fake", 1, "ready", len(self.running), self.capacity, 1000, 3, 5)]

    # --- the worker's part ---------------------------------------------------------------------------

    def tell(self, event: JobEvent) -> None:
        """From the loop's own thread or another one."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if self._loop is None or here is self._loop:
            self._events.put_nowait(event)
        else:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def link(self, job_id: str) -> None:
        self.tell(ChatStateEvent(job_id=job_id, chat_state=ChatState.LINKED))

    def heartbeat(self, job_id: str, **stats: float) -> None:
        self.tell(HeartbeatEvent(job_id=job_id, stats=stats))

    def finish(self, job_id: str, reason: FinishReason, error_msg: str = "") -> None:
        self.running.pop(job_id, None)
        self.tell(FinishedEvent(job_id=job_id, reason=reason, error_msg=error_msg))
