"""One worker process as the server sees it: starting it, talking to it, noticing its end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from visavis import log
from visavis.dispatch import system
from visavis.dispatch.channel import Channel, ProtocolViolation
from visavis.dispatch.coalescing import QueueClosed, QueueFull
from visavis.dispatch.messages import (
    TO_SERVER,
    Cancel,
    Event,
    Hello,
    LoadFailed,
    Message,
    Ping,
    Pong,
    Ready,
    Refusal,
    Reply,
    Request,
    Shutdown,
)
from visavis.dispatch.types import DispatchError, JobNotRunning, SignalRefused
from visavis.session.signals import JobEvent, SignalReply
from visavis.settings import Settings

PINGS_PER_TIMEOUT = 4
REAP_S = 3.0
"""A killed process is gone in milliseconds, or hangs in the kernel, where nothing can be done about it."""

_ENDED = "ended"

WorkerState = Literal["starting", "ready", "draining", "dead"]
logger = log.get("visavis.dispatch")


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds that bound what a worker may take."""

    start_s: float = 300.0
    answer_s: float = 15.0


class _Gone(Exception):
    """The worker is lost; the text says why, to be read after its name."""


class WorkerProcess:
    """A worker from its start to its end. ``run`` is its life; everything else may be called meanwhile."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        session_host: str,
        *,
        on_ready: Callable[[], None],
        on_event: Callable[[JobEvent], Awaitable[None]],
        limits: Limits,
    ) -> None:
        self.name = name
        self.state: WorkerState = "starting"
        self.rss_bytes = 0
        self.prepared = self.preparing = 0
        self.resting = False
        self.was_ready = False
        self._settings = settings
        self._session_host = session_host
        self._on_ready = on_ready
        self._on_event = on_event
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[SignalReply | None]] = {}
        self._heard = 0.0
        self._delivering = False
        self._closing = False
        self._killed: str = ""

    @property
    def pid(self) -> int:
        """Process id, 0 before it has one."""
        return self._process.pid if self._process else 0

    async def run(self) -> str:
        """Start the process and serve it to its end; returns why it ended. Cancelled, it kills the process."""
        reason = "was cancelled"
        try:
            channel = await self._spawn()
            reason = await self._converse(channel)
        except OSError as error:
            reason = f"could not be started: {error}"
        finally:
            self.state = "dead"
            self._kill_group()
            if self._channel:
                self._channel.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(JobNotRunning(f"{self.name} {reason}"))
            self._waiting.clear()
            status = await self._reap()
        return self._killed or (f"{reason} ({status})" if reason == _ENDED else reason)

    def kill(self, reason: str) -> None:
        """End it now, its children too. ``reason`` is what ``run`` returns then."""
        self._killed = self._killed or reason
        self.state = "dead"
        self._kill_group()

    def shut_down(self, grace_s: float) -> None:
        """Ask it to stop its jobs and exit; one that is not ready yet holds none and is killed."""
        self._closing = True
        if self.state == "starting":
            self.kill("was stopped while it started")
        else:
            self.post(Shutdown(grace_s=grace_s))

    def post(self, message: Message, key: str | None = None) -> bool:
        """Send without waiting; False: it is gone, or does not read. Raises MessageTooLarge."""
        if self._channel is None:
            return False
        try:
            self._channel.post(message, key)
        except (QueueFull, QueueClosed):
            return False
        return True

    async def request(self, make: Callable[[int], Request]) -> SignalReply | None:
        """Send the request that ``make`` builds for an id and wait for its answer.

        Raises JobNotRunning (also when the worker dies meanwhile), SignalRefused, DispatchError.
        """
        request_id = next(self._ids)
        future: asyncio.Future[SignalReply | None] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            if self.state == "dead":
                raise JobNotRunning(f"{self.name} is gone")
            if not self.post(make(request_id)):
                raise DispatchError(f"{self.name} does not read")
            async with asyncio.timeout(self._limits.answer_s):
                return await future
        except TimeoutError:
            self.post(Cancel(id=request_id))
            raise DispatchError(f"{self.name} did not answer for {self._limits.answer_s:g} s") from None
        except asyncio.CancelledError:
            self.post(Cancel(id=request_id))
            raise
        finally:
            self._waiting.pop(request_id, None)

    # --- its life ----------------------------------------------------------------------------------

    async def _spawn(self) -> Channel:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # -P: no module of the current folder may stand in for one of ours.
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "visavis.dispatch.worker"),
                    *("--fd", str(theirs.fileno()), "--name", self.name, "--parent", str(os.getpid())),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # whatever a library prints belongs to the logs, not to the server's output
                    env=system.worker_environment(),
                    start_new_session=True,  # Ctrl-C is for the server, which then ends its workers in order
                )
            except BaseException:
                ours.close()
                raise
        self._channel = await Channel.open(ours, TO_SERVER)
        self._channel.post(Hello(settings=self._settings.model_dump(mode="json"), host=self._session_host))
        return self._channel

    async def _converse(self, channel: Channel) -> str:
        assert self._process is not None
        if self._killed:
            return self._killed
        reasons: list[str] = []
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(channel))
                group.create_task(channel.pump())
                group.create_task(self._watch(asyncio.get_running_loop().time()))
                await self._process.wait()
                # What it said last is still in the socket, unless some child of its keeps the socket open.
                await asyncio.wait([reading], timeout=1.0)
                raise _Gone(_ENDED)
        except* _Gone as gone:
            reasons.extend(str(error) for error in gone.exceptions)
        return reasons[0]

    async def _read(self, channel: Channel) -> None:
        loop = asyncio.get_running_loop()
        try:
            while (message := await channel.receive()) is not None:
                self._heard = loop.time()
                await self._take(message)
        except ProtocolViolation as violation:
            raise _Gone(str(violation)) from None
        raise _Gone(_ENDED)

    async def _take(self, message: Message) -> None:
        match message:
            case Pong():
                self.rss_bytes = message.rss_bytes
                self.prepared, self.preparing = message.prepared, message.preparing
            case Event():
                self._delivering = True
                try:
                    await self._on_event(message.event)
                finally:
                    self._delivering = False
            case Reply() | Refusal():
                self._settle(message)
            case Ready():
                if self.state == "starting":
                    self.state = "ready"
                    self.was_ready = True
                    self._on_ready()
            case LoadFailed():
                raise _Gone(f"could not load: {message.reason}")
            case _:
                raise _Gone(f"sent an unexpected {type(message).__name__}")

    def _settle(self, answer: Reply | Refusal) -> None:
        future = self._waiting.get(answer.id)
        if future is None or future.done():
            return
        if isinstance(answer, Reply):
            future.set_result(answer.reply)
        elif answer.kind == "refused":
            future.set_exception(SignalRefused(answer.reason, answer.code))
        elif answer.kind == "not_running":
            future.set_exception(JobNotRunning(answer.reason))
        else:
            future.set_exception(DispatchError(f"{self.name}: {answer.reason}"))

    async def _watch(self, started: float) -> None:
        """Ping it, and give it up when it is silent for too long.

        Only silence that we could have heard counts: not while our own loop stood still (nothing was read then), not
        while the consumer of events keeps us from reading on, not while it is winding up (that has its own limit).
        """
        loop = asyncio.get_running_loop()
        timeout = self._settings.worker_timeout_s
        interval = timeout / PINGS_PER_TIMEOUT
        next_ping = woken = loop.time()
        while True:
            now = loop.time()
            if now - woken > interval or self._delivering:
                self._heard = now
            if self.state == "starting":
                deadline, why = started + self._limits.start_s, f"was not ready after {self._limits.start_s:g} s"
            elif self._closing:
                deadline, why = math.inf, ""
            else:
                deadline, why = self._heard + timeout, f"did not answer for {timeout:g} s"
            if now >= deadline:
                raise _Gone(why)
            if now >= next_ping:
                self.post(Ping(), key="ping")
                next_ping = now + interval
            woken = min(next_ping, deadline)
            await asyncio.sleep(woken - now)

    def _kill_group(self) -> None:
        """The worker leads a process group: whatever it has started dies with it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _reap(self) -> str:
        if self._process is None:
            return "never started"
        try:
            async with asyncio.timeout(REAP_S):
                status = await self._process.wait()
        except TimeoutError:
            logger.error("a killed worker does not go away", worker=self.name, pid=self.pid)
            return "killed"
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
