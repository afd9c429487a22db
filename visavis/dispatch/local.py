"""The dispatcher of one machine: warm worker processes, kept alive, filled by load."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from visavis import log
from visavis.dispatch import codes
from visavis.dispatch.channel import MessageTooLarge
from visavis.dispatch.coalescing import CoalescingQueue, QueueClosed
from visavis.dispatch.messages import CommandRequest, Prepare, Rest, SignalRequest, Start, Stop
from visavis.dispatch.process import Limits, WorkerProcess
from visavis.dispatch.types import (
    DispatchError,
    JobNotRunning,
    NoCapacity,
    SignalRefused,
    WorkerInfo,
    WorkersFailed,
)
from visavis.session.sayable import Sayable
from visavis.session.signals import (
    FinishedEvent,
    FinishReason,
    HeartbeatEvent,
    JobEvent,
    SessionCommand,
    Signal,
    SignalReply,
)
from visavis.session.spec import JobSpec
from visavis.settings import Settings

EVENTS_WAITING = 1024
"""Events that may wait for the consumer before the workers' sockets are no longer read."""

START_ATTEMPTS = 3
"""A worker that died so often before it was ready makes ready() raise; it is still tried again, at long intervals."""

KILL_RESERVE_S = 1.0
"""The part of close()'s time that is kept for killing."""

ROOMS_PREPARED = 256
"""Rooms whose words the workers are told; of more, those that were told last."""

logger = log.get("visavis.dispatch")


@dataclass(eq=False)
class _Job:
    """A job from start() to its FinishedEvent."""

    job_id: str
    worker: WorkerProcess
    asked_to_stop: FinishReason | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class _Slot:
    """The place of one worker: it has one that takes jobs, or tries to start one."""

    number: int
    worker: WorkerProcess | None = None
    generation: int = 0
    failures: int = 0
    reason: str = ""
    replace: asyncio.Event = field(default_factory=asyncio.Event)


