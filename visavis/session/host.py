"""The sessions of one worker process and the models they share."""

from __future__ import annotations

import asyncio

from visavis.errors import VisavisError
from visavis.rtc.errors import RtcError
from visavis.session.engines import Engines
from visavis.session.sayable import Sayable
from visavis.session.session import Session
from visavis.session.signals import (
    CandidatesSignal,
    FinishReason,
    LeaveSignal,
    OfferSignal,
    SessionCommand,
    Signal,
    SignalReply,
)
from visavis.session.spec import JobSpec
from visavis.session.types import Emit, SignalRefusedBySession
from visavis.settings import Settings


class Host:
    """Implements :class:`~visavis.session.types.SessionHost`."""

    def __init__(self, settings: Settings, emit: Emit) -> None:
        self._settings, self._emit = settings, emit
        self._engines: Engines | None = None
        self._sessions: dict[str, Session] = {}
        self._starting = 0

    async def load(self) -> None:
        """Load the models (seconds)."""
        self._engines = await Engines.load(self._settings)
        self._engines.ahead.go_on()

    async def start(self, spec: JobSpec) -> None:
        if self._engines is None:
            raise VisavisError("the models are not loaded")
        session = Session(spec, self._engines, self._emit)
        self._starting += 1
        try:
            await self._engines.ahead.stop()
            await session.open()
            self._sessions[spec.job_id] = session
            self._engines.ahead.begin(spec)
        finally:
            self._starting -= 1
            self._go_on_ahead()
        assert session.task is not None
        session.task.add_done_callback(lambda _: self._ended(spec.job_id))

    def _ended(self, job_id: str) -> None:
        self._sessions.pop(job_id, None)
        if self._engines is not None:
            self._engines.ahead.end(job_id)
        self._go_on_ahead()

    def _go_on_ahead(self) -> None:
        """Stored sentences are made beside sessions, while nobody speaks in them, but not while one starts."""
        if not self._starting and self._engines is not None:
            self._engines.ahead.go_on()

    async def signal(self, job_id: str, signal: Signal) -> SignalReply:
        room = self._session(job_id).room
        user = signal.user
        try:
            match signal:
                case OfferSignal():
                    pc_id, sdp = await room.offer(
                        user.user_type, user.user_id, signal.sdp, signal.pc_id, signal.restart_pc
                    )
                    return SignalReply(pc_id=pc_id, sdp=sdp)
                case CandidatesSignal():
                    trickled = [(c.candidate, c.sdp_mid, c.sdp_mline_index) for c in signal.candidates]
                    room.candidates(signal.pc_id, trickled, user.user_id)
                case LeaveSignal():
                    await room.leave(signal.pc_id, user.user_id)
        except RtcError as error:
            raise SignalRefusedBySession(str(error)) from error
        return SignalReply(pc_id=signal.pc_id)

    async def command(self, job_id: str, command: SessionCommand) -> None:
        await self._session(job_id).command(command)

    async def stop(self, job_id: str, reason: FinishReason) -> None:
        session = self._session(job_id)
        session.finish(reason)
        await session.done.wait()

    def prepare(self, project_id: str, room_id: str, what: Sayable | None) -> None:
        if self._engines is not None:
            self._engines.ahead.prepare(project_id, room_id, what)
            self._go_on_ahead()

    def rest(self, resting: bool) -> None:
        if self._engines is not None:
            self._engines.ahead.rest(resting)

    def prepared(self) -> tuple[int, int]:
        return self._engines.ahead.progress() if self._engines is not None else (0, 0)

    def stats(self, job_id: str) -> dict[str, float]:
        session = self._sessions.get(job_id)
        if session is None or self._engines is None:
            return {}
        return {**session.stats(), **self._engines.ahead.stats(job_id)}

    async def close(self) -> None:
        for session in list(self._sessions.values()):
            session.finish("NORMAL")
        await asyncio.gather(*(session.done.wait() for session in list(self._sessions.values())))
        engines, self._engines = self._engines, None  # nothing is made ahead any more
        if engines is not None:
            await engines.close()

    def _session(self, job_id: str) -> Session:
        try:
            return self._sessions[job_id]
        except KeyError:
            raise SignalRefusedBySession("no such job here") from None


def create_host(settings: Settings, emit: Emit) -> Host:
    """Build the host of a worker process."""
    return Host(settings, emit)
