"""The books of a job that a third party drives: its chats, its stream, what waits, and what the driver is told.

Nothing here waits or sounds: :mod:`visavis.session.driven` does what the books allow.
"""

from __future__ import annotations

import base64
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from visavis.contract.base import published
from visavis.contract.drive import (
    ChatInterrupted,
    ContinueDrive,
    ContinueDriveData,
    SpeakingStart,
    SpeakingStartData,
    SpeakingStop,
    SpeakingStopData,
    SpeechRecognized,
    SpeechRecognizedData,
)
from visavis.session.script import STAGE_RATE, TurnRecord
from visavis.session.signals import ChatBegins, DriveCommand, DriveEvent
from visavis.session.types import CommandRefused, Emit
from visavis.speech.types import Language

MAX_SOUND_S: Final = 60.0
"""Seconds of sound that may wait, besides what the stage holds already."""
MAX_TEXT: Final = 8000
"""Characters that may wait to be synthesised."""
CHATS_KEPT: Final = 32
"""Chats that are over, and told apart from those that never were."""


@dataclass(slots=True, eq=False)
class Piece:
    """A command that was taken. ``first``, ``last``: of its stream."""

    kind: Literal["text", "audio"]
    chat_id: str
    text: str
    pcm: bytes = field(repr=False)
    rate: int
    first: bool
    last: bool
    epoch: int

    @property
    def seconds(self) -> float:
        """Length of its sound."""
        return len(self.pcm) / 2 / self.rate if self.pcm else 0.0


@dataclass(slots=True)
class _Stream:
    kind: Literal["text", "audio"]
    rate: int
    next: int = 1
    cut: bool = False
    stalled: bool = False