class LocalDispatcher:
    """Implements ``visavis.dispatch.types.Dispatcher`` with ``settings.workers`` child processes.

    ``session_host``: dotted path ``module:factory`` of what runs the sessions inside the workers (see
    ``visavis.session.types``). ``stop_timeout_s``: a session that does not end so long after stop() is forced off.
    ``backoff_s``: shortest and longest wait before a worker that died while it started is started again.
    All methods belong to one event loop, that of open().
    """

    def __init__(
        self,
        settings: Settings,
        *,
        session_host: str = "visavis.session.host:create_host",
        stop_timeout_s: float = 5.0,
        backoff_s: tuple[float, float] = (0.5, 30.0),
        limits: Limits | None = None,
        events_waiting: int = EVENTS_WAITING,
    ) -> None:
        self._settings = settings
        self._session_host = session_host
        self._stop_timeout_s = stop_timeout_s
        self._backoff_s = backoff_s
        self._limits = limits or Limits()
        self._slots = [_Slot(number) for number in range(1, settings.workers + 1)]
        self._alive: dict[WorkerProcess, asyncio.Task[None]] = {}
        self._jobs: dict[str, _Job] = {}
        self._placed: dict[WorkerProcess, int] = {}
        self._placements = itertools.count(1)
        self._sayable: OrderedDict[tuple[str, str], Sayable] = OrderedDict()
        self._events: CoalescingQueue[JobEvent] = CoalescingQueue(events_waiting)
        self._consumed = False
        self._group = asyncio.TaskGroup()
        self._running: asyncio.Task[None] | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = False
        self._changed = asyncio.Event()

    # --- life --------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the workers. Raises DispatchError when it was opened before."""
        if self._running or self._closing:
            raise DispatchError("a dispatcher is opened once")
        entered = asyncio.Event()
        self._running = asyncio.create_task(self._run(entered), name="dispatcher")
        await entered.wait()

    async def ready(self) -> None:
        """Wait until every slot has a ready worker. Raises WorkersFailed, DispatchError (closed, never opened)."""
        while True:
            if self._running is None or self._closing or self._running.done():
                raise DispatchError("the dispatcher is not running")
            for slot in self._slots:
                if slot.failures >= START_ATTEMPTS:
                    raise WorkersFailed(f"worker {slot.number} died {slot.failures} times: it {slot.reason}")
            if all(slot.worker is not None and slot.worker.state == "ready" for slot in self._slots):
                return
            self._changed.clear()
            await self._changed.wait()

    async def close(self, grace_s: float = 8.0) -> None:
        """Stop all jobs (each gets its FinishedEvent), end all workers; kill what has not ended in time.

        Returns within ``grace_s`` and leaves no process behind; cancelled, it kills at once.
        """
        if self._running is None:
            self._closing = True
            self._events.close()
            return
        if self._closing:
            await asyncio.wait([self._running])
            return
        self._closing = True
        self._tell_waiting()
        for keeper in self._keepers:
            keeper.cancel()
        for job in self._jobs.values():
            job.asked_to_stop = job.asked_to_stop or "NORMAL"
        reserve = min(KILL_RESERVE_S, grace_s / 4)
        try:
            for worker in list(self._alive):
                worker.shut_down(grace_s - 2 * reserve)
            if self._alive:
                await asyncio.wait(list(self._alive.values()), timeout=grace_s - reserve)
        finally:
            for worker in list(self._alive):
                logger.warning("killing a worker that did not end in time", worker=worker.name, pid=worker.pid)
                worker.kill("did not end in time")
            try:
                await self._running
            finally:
                self._events.close()

    async def _run(self, entered: asyncio.Event) -> None:
        """Owns every task of the dispatcher."""
        try:
            async with self._group as group:
                self._keepers = [group.create_task(self._keep(slot)) for slot in self._slots]
                entered.set()
        finally:
            self._tell_waiting()
            self._events.close()

    async def _keep(self, slot: _Slot) -> None:
        """See to it that the slot has a worker."""
        while True:
            slot.generation += 1
            name = f"worker-{slot.number}" + (f".{slot.generation - 1}" if slot.generation > 1 else "")
            slot.replace.clear()
            slot.worker = worker = WorkerProcess(
                name,
                self._settings,
                self._session_host,
                on_ready=lambda: self._on_ready(slot),
                on_event=self._on_event,
                limits=self._limits,
            )
            self._alive[worker] = self._group.create_task(self._serve(worker, slot), name=name)
            await slot.replace.wait()
            if slot.failures:
                shortest, longest = self._backoff_s
                await asyncio.sleep(min(longest, shortest * 2 ** (slot.failures - 1)))

    async def _serve(self, worker: WorkerProcess, slot: _Slot) -> None:
        """Run one worker to its end, then end its jobs."""
        reason = "was cancelled"
        try:
            reason = await worker.run()
        finally:
            del self._alive[worker]
            self._placed.pop(worker, None)
            for job in [job for job in self._jobs.values() if job.worker is worker]:
                self._end(job, f"its worker died: {worker.name} {reason}")
        if self._closing or slot.worker is not worker:
            logger.info("worker ended", worker=worker.name, reason=reason)
            return
        if worker.was_ready:
            logger.error("worker lost", worker=worker.name, reason=reason)
        else:
            slot.failures += 1
            slot.reason = reason
            logger.error("worker did not start", worker=worker.name, reason=reason, failures=slot.failures)
        slot.replace.set()
        self._tell_waiting()

    # --- jobs --------------------------------------------------------------------------------------

    async def start(self, spec: JobSpec) -> None:
        """Place the job; see the protocol."""
        if spec.job_id in self._jobs:
            raise DispatchError(f"job {spec.job_id} already runs")
        load = {worker: 0 for worker in self._alive if worker.state == "ready"}
        if self._closing or not load:
            raise NoCapacity("the server is shutting down" if self._closing else "no worker is ready")
        for job in self._jobs.values():
            if job.worker in load:
                load[job.worker] += 1
        # The least loaded first; of equals the one whose last job came longest ago.
        for worker in sorted(load, key=lambda worker: (load[worker], self._placed.get(worker, 0))):
            if load[worker] < self._settings.sessions_per_worker and worker.post(Start(spec=spec)):
                self._jobs[spec.job_id] = _Job(spec.job_id, worker)
                self._placed[worker] = next(self._placements)
                self._let_rest()
                return
        raise NoCapacity(f"all {len(load)} ready workers are full")

    async def signal(self, job_id: str, signal: Signal) -> SignalReply:
        """Deliver an offer, candidates or a leave; see the protocol."""
        worker = self._job(job_id).worker
        try:
            reply = await worker.request(lambda number: SignalRequest(id=number, job_id=job_id, signal=signal))
        except MessageTooLarge as error:
            raise SignalRefused(str(error)) from None
        if reply is None:
            raise DispatchError(f"{worker.name} answered a signal with nothing")
        return reply

    async def command(self, job_id: str, command: SessionCommand) -> None:
        """Deliver a command; see the protocol."""
        worker = self._job(job_id).worker
        await worker.request(lambda number: CommandRequest(id=number, job_id=job_id, command=command))

    async def stop(self, job_id: str, reason: FinishReason = "NORMAL") -> None:
        """Ask the job to end, and see to it that it does; see the protocol."""
        job = self._job(job_id)
        if job.asked_to_stop is None:
            job.asked_to_stop = reason
            self._group.create_task(self._stop(job, reason), name=f"stop {job_id}")

    def prepare(self, project_id: str, rooms: Mapping[str, Sayable]) -> None:
        """Tell every worker what the project's rooms may say; see the protocol."""
        news: dict[tuple[str, str], Sayable | None] = {room: None for room in self._sayable if room[0] == project_id}
        news |= {(project_id, room_id): what for room_id, what in rooms.items()}
        for room, what in news.items():
            self._sayable.pop(room, None)
            if what is not None:
                self._sayable[room] = what
        while len(self._sayable) > ROOMS_PREPARED:
            room, _ = self._sayable.popitem(last=False)
            news[room] = None
        for worker in self._alive:
            if worker.state == "ready":
                for room, what in news.items():
                    self._tell(worker, room, what)

    async def events(self) -> AsyncIterator[JobEvent]:
        """The one stream of events; see the protocol."""
        if self._consumed:
            raise DispatchError("the stream of events has a consumer already")
        self._consumed = True
        try:
            while True:
                yield await self._events.get()
        except QueueClosed:
            return
        finally:
            self._consumed = False

    def workers(self) -> list[WorkerInfo]:
        """All workers, those that wait for a replacement too."""
        known = {slot.worker: None for slot in self._slots if slot.worker is not None} | dict.fromkeys(self._alive)
        jobs = [job.worker for job in self._jobs.values()]
        return [
            WorkerInfo(
                worker.name,
                worker.pid,
                worker.state,
                jobs.count(worker),
                self._settings.sessions_per_worker,
                worker.rss_bytes,
                worker.prepared,
                worker.preparing,
            )
            for worker in known
        ]

    # --- inside ------------------------------------------------------------------------------------

    def _job(self, job_id: str) -> _Job:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise JobNotRunning(f"job {job_id} is not running") from None

    async def _stop(self, job: _Job, reason: FinishReason) -> None:
        """A session that does not end is cut off: at once if its worker has no other, else when the others are over."""
        worker = job.worker
        worker.post(Stop(job_id=job.job_id, reason=reason))
        try:
            async with asyncio.timeout(self._stop_timeout_s):
                await job.finished.wait()
            return
        except TimeoutError:
            if self._closing or worker.state == "dead":
                return  # close() kills it, or it is being buried
        logger.error("a session did not stop", job_id=job.job_id, worker=worker.name, after_s=self._stop_timeout_s)
        worker.state = "draining"
        for slot in self._slots:
            if slot.worker is worker:
                slot.replace.set()
        self._end(job, "it did not stop")

    async def _on_event(self, event: JobEvent) -> None:
        job = self._jobs.get(event.job_id)
        if job is None:
            return  # a forced-off session that speaks after all
        if isinstance(event, FinishedEvent):
            self._finish(job, event)
        else:
            await self._events.put(event, ("heartbeat", job.job_id) if isinstance(event, HeartbeatEvent) else None)

    def _on_ready(self, slot: _Slot) -> None:
        slot.failures = 0
        slot.reason = ""
        self._tell_waiting()
        self._let_rest()
        if slot.worker is not None:
            for room, what in self._sayable.items():
                self._tell(slot.worker, room, what)

    def _tell(self, worker: WorkerProcess, room: tuple[str, str], what: Sayable | None) -> None:
        """A worker that does not read, or a room with very much to say: it is then made when it is said."""
        try:
            worker.post(Prepare(project_id=room[0], room_id=room[1], what=what))
        except MessageTooLarge as error:
            logger.warning("a room's words are not prepared", project_id=room[0], room_id=room[1], reason=str(error))

    def _let_rest(self) -> None:
        """A worker without a job prepares nothing while another has one: it cannot hear when somebody speaks there."""
        busy = {job.worker for job in self._jobs.values()}
        for worker in self._alive:
            resting = bool(busy) and worker not in busy
            if worker.state == "ready" and worker.resting != resting and worker.post(Rest(resting=resting)):
                worker.resting = resting

    def _end(self, job: _Job, why: str) -> None:
        """Finish a job whose session cannot: as it was asked to end, or FAILED."""
        if job.asked_to_stop is not None:
            event = FinishedEvent(job_id=job.job_id, reason=job.asked_to_stop)
        else:
            event = FinishedEvent(job_id=job.job_id, reason="FAILED", error_code=codes.WORKER_DIED, error_msg=why)
        self._finish(job, event)

    def _finish(self, job: _Job, event: FinishedEvent) -> None:
        """The only place where a job ends: one FinishedEvent each, which never waits (one per job at most)."""
        del self._jobs[job.job_id]
        self._let_rest()
        job.finished.set()
        self._events.force(event)
        worker = job.worker
        if worker.state == "draining" and not any(other.worker is worker for other in self._jobs.values()):
            worker.kill("was drained")

    def _tell_waiting(self) -> None:
        self._changed.set()
