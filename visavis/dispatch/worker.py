"""The worker process: ``python -m visavis.dispatch.worker --fd N --name NAME --parent PID``.

Only the server starts it. It builds the session host, loads its models, and then does what the server asks over the
inherited socket. It ends when it is told to, on SIGTERM, and when the server is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import math
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass, field
from functools import partial

import structlog

from visavis import log
from visavis.dispatch import codes, system
from visavis.dispatch.channel import Channel, ProtocolViolation
from visavis.dispatch.coalescing import QueueClosed, QueueFull
from visavis.dispatch.messages import (
    TO_WORKER,
    Cancel,
    CommandRequest,
    Event,
    Hello,
    LoadFailed,
    Message,
    Ping,
    Pong,
    Prepare,
    Ready,
    Refusal,
    Reply,
    Request,
    Rest,
    Shutdown,
    SignalRequest,
    Start,
    Stop,
)
from visavis.errors import VisavisError
from visavis.session.signals import (
    FinishedEvent,
    FinishReason,
    HeartbeatEvent,
    HeldEvent,
    JobEvent,
    SignalReply,
)
from visavis.session.spec import JobSpec
from visavis.session.types import CommandRefused, HostFactory, SessionHost
from visavis.settings import Settings

ORPHAN_GRACE_S = 2.0
"""How long sessions may take to say goodbye when the server is gone (where the kernel does not kill us at once)."""

TERM_GRACE_S = 5.0

EXIT_LOAD_FAILED = 3
EXIT_NOT_READ = 4

logger = log.get("visavis.dispatch.worker")


class _NotHeld(Exception):
    """The job is not (or no longer) here."""


class _Ended(Exception):
    """Ends the worker's task group once everything is wound up."""


@dataclass(eq=False)
class _Job:
    """A job from Start to its FinishedEvent. ``early``: what the host told before start() returned."""

    spec: JobSpec
    starting: asyncio.Task[None] | None = None
    held: bool = False
    stopping: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    early: list[JobEvent] = field(default_factory=list)