class Driver:
    """One job's driver, there or not. Belongs to the session's event loop."""

    def __init__(self, job_id: str, emit: Emit) -> None:
        self._job_id, self._emit = job_id, emit
        self.present = False
        """A driver is connected."""
        self.epoch = 0
        """Counts interruptions: pieces of an earlier epoch are not said any more."""
        self.chat_id, self._next = _new_id(), _new_id()
        self._partial = ""
        self._over: deque[str] = deque(maxlen=CHATS_KEPT)
        self._scolded = ""
        self._stream: _Stream | None = None
        self._seconds = 0.0
        self._characters = 0
        self.pending_text: Callable[[], int] = lambda: 0
        """Characters that wait behind the books: said by whoever synthesises."""

    # --- chats ----------------------------------------------------------------------------------------------------

    def came(self, open_question: TurnRecord | None) -> None:
        """A driver connected: it is told a chat, and the question in it that nobody has answered yet."""
        self.present = True
        if open_question is None:
            self.new_chat()
        self._tell(ChatBegins(job_id=self._job_id, chat_id=self.chat_id))
        if open_question is not None:
            self._tell_question(open_question, typed=not open_question.marks)

    def left(self) -> None:
        """It is gone: what it has sent is said to the end."""
        self.present = False

    def new_chat(self) -> str:
        """The present chat is over; the id of the next one."""
        self._over.append(self.chat_id)
        self.chat_id, self._next = self._next, _new_id()
        self._partial = ""
        self._stream = None
        return self.chat_id

    def hearing(self, text: str, language: Language) -> None:
        """What the person says, so far; "": it was nothing. It belongs to the chat that will begin with it."""
        if text != self._partial:
            self._partial = text
            self._tell_heard(self._next, text, language, typed=False, last=False)

    def asked(self, record: TurnRecord, *, typed: bool) -> None:
        """The person asked something, in the present chat."""
        self._tell(ChatBegins(job_id=self._job_id, chat_id=self.chat_id))
        self._tell_question(record, typed=typed)

    def cut(self) -> None:
        """Everything was silenced: what waits is worth nothing any more, and no more of the open stream is taken."""
        self.epoch += 1
        self._seconds, self._characters = 0.0, 0
        if self._stream is not None:
            self._stream.cut, self._stream.stalled = True, False

    # --- commands ---------------------------------------------------------------------------------------------------

    def accept(self, command: DriveCommand) -> Piece:
        """Take text or sound, or say why not. Raises CommandRefused."""
        assert command.kind in ("text", "audio")
        self.check_chat(command.chat_id)
        self._enter_stream(command)
        pcm = base64.b64decode(command.audio) if command.audio else b""
        piece = Piece(
            kind=command.kind,
            chat_id=command.chat_id,
            text=command.text,
            pcm=pcm,
            rate=command.sample_rate,
            first=command.seq <= 1,
            last=command.seq == 0 or command.is_last,
            epoch=self.epoch,
        )
        self._check_room(piece)
        self._seconds += piece.seconds
        self._characters += len(piece.text)
        if (stream := self._stream) is not None:
            stream.next, stream.stalled = stream.next + 1, False
            if piece.last:
                self._stream = None
        return piece

    def check_chat(self, chat_id: str) -> None:
        """Raises CommandRefused: it is not the present chat. Of each chat that is over this is said once: what was
        under way when the person asked something else is no mistake of the driver's."""
        if chat_id == self.chat_id:
            return
        if chat_id not in self._over:
            raise CommandRefused("unknown_chat", "chat_id is of no START_CHAT of this job")
        if chat_id == self._scolded:
            raise CommandRefused("cut", "that chat is over")
        self._scolded = chat_id
        raise CommandRefused("old_chat", "a newer START_CHAT has begun another chat")

    def _enter_stream(self, command: DriveCommand) -> None:
        if command.seq == 0:
            self._stream = None
            return
        kind: Literal["text", "audio"] = "audio" if command.kind == "audio" else "text"
        if command.seq == 1:
            self._stream = _Stream(kind, command.sample_rate)
            return
        stream = self._stream
        if stream is None or stream.kind != kind:
            raise CommandRefused("seq", f"seq {command.seq}, but no such stream is open: begin with seq 1")
        if stream.cut:
            raise CommandRefused("cut", "the stream was interrupted")
        if stream.stalled and command.seq > stream.next:
            raise CommandRefused("stalled", f"seq {stream.next} was refused")
        if command.seq != stream.next:
            raise CommandRefused("seq", f"seq {command.seq}, wanted {stream.next}")
        if command.sample_rate != stream.rate:
            raise CommandRefused("rate", f"{command.sample_rate} Hz in a stream of {stream.rate} Hz")

    def _check_room(self, piece: Piece) -> None:
        full = ""
        if piece.seconds and self._seconds and self._seconds + piece.seconds > MAX_SOUND_S:
            full = f"{self._seconds:.0f} s of sound wait; at most {MAX_SOUND_S:.0f} may"
        elif piece.text and self._text() + len(piece.text) > MAX_TEXT:
            full = f"{self._text()} characters wait; at most {MAX_TEXT} may"
        if full:
            if self._stream is not None:
                self._stream.stalled = True
            raise CommandRefused("full", f"{full}. Wait for CONTINUE_DRIVE")

    def _text(self) -> int:
        return self._characters + self.pending_text()

    def release(self, piece: Piece) -> None:
        """The piece does not wait any more."""
        if piece.epoch == self.epoch:
            self._seconds = max(0.0, self._seconds - piece.seconds)
            self._characters -= len(piece.text)

    @property
    def half_empty(self) -> bool:
        """There is room again for a good while."""
        return self._seconds <= MAX_SOUND_S / 2 and self._text() <= MAX_TEXT / 2

    # --- what it is told ----------------------------------------------------------------------------------------------

    def go_on(self, epoch: int) -> None:
        """There is room again for what was refused in that epoch."""
        if epoch == self.epoch:
            stalled = self._stream if self._stream is not None and self._stream.stalled else None
            data = ContinueDriveData(seq=stalled.next if stalled else 0)
            self._tell(ContinueDrive(job_id=self._job_id, chat_id=self.chat_id, data=data))

    def sounds(self, chat_id: str, text: str) -> None:
        """The first sound of what it sent goes out."""
        self._tell(SpeakingStart(job_id=self._job_id, chat_id=chat_id, data=SpeakingStartData(text=text)))

    def said(self, record: TurnRecord) -> None:
        """Everything was said, or was cut."""
        if record.interrupted:
            self.interrupted(record.chat_id, _spoken(record))
        elif record.utterances:
            self._tell(SpeakingStop(job_id=self._job_id, chat_id=record.chat_id, data=_spoken(record)))

    def interrupted(self, chat_id: str, data: SpeakingStopData) -> None:
        """What it sent was cut; or it interrupted, and nothing was to be said."""
        self._tell(ChatInterrupted(job_id=self._job_id, chat_id=chat_id, data=data))

    def _tell_question(self, record: TurnRecord, *, typed: bool) -> None:
        self._tell_heard(record.chat_id, record.heard, record.language, typed=typed, last=True)

    def _tell_heard(self, chat_id: str, text: str, language: Language, *, typed: bool, last: bool) -> None:
        data = SpeechRecognizedData(
            text=text, language=published(language), input="TEXT" if typed else "AUDIO", is_last=last
        )
        self._tell(SpeechRecognized(job_id=self._job_id, chat_id=chat_id, data=data))

    def _tell(
        self, told: ChatBegins | SpeechRecognized | SpeakingStart | SpeakingStop | ChatInterrupted | ContinueDrive
    ) -> None:
        if self.present:
            self._emit(DriveEvent(job_id=self._job_id, told=told))


def _spoken(record: TurnRecord) -> SpeakingStopData:
    played = sum(utterance.played for utterance in record.utterances)
    return SpeakingStopData(text=record.spoken, duration_ms=round(played * 1000 / STAGE_RATE))


def _new_id() -> str:
    return uuid.uuid4().hex
