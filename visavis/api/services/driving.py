"""The third parties that drive jobs: one connection for each job, between its WebSocket and its worker."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from visavis import log
from visavis.api.services.drive_sound import SoundStream, decode
from visavis.contract import drive
from visavis.contract.drive import DriveError
from visavis.contract.errors import ApiError, ErrorCode
from visavis.dispatch.types import DispatchError, JobNotRunning, SignalRefused
from visavis.session.signals import (
    ChatBegins,
    ChatStateEvent,
    DriveCommand,
    DriveEvent,
    FinishedEvent,
    FinishReason,
    SessionCommand,
)
from visavis.store import jobs as store
from visavis.store.jobs import Job

if TYPE_CHECKING:
    from visavis.api.context import Context

_log = log.get(__name__)

OUTBOX: Final = 256
"""Frames that may wait for a driver that does not read; then it is given up."""
FRAMES_A_SECOND: Final = 200.0
"""What a driver may send in the long run; what comes faster is read later."""
FRAMES_AT_ONCE: Final = 1000.0
WRONG_A_SECOND: Final = 2.0
"""Frames that are not taken, in the long run; a driver with more of them is sent away."""
WRONG_AT_ONCE: Final = 60.0
FULL_WAIT_S: Final = 0.02
"""While there is no room for what a driver sends, it is read no faster than one frame in so long."""
HEART_BEATS: Final = 3
"""To be sent within the time-out."""
LAST_WORDS_S: Final = 2.0
"""Time for the last frames to leave before the connection is closed."""

_REFUSALS: Final = {
    "not_driven": ErrorCode.ROBOT_UNUSABLE,
    "unknown_chat": ErrorCode.DIALOG_NOT_FOUND,
    "old_chat": ErrorCode.DIALOG_FINISHED,
    "seq": ErrorCode.INVALID_PARAMETER,
    "rate": ErrorCode.INVALID_PARAMETER,
    "full": ErrorCode.TOO_FREQUENT,
}
"""What a driver is told of a session's refusals (:data:`visavis.session.signals.DriveRefusal`); of the others nothing."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection is closed: WebSocket code and reason."""

    code: int
    reason: str


class _Allowance:
    """So much at once, and so much a second in the long run."""

    def __init__(self, at_once: float, a_second: float) -> None:
        self._most, self._rate = at_once, a_second
        self._left, self._at = at_once, time.monotonic()

    def wait(self) -> float:
        """Take one; the seconds until it was there."""
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._left / self._rate)


class Drivers:
    """The drivers that are connected to this server, one for each job at most."""

    def __init__(self) -> None:
        self._of: dict[str, Connection] = {}

    def enter(self, connection: Connection) -> None:
        """The job's driver is this one from now on; one that was there before is told so and sent away.

        The newest wins because a driver that lost its network and comes back must not wait until the server has noticed.
        """
        before = self._of.get(connection.job.id)
        self._of[connection.job.id] = connection
        if before is not None:
            before.give_up(ErrorCode.STATE_UNAVAILABLE, "another driver has connected", drive.CLOSE_REPLACED)

    def leave(self, connection: Connection) -> bool:
        """It is gone; whether it was the job's driver still."""
        if self._of.get(connection.job.id) is not connection:
            return False
        del self._of[connection.job.id]
        return True

    def take(self, event: DriveEvent | ChatStateEvent | FinishedEvent) -> None:
        """Something happened to a job; its driver is told, if there is one."""
        connection = self._of.get(event.job_id)
        if connection is None:
            return
        match event:
            case DriveEvent():
                connection.hear(event.told)
            case ChatStateEvent():
                connection.chat_state_is(int(event.chat_state))
            case FinishedEvent():
                connection.finished(event.reason)