class Worker:
    """Carries out the server's messages with one session host."""

    def __init__(self, name: str, channel: Channel, settings: Settings, factory: HostFactory) -> None:
        self._name = name
        self._channel = channel
        self._settings = settings
        self._jobs: dict[str, _Job] = {}
        self._requests: dict[int, asyncio.Task[None]] = {}
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[tuple[float, FinishReason]] = self._loop.create_future()
        self._group = asyncio.TaskGroup()
        self._host: SessionHost = factory(settings, self.emit)

    async def run(self) -> int:
        """Work until told to end; returns the exit status."""
        self._loop.add_signal_handler(signal.SIGTERM, self._end_within, TERM_GRACE_S, "FAILED")
        status = 0
        try:
            async with self._group as group:
                loading = group.create_task(self._load())
                group.create_task(self._read())
                group.create_task(self._beat())
                grace_s, reason = await self._end
                loading.cancel()
                await self._wind_up(grace_s, reason)
                raise _Ended
        except* _Ended:
            pass
        except* _LoadError as group_error:
            error = group_error.exceptions[0]
            self._post(LoadFailed(reason=str(error)))
            status = EXIT_LOAD_FAILED
        return status

    def emit(self, event: JobEvent) -> None:
        """Tell the server about a job; see ``visavis.session.types.Emit``."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.emit, event)
            return
        job = self._jobs.get(event.job_id)
        if job is None:
            logger.warning("event of a job that is not here", kind=event.kind, job_id=event.job_id)
        elif not job.held:
            job.early.append(event)
        else:
            self._tell(job, event)

    # --- the loops ---------------------------------------------------------------------------------

    async def _load(self) -> None:
        try:
            await self._host.load()
        except Exception as error:
            logger.exception("loading failed")
            raise _LoadError(_describe(error)) from error
        self._post(Ready())
        logger.info("ready", rss_bytes=system.rss_bytes())

    async def _read(self) -> None:
        """Until the server is gone; goes on while winding up, for pings and a server that dies meanwhile."""
        try:
            while (message := await self._channel.receive()) is not None:
                self._take(message)
        except ProtocolViolation as violation:
            logger.error("the server " + str(violation))
        self._end_within(ORPHAN_GRACE_S, "FAILED")

    async def _beat(self) -> None:
        """Heartbeats of all held jobs, at an even pace."""
        due = self._loop.time()
        while True:
            due = max(due + self._settings.heartbeat_s, self._loop.time())
            await asyncio.sleep(due - self._loop.time())
            for job_id, job in list(self._jobs.items()):
                if not job.held:
                    continue
                try:
                    stats = self._host.stats(job_id)
                except Exception:
                    logger.exception("no stats", job_id=job_id)
                    stats = {}
                finite = {name: value for name, value in stats.items() if math.isfinite(value)}
                beat = Event(event=HeartbeatEvent(job_id=job_id, stats=finite))
                self._post(beat, key=("heartbeat", job_id))

    async def _wind_up(self, grace_s: float, reason: FinishReason) -> None:
        try:
            async with asyncio.timeout(grace_s):
                await asyncio.gather(*(self._stop(job_id, reason) for job_id in list(self._jobs)))
                await self._host.close()
        except TimeoutError:
            logger.error("sessions did not end in time", jobs=list(self._jobs), grace_s=grace_s)
        except Exception:
            logger.exception("closing failed")

    # --- messages ----------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:
        match message:
            case Ping():
                prepared, preparing = self._host.prepared()
                pong = Pong(rss_bytes=system.rss_bytes(), prepared=prepared, preparing=preparing)
                self._post(pong, key="pong")
            case Start(spec=spec):
                job = self._jobs[spec.job_id] = _Job(spec)
                job.starting = self._group.create_task(self._start(job))
            case SignalRequest() | CommandRequest():
                answering = self._requests[message.id] = self._group.create_task(self._answer(message))
                answering.add_done_callback(partial(self._answered, message.id))
            case Cancel():
                if message.id in self._requests:
                    self._requests[message.id].cancel()
            case Stop():
                self._group.create_task(self._stop(message.job_id, message.reason))
            case Prepare():
                self._host.prepare(message.project_id, message.room_id, message.what)
            case Rest():
                self._host.rest(message.resting)
            case Shutdown():
                self._end_within(message.grace_s, "NORMAL")
            case _:
                logger.error("unexpected message", message=type(message).__name__)

    async def _start(self, job: _Job) -> None:
        spec = job.spec
        structlog.contextvars.bind_contextvars(job_id=spec.job_id, room_id=spec.room_id, request_id=spec.request_id)
        try:
            await self._host.start(spec)
        except VisavisError as error:
            logger.warning("the session did not start", reason=str(error))
            self._finish(job, "FAILED", codes.START_REFUSED, str(error))
        except Exception as error:
            logger.exception("the session did not start")
            self._finish(job, "FAILED", codes.INTERNAL, f"internal error ({type(error).__name__})")
        else:
            job.held = True
            self._post(Event(event=HeldEvent(job_id=spec.job_id, worker=self._name)))
            job.started.set()
            for event in job.early:
                self._tell(job, event)
            job.early.clear()

    async def _answer(self, request: Request) -> None:
        structlog.contextvars.bind_contextvars(job_id=request.job_id)
        try:
            answer: Reply | Refusal = Reply(id=request.id, reply=await self._perform(request))
        except _NotHeld:
            answer = Refusal(id=request.id, kind="not_running", reason="the job is not running")
        except VisavisError as error:
            code = error.code if isinstance(error, CommandRefused) else ""
            answer = Refusal(id=request.id, kind="refused", reason=str(error), code=code)
        except Exception as error:
            logger.exception("a request failed", request=request.type)
            answer = Refusal(id=request.id, kind="failed", reason=f"internal error ({type(error).__name__})")
        self._post(answer)

    def _answered(self, request_id: int, _task: asyncio.Task[None]) -> None:
        self._requests.pop(request_id, None)

    async def _perform(self, request: Request) -> SignalReply | None:
        job = self._jobs.get(request.job_id)
        if job is not None and not job.held:  # signals may arrive while the session starts
            await job.started.wait()
        if job is None or not job.held or job.stopping or job.done.is_set():
            raise _NotHeld
        if isinstance(request, SignalRequest):
            return await self._host.signal(request.job_id, request.signal)
        await self._host.command(request.job_id, request.command)
        return None

    async def _stop(self, job_id: str, reason: FinishReason) -> None:
        """Returns when the job is finished. A host that fails leaves it to the server to force the job off."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        if not job.stopping:
            job.stopping = True
            structlog.contextvars.bind_contextvars(job_id=job_id)
            if not job.held and job.starting is not None:
                job.starting.cancel()
                await asyncio.wait([job.starting])
            if not job.held:
                if not job.done.is_set():
                    self._finish(job, reason)
                return
            try:
                await self._host.stop(job_id, reason)
            except Exception:
                logger.exception("stopping failed")
        await job.done.wait()

    # --- telling the server ------------------------------------------------------------------------

    def _tell(self, job: _Job, event: JobEvent) -> None:
        if job.done.is_set():
            logger.warning("event of a finished job", kind=event.kind, job_id=event.job_id)
            return
        if isinstance(event, FinishedEvent):
            if event.reason == "FAILED" and not event.error_code:
                text = event.error_msg or "its worker was told to end"
                event = event.model_copy(update={"error_code": codes.WORKER_DIED, "error_msg": text})
            self._forget(job)
        self._post(Event(event=event))

    def _finish(self, job: _Job, reason: FinishReason, code: str = "", text: str = "") -> None:
        self._post(Event(event=FinishedEvent(job_id=job.spec.job_id, reason=reason, error_code=code, error_msg=text)))
        self._forget(job)

    def _forget(self, job: _Job) -> None:
        self._jobs.pop(job.spec.job_id, None)
        job.done.set()
        job.started.set()

    def _post(self, message: Message, key: object | None = None) -> None:
        try:
            self._channel.post(message, key)
        except QueueFull:
            # Events must not be lost and memory must not grow: a server that does not read so much is as good as dead.
            logger.critical("the server does not read; ending")
            os._exit(EXIT_NOT_READ)
        except QueueClosed:
            pass  # it is gone; the reader sees that and ends us

    def _end_within(self, grace_s: float, reason: FinishReason) -> None:
        """``reason``: how the jobs end that nobody asked to stop."""
        if not self._end.done():
            self._end.set_result((grace_s, reason))


