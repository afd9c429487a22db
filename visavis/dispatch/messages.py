"""What the server and its worker processes say to each other. One JSON object per message, told apart by ``type``.

Both ends are always the same version of this file: the server starts its workers itself.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from visavis.session.sayable import Sayable
from visavis.session.signals import FinishReason, JobEvent, SessionCommand, Signal, SignalReply
from visavis.session.spec import JobSpec


class Message(BaseModel):
    """Base of all messages. Validation errors never quote the input: offers and settings carry secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# --- server to worker -----------------------------------------------------------------------------


class Hello(Message):
    """The first message: all settings (secrets too, hence never argv) and where the session host comes from."""

    type: Literal["hello"] = "hello"
    settings: dict[str, Any] = Field(repr=False)
    host: str


class Ping(Message):
    """Answered by Pong from the worker's event loop."""

    type: Literal["ping"] = "ping"


class Start(Message):
    """Answered by a HeldEvent or a FinishedEvent of the job."""

    type: Literal["start"] = "start"
    spec: JobSpec


class SignalRequest(Message):
    """Answered by Reply or Refusal of the same id."""

    type: Literal["signal"] = "signal"
    id: int
    job_id: str
    signal: Signal


class CommandRequest(Message):
    """Answered by Reply or Refusal of the same id."""

    type: Literal["command"] = "command"
    id: int
    job_id: str
    command: SessionCommand


class Cancel(Message):
    """Nobody waits for the answer to this request any more."""

    type: Literal["cancel"] = "cancel"
    id: int


class Stop(Message):
    """Answered by the FinishedEvent of the job."""

    type: Literal["stop"] = "stop"
    job_id: str
    reason: FinishReason


class Prepare(Message):
    """What a room may say, to be synthesised while nobody talks, in place of what was told of it before; None: nothing."""

    type: Literal["prepare"] = "prepare"
    project_id: str
    room_id: str
    what: Sayable | None


class Rest(Message):
    """Whether another worker has a job, and this one none: it then prepares nothing."""

    type: Literal["rest"] = "rest"
    resting: bool


class Shutdown(Message):
    """Stop all jobs and exit within ``grace_s``."""

    type: Literal["shutdown"] = "shutdown"
    grace_s: float


# --- worker to server -----------------------------------------------------------------------------


class Ready(Message):
    """The models are loaded."""

    type: Literal["ready"] = "ready"


class LoadFailed(Message):
    """The session host could not be made or loaded; the worker exits."""

    type: Literal["load_failed"] = "load_failed"
    reason: str


class Pong(Message):
    """The event loop runs. ``prepared`` of ``preparing`` sentences are synthesised ahead."""

    type: Literal["pong"] = "pong"
    rss_bytes: int
    prepared: int = 0
    preparing: int = 0


class Reply(Message):
    """A request was carried out; ``reply`` is set for signals."""

    type: Literal["reply"] = "reply"
    id: int
    reply: SignalReply | None = None


class Refusal(Message):
    """A request was not carried out. refused: by the session, the text is for the user and ``code`` for programs; failed:
    by an error."""

    type: Literal["refusal"] = "refusal"
    id: int
    kind: Literal["refused", "not_running", "failed"]
    reason: str
    code: str = ""


class Event(Message):
    """Something happened to a job."""

    type: Literal["event"] = "event"
    event: JobEvent


Request = SignalRequest | CommandRequest
ToWorker = Annotated[
    Hello | Ping | Start | SignalRequest | CommandRequest | Cancel | Stop | Prepare | Rest | Shutdown,
    Field(discriminator="type"),
]
ToServer = Annotated[Ready | LoadFailed | Pong | Reply | Refusal | Event, Field(discriminator="type")]

TO_WORKER: TypeAdapter[Any] = TypeAdapter(ToWorker)
TO_SERVER: TypeAdapter[Any] = TypeAdapter(ToServer)