class Connection:
    """One driver. ``read`` and ``write`` run beside each other until one of them ends."""

    def __init__(self, context: Context, job: Job, request_id: str) -> None:
        self.job = job
        self.ending: Ending | None = None
        self._context, self._request_id = context, request_id
        self._metrics = context.metrics
        self._time_out = context.settings.drive_timeout_s
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue(OUTBOX)
        self.over = asyncio.Event()
        """Set with ``ending``."""
        self._chat_state, self._begun = job.chat_state, False
        self._sound: SoundStream | None = None
        self._pace = _Allowance(FRAMES_AT_ONCE, FRAMES_A_SECOND)
        self._wrong = _Allowance(WRONG_AT_ONCE, WRONG_A_SECOND)
        self.frames = self.refused = 0

    # --- the way out ------------------------------------------------------------------------------------------------

    async def write(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send what is to be told, until the connection is to end and nothing waits any more."""
        while (text := await self._outbox.get()) is not None:
            await send(text)

    def tell(self, payload: drive.ToldPayload, request_id: str = "") -> None:
        """Tell the driver; in vain once the connection is to end."""
        frame = drive.ServerFrame(request_id=request_id or uuid.uuid4().hex, payload=payload)
        self._post(frame.model_dump_json())

    def _answer(self, code: ErrorCode, detail: str, request_id: str) -> None:
        text = f"{code.message}: {detail}" if detail and code is not ErrorCode.SUCCESS else code.message
        self._post(drive.Result(error_code=code.code, error_msg=text, request_id=request_id).model_dump_json())

    def _post(self, text: str) -> None:
        if self.ending is not None:
            return
        if self._outbox.qsize() >= OUTBOX - 2:  # the last two are for why it ends
            self.give_up(ErrorCode.DRIVE_INTERNAL, "you do not read what you are sent", drive.CLOSE_INTERNAL)
            return
        self._outbox.put_nowait(text)

    def give_up(self, code: ErrorCode, detail: str, close: int) -> None:
        """Close the connection: the driver is told why, then it ends."""
        if self.ending is None:
            result = drive.Result(
                error_code=code.code, error_msg=f"{code.message}: {detail}", request_id=self._request_id
            )
            self._outbox.put_nowait(result.model_dump_json())
            self._end(Ending(close, f"{code.code} {detail}"))

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        self._outbox.put_nowait(None)
        self.over.set()

    # --- what happens to the job ----------------------------------------------------------------------------------------

    def hear(self, told: ChatBegins | drive.Notice) -> None:
        """The session tells something."""
        if not isinstance(told, ChatBegins):
            self.tell(told)
            return
        data = drive.StartChatData(heart_beat_interval=self._time_out / HEART_BEATS, time_out=self._time_out)
        self.tell(drive.StartChat(job_id=self.job.id, chat_id=told.chat_id, data=data))
        if not self._begun:
            self._begun = True
            self.chat_state_is(self._chat_state)

    def chat_state_is(self, chat_state: int) -> None:
        """The chat state; told once START_CHAT was."""
        self._chat_state = chat_state
        if self._begun:
            data = drive.ChatStateData(chat_state=chat_state)
            self.tell(drive.ChatStateTold(job_id=self.job.id, data=data))

    def finished(self, reason: FinishReason) -> None:
        """The job is over."""
        if self.ending is None:
            self.tell(drive.JobFinished(job_id=self.job.id, data=drive.JobFinishedData(reason=reason)))
            if self.ending is None:
                self._end(Ending(1000, "the job is over"))

    # --- the way in -----------------------------------------------------------------------------------------------------

    async def read(self, receive: Callable[[], Awaitable[str | bytes | None]]) -> None:
        """Take what the driver sends until it goes, is silent for too long, or is sent away.

        ``receive`` answers one frame, or None when the driver is gone.
        """
        self._answer(ErrorCode.SUCCESS, "", self._request_id)
        if not await self._open():
            return
        while self.ending is None:
            try:
                async with asyncio.timeout(self._time_out):
                    message = await receive()
            except TimeoutError:
                self.give_up(ErrorCode.DRIVE_TIMEOUT, f"nothing came for {self._time_out:g} s", drive.CLOSE_TIMEOUT)
                return
            if message is None:
                return
            if wait := self._pace.wait():
                await asyncio.sleep(wait)
            await self.take(message)

    async def _open(self) -> bool:
        """Tell the session, as soon as it runs, which answers with START_CHAT."""
        try:
            await self._command(DriveCommand(kind="open"))
        except DriveError as error:
            self.give_up(error.code, error.detail, drive.CLOSE_INTERNAL)
            return False
        return True

    async def close(self) -> None:
        """Tell the session that its driver is gone."""
        try:
            await self._context.dispatcher.command(
                self.job.id, SessionCommand(kind="drive", drive=DriveCommand(kind="close"))
            )
        except DispatchError:
            return  # the job is over

    async def take(self, message: str | bytes) -> None:
        """Act on one frame; what is wrong with it is answered."""
        self.frames += 1
        request_id = ""
        try:
            frame = drive.parse(message)
            request_id = frame.request_id
            self._metrics.drive_frames.labels(frame.payload.command).inc()
            await self._act(frame.payload, request_id)
        except DriveError as error:
            await self._refuse(error.code, error.detail, error.request_id or request_id)
        except Exception:
            _log.exception("drive_frame_failed", job_id=self.job.id)
            await self._refuse(ErrorCode.DRIVE_INTERNAL, "", request_id)

    async def _refuse(self, code: ErrorCode, detail: str, request_id: str) -> None:
        self.refused += 1
        self._metrics.drive_refused.labels(code.code).inc()
        self._answer(code, detail, request_id)
        if code is ErrorCode.TOO_FREQUENT:
            await asyncio.sleep(FULL_WAIT_S)
            return
        _log.info("drive_frame_refused", job_id=self.job.id, error_code=code.code, frame=request_id)
        if self._wrong.wait():
            self.give_up(ErrorCode.DRIVE_PARSE, "too many frames could not be taken", drive.CLOSE_BAD_FRAMES)

    async def _act(self, payload: drive.Payload, request_id: str) -> None:
        if payload.job_id not in (None, self.job.id):
            raise DriveError(ErrorCode.JOB_NOT_FOUND, "this connection is of another job")
        if isinstance(payload, drive.HeartBeatPayload):
            self.tell(drive.HeartBeat(job_id=self.job.id), request_id)
            return
        if payload.robot_id not in (None, self.job.robot_id):
            raise DriveError(ErrorCode.ROBOT_NOT_FOUND, "the job has another robot")
        match payload:
            case drive.TextDrivePayload(data=text):
                await self._command(
                    DriveCommand(
                        kind="text", chat_id=payload.chat_id, seq=text.seq or 0, is_last=text.last, text=text.text
                    )
                )
            case drive.AudioDrivePayload(data=sound):
                await self._play(payload.chat_id, sound)
            case drive.InterruptPayload():
                await self._command(DriveCommand(kind="interrupt", chat_id=payload.chat_id or ""))
            case drive.StopPayload():
                await self._stop()

    async def _play(self, chat_id: str, data: drive.AudioData) -> None:
        begins = data.seq in (None, 1)
        pcm, stream = decode(None if begins else self._sound or SoundStream(), data)
        taken = await self._command(
            DriveCommand(
                kind="audio",
                chat_id=chat_id,
                seq=data.seq or 0,
                is_last=data.last,
                text=data.text if begins else "",
                audio=base64.b64encode(pcm).decode(),
                sample_rate=stream.rate,
            )
        )
        if taken:  # one that was not comes again
            self._sound = stream

    async def _stop(self) -> None:
        try:
            await self._context.jobs.stop(self.job)
        except ApiError as error:
            raise DriveError(error.code, error.detail) from None
        if self.ending is None and (job := await store.by_id(self._context.database, self.job.id)) and job.state.final:
            self.finished("CANCELED" if job.state.value == "CANCELED" else "NORMAL")

    async def _command(self, command: DriveCommand) -> bool:
        """Hand it to the session; whether it took it. Raises DriveError: it did not, and the driver must be told why."""
        try:
            await self._context.dispatcher.command(self.job.id, SessionCommand(kind="drive", drive=command))
        except JobNotRunning:
            raise DriveError(ErrorCode.STATE_UNAVAILABLE, "no worker holds the job") from None
        except SignalRefused as refused:
            if refused.code == "stalled":
                await asyncio.sleep(FULL_WAIT_S)
            elif refused.code != "cut":
                raise DriveError(_REFUSALS.get(refused.code, ErrorCode.STATE_UNAVAILABLE), str(refused)) from None
            return False
        except DispatchError:
            _log.exception("drive_command_failed", job_id=self.job.id)
            raise DriveError(ErrorCode.DRIVE_INTERNAL) from None
        return True