class _LoadError(VisavisError):
    """The host could not load; the text goes to the server."""


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, VisavisError) else f"{type(error).__name__}: {error}"


def _factory(path: str) -> HostFactory:
    """Import ``module:attribute``."""
    module, _, attribute = path.partition(":")
    try:
        factory: HostFactory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise _LoadError(f"no session host at {path!r}: {error}") from error
    return factory


async def _serve(fd: int, name: str) -> int:
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    channel = await Channel.open(sock, TO_WORKER)
    pump = asyncio.create_task(channel.pump())
    hello = await channel.receive()
    if not isinstance(hello, Hello):
        return 0
    settings = Settings(**hello.settings)
    log.configure(settings.log_level, settings.log_format)
    structlog.contextvars.bind_contextvars(worker=name)
    try:
        # Importing engines takes seconds and blocks; nobody counts on our answers before we are ready.
        worker = Worker(name, channel, settings, _factory(hello.host))
    except Exception as error:
        logger.exception("no session host")
        channel.post(LoadFailed(reason=_describe(error)))
        status = EXIT_LOAD_FAILED
    else:
        status = await worker.run()
    channel.finish()
    await asyncio.wait([pump], timeout=1.0)
    return status


async def _serve_and_exit(fd: int, name: str) -> None:
    status = 1
    try:
        status = await _serve(fd, name)
    except BaseException:
        logger.exception("the worker failed")
    finally:
        # Not sys.exit: a thread inside native code, or a native destructor, must not keep or crash the process.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Entry of the process."""
    parser = argparse.ArgumentParser(description="A worker process of visavis; the server starts it.")
    parser.add_argument("--fd", type=int, required=True, help="inherited socket to the server")
    parser.add_argument("--name", required=True, help="name in logs and process lists")
    parser.add_argument("--parent", type=int, required=True, help="process id of the server")
    options = parser.parse_args()
    system.die_with_parent(options.parent)
    system.name_process(f"vv-{options.name}")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    asyncio.run(_serve_and_exit(options.fd, options.name))


if __name__ == "__main__":
    main()
