"""What a worker process asks of the package that runs sessions.

The interface lives here, below ``visavis.dispatch``, so that the session package can implement it without knowing
how jobs reach its process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from visavis.errors import VisavisError
from visavis.session.sayable import Sayable
from visavis.session.signals import (
    DriveRefusal,
    FinishReason,
    JobEvent,
    SessionCommand,
    Signal,
    SignalReply,
)
from visavis.session.spec import JobSpec
from visavis.settings import Settings


class SignalRefusedBySession(VisavisError):
    """The session refused an offer, candidate or leave; the message says why and reaches the client."""


class CommandRefused(SignalRefusedBySession):
    """The session does not take a command of a third-party driver; ``code`` says why to programs, the message to people."""

    def __init__(self, code: DriveRefusal, message: str) -> None:
        self.code = code
        super().__init__(message)


Emit = Callable[[JobEvent], None]
"""How a host tells about its jobs: ChatStateEvent, TurnEvent and FinishedEvent (the worker adds held and heartbeat).

Returns at once, may be called from any thread, keeps the order of one thread's calls. Events of a job that start()
has not returned for yet are delivered after its HeldEvent; events after its FinishedEvent are dropped.
"""


class SessionHost(Protocol):
    """Runs the sessions of one worker process. Every method is called on the worker's event loop.

    The loop answers the server's pings: a method that blocks it for longer than ``worker_timeout_s`` gets the whole
    process killed, so models load and infer in threads. A host that starts processes of its own sees to it that they
    end with this one even when it is killed.
    """

    async def load(self) -> None:
        """Load the models; the worker takes jobs only after it. Raises anything: the worker is started anew."""
        ...

    async def start(self, spec: JobSpec) -> None:
        """Run a session; return once it runs. It must outlive this call.

        Raises VisavisError with a message for the user. Raised or cancelled, it leaves nothing of the job behind and
        emits no FinishedEvent: the worker does.
        """
        ...

    async def signal(self, job_id: str, signal: Signal) -> SignalReply:
        """Take an offer, candidates or a leave. Raises SignalRefusedBySession. May be cancelled."""
        ...

    async def command(self, job_id: str, command: SessionCommand) -> None:
        """Act on a command. Calls for one job begin in the order in which they were sent. Raises CommandRefused."""
        ...

    async def stop(self, job_id: str, reason: FinishReason) -> None:
        """End the session and everything of it, then emit its FinishedEvent with this reason.

        Called at most once per job, not while start() runs. FAILED: the process was told to end before its time.
        """
        ...

    def prepare(self, project_id: str, room_id: str, what: Sayable | None) -> None:
        """Synthesise what that room may say while nobody talks; None: nothing of it any more. Quick: it only notes it."""
        ...

    def rest(self, resting: bool) -> None:
        """Prepare nothing while ``resting``: another process needs the processors."""
        ...

    def prepared(self) -> tuple[int, int]:
        """Of the sentences that are to be prepared, how many are, and how many there are. Quick."""
        ...

    def stats(self, job_id: str) -> dict[str, float]:
        """Counters of a running session for its next heartbeat. Quick: no waiting, no computing."""
        ...

    async def close(self) -> None:
        """Free what load() took. Every session was stopped before, or could not be in time."""
        ...


HostFactory = Callable[[Settings, Emit], SessionHost]
"""``create_host(settings, emit)``: what the dotted path given to a worker points to."""
