"""The dispatcher interface: the control plane's only way to the media plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from visavis.errors import VisavisError
from visavis.session.sayable import Sayable
from visavis.session.signals import FinishReason, JobEvent, SessionCommand, Signal, SignalReply
from visavis.session.spec import JobSpec


class DispatchError(VisavisError):
    """Base of what a dispatcher raises."""


class WorkersFailed(DispatchError):
    """Workers die again and again before they are ready; the message has the last reason."""


class NoCapacity(DispatchError):
    """Every worker is full (or none is ready)."""


class JobNotRunning(DispatchError):
    """No worker holds this job."""


class SignalRefused(DispatchError):
    """The worker refused the offer, candidate or command; the message says why, and for a command of a third-party
    driver ``code`` (:data:`visavis.session.signals.DriveRefusal`)."""

    def __init__(self, reason: str, code: str = "") -> None:
        self.code = code
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """One worker as the operator sees it.

    state: starting, ready, draining (takes no new jobs, is replaced already), dead (its replacement waits to start).
    ``prepared`` of the ``preparing`` sentences that rooms may say are synthesised ahead.
    """

    name: str
    pid: int
    state: str
    jobs: int
    capacity: int
    rss_bytes: int = 0
    prepared: int = 0
    preparing: int = 0


class Dispatcher(Protocol):
    """Starts jobs on workers. All methods are coroutines of the API process's event loop."""

    async def open(self) -> None:
        """Start the workers; returns at once, ``ready()`` tells when the first can take a job."""
        ...

    async def close(self, grace_s: float = 8.0) -> None:
        """Stop all jobs and workers within ``grace_s``; kills what does not end."""
        ...

    async def ready(self) -> None:
        """Wait until every worker that was asked for has loaded its models. Raises WorkersFailed."""
        ...

    async def start(self, spec: JobSpec) -> None:
        """Place the job on the least loaded worker. Raises NoCapacity; DispatchError when the job already runs.

        Returns when the job is placed. From then on exactly one FinishedEvent comes, also when the session cannot
        start (FAILED with the reason); a HeldEvent comes once it runs. Raised: no event comes.
        """
        ...

    async def signal(self, job_id: str, signal: Signal) -> SignalReply:
        """Deliver an offer, candidates or a leave; waits for a job that still starts.

        Raises JobNotRunning, SignalRefused, DispatchError (an error in the worker). Cancelled: the worker drops it.
        """
        ...

    async def command(self, job_id: str, command: SessionCommand) -> None:
        """Raises JobNotRunning, SignalRefused (a driver's command was not taken), DispatchError (an error in the worker)."""
        ...

    async def stop(self, job_id: str, reason: FinishReason = "NORMAL") -> None:
        """Ask the job to end; a FinishedEvent of this reason follows in bounded time. Raises JobNotRunning.

        Asking again changes nothing.
        """
        ...

    def prepare(self, project_id: str, rooms: Mapping[str, Sayable]) -> None:
        """What the project's rooms may say from now on, all of them by their ids, in place of what was told before.

        Workers synthesise it while nobody talks. Returns at once; what cannot be told is left out.
        """
        ...

    def events(self) -> AsyncIterator[JobEvent]:
        """One stream of what all jobs tell, for one consumer; it ends after close().

        A worker's death comes as FinishedEvent(FAILED) of each of its jobs. A consumer that falls behind slows the
        workers' telling down: heartbeats of one job coalesce, nothing else is dropped.
        """
        ...

    def workers(self) -> list[WorkerInfo]: ...
