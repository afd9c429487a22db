"""Frames of the third-party drive WebSocket (app_type 5): what a driver sends, what it is told.

The commands START_CHAT, TEXT_DRIVE, AUDIO_DRIVE, INTERRUPT_CHAT, STOP_CHAT and JOB_FINISHED, the envelope and the first
answer are published; what the publication leaves open (heartbeat, sound format, what is heard and said) is chosen here and
described in ``docs/drive.md`` and ``docs/asyncapi.yaml``, which are made from these very types.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from visavis.contract.errors import ErrorCode

MAX_FRAME = 256 * 1024
"""Longest frame that is read, characters; a longer one is answered with an error."""
HARD_MAX_FRAME = 1024 * 1024
"""Bytes; a frame that is longer ends the connection (WebSocket close code 1009)."""
MAX_TEXT = 4000
"""Characters of one TEXT_DRIVE frame."""
DEFAULT_RATE = 16_000
"""Samples a second of AUDIO_DRIVE, where neither the frame nor a WAV header tells."""
MIN_RATE, MAX_RATE = 8_000, 48_000

CLOSE_INTERNAL, CLOSE_BAD_FRAMES, CLOSE_TIMEOUT, CLOSE_REPLACED = 4100, 4101, 4104, 4109
"""WebSocket close codes besides 1000 (the job is over), each after an error frame that says the same."""

Id = Annotated[str, Field(min_length=1, max_length=64)]


class Frame(BaseModel):
    """A part of a frame of a driver: what is not known is ignored, types are not coerced."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class DriveError(Exception):
    """A frame that is not taken; ``detail`` is shown to the driver."""

    def __init__(self, code: ErrorCode, detail: str = "", request_id: str = "") -> None:
        self.code, self.detail, self.request_id = code, detail, request_id
        super().__init__(f"{code.message}: {detail}" if detail else code.message)


# --- what a driver sends ----------------------------------------------------------------------------


class _Streamed(Frame):
    seq: int | None = Field(
        None, ge=1, le=10**9, description="place in its stream, from 1 on; absent: this frame is all there is"
    )
    is_last: bool | None = Field(None, description="true ends the stream")

    @property
    def last(self) -> bool:
        """Nothing more of this stream follows."""
        return self.seq is None or bool(self.is_last)


class TextData(_Streamed):
    """Text to speak, or a piece of it."""

    text: str = Field("", max_length=MAX_TEXT, description="may be empty only where is_last is true")

    @model_validator(mode="after")
    def _says_something(self) -> TextData:
        # A piece of a stream may be a blank between two words.
        if not (self.text.strip() if self.seq is None else self.text or self.is_last):
            raise ValueError("there is no text")
        return self


class AudioData(_Streamed):
    """Sound to play, or a piece of it."""

    audio: str = Field(
        "",
        max_length=MAX_FRAME,
        description="base64 of mono 16-bit little-endian PCM; the first frame of a stream may begin with a WAV header. "
        "May be empty only where is_last is true",
    )
    sample_rate: int | None = Field(
        None,
        ge=MIN_RATE,
        le=MAX_RATE,
        description=f"of the stream, Hz; told with its first frame; default {DEFAULT_RATE}",
    )
    text: str = Field("", max_length=MAX_TEXT, description="what is said, for subtitles; told with the first frame")

    @model_validator(mode="after")
    def _sounds(self) -> AudioData:
        if not self.audio and not (self.seq is not None and self.is_last):
            raise ValueError("there is no sound")
        return self


class _Payload(Frame):
    job_id: Id
    robot_id: str | None = Field(None, max_length=64, description="the job's robot; may be left out, may not be empty")


class _Chatting(_Payload):
    chat_id: Id = Field(description="of the newest START_CHAT")


class TextDrivePayload(_Chatting):
    """Speak text."""

    command: Literal["TEXT_DRIVE"]
    data: TextData


class AudioDrivePayload(_Chatting):
    """Play sound; the lips follow it."""

    command: Literal["AUDIO_DRIVE"]
    data: AudioData


class InterruptPayload(_Payload):
    """Be silent at once; everything that waits is forgotten."""

    command: Literal["INTERRUPT_CHAT"]
    chat_id: str | None = Field(None, max_length=64, description="where given, it must be the present one")


class StopPayload(_Payload):
    """End the job."""

    command: Literal["STOP_CHAT"]


class HeartBeatPayload(Frame):
    """Sign of life; answered by the same."""

    command: Literal["HEART_BEAT"]
    job_id: Id | None = None


Payload = Annotated[
    TextDrivePayload | AudioDrivePayload | InterruptPayload | StopPayload | HeartBeatPayload,
    Field(discriminator="command"),
]

COMMANDS = ("TEXT_DRIVE", "AUDIO_DRIVE", "INTERRUPT_CHAT", "STOP_CHAT", "HEART_BEAT")
"""What a driver may send."""


class DriverFrame(Frame):
    """One frame of a driver."""

    request_id: str = Field("", max_length=128, description="the driver's own; answers to this frame repeat it")
    payload: Payload


_FRAME: TypeAdapter[DriverFrame] = TypeAdapter(DriverFrame)


def parse(text: str | bytes) -> DriverFrame:
    """Read a frame of a driver. ``seq`` and ``is_last`` may stand in ``data`` or beside it.

    Raises:
        DriveError: with the published code for what is wrong with it.
    """
    if isinstance(text, bytes):
        raise DriveError(ErrorCode.DRIVE_PARSE, "binary frames are not taken: send JSON text")
    if len(text) > MAX_FRAME:
        raise DriveError(ErrorCode.DRIVE_PARSE, f"{len(text)} characters; at most {MAX_FRAME} are taken")
    try:
        body = json.loads(text)
        text.encode()
    except (ValueError, RecursionError):
        raise DriveError(ErrorCode.DRIVE_PARSE, "not JSON") from None
    request_id = body.get("request_id", "") if isinstance(body, dict) else ""
    request_id = request_id[:128] if isinstance(request_id, str) and request_id.isprintable() else ""
    payload = body.get("payload") if isinstance(body, dict) else None
    if not isinstance(payload, dict):
        raise DriveError(ErrorCode.DRIVE_PARSE, "wanted {request_id, payload: {command, ...}}", request_id)
    command = payload.get("command")
    if not isinstance(command, str):
        raise DriveError(ErrorCode.DRIVE_PARSE, "payload.command is missing", request_id)
    if command not in COMMANDS:
        raise DriveError(ErrorCode.DRIVE_UNKNOWN_ACTION, f"commands are {', '.join(COMMANDS)}", request_id)
    if payload.get("robot_id") == "":
        raise DriveError(ErrorCode.DRIVE_ROBOT_EMPTY, "leave robot_id out, or name the job's robot", request_id)
    try:
        return _FRAME.validate_python({"request_id": request_id, "payload": _gathered(payload)})
    except ValidationError as error:
        raise DriveError(ErrorCode.DRIVE_PARSE, _wrong(error, command), request_id) from None


def _gathered(payload: dict[str, Any]) -> dict[str, Any]:
    data = payload.get("data")
    beside = {name: payload[name] for name in ("seq", "is_last") if name in payload}
    return {**payload, "data": {**beside, **data}} if isinstance(data, dict) and beside else payload


def _wrong(error: ValidationError, command: str) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part not in (command, "payload"))
    return f"payload.{where}: {first['msg']}" if where else first["msg"]


# --- what a driver is told --------------------------------------------------------------------------


class Told(BaseModel):
    """A part of what a driver is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Result(Told):
    """The first frame of a connection (success), and the answer to a frame that was not taken."""

    error_code: str = Field(description="MSS.00000000: success; docs/drive.md lists the others")
    error_msg: str
    request_id: str = Field(description="of the frame that this answers; of the connection in its first frame")


class StartChatData(Told):
    """How to stay connected."""

    heart_beat_interval: float = Field(
        description="seconds: send HEART_BEAT so often when there is nothing else to send"
    )
    time_out: float = Field(description="seconds without any frame of the driver, after which the connection is closed")


class ChatStateData(Told):
    """Whether somebody is there to listen."""

    chat_state: int = Field(
        ge=0, le=4, description="0 nobody is there yet, 1 closing, 2 linked, 3 asleep, 4 falling asleep"
    )


class SpeechRecognizedData(Told):
    """What the person said or typed. Each replaces the one before it in its chat."""

    text: str = Field(description="all of it so far; empty where is_last is false: what was heard so far was nothing")
    language: Literal["CN", "EN"]
    input: Literal["AUDIO", "TEXT"] = Field(description="said aloud, or typed")
    is_last: bool = Field(
        True, description="true: the whole question, to be answered; false: the person is still speaking"
    )


class SpeakingStartData(Told):
    """The first sound of a chat goes out."""

    text: str = Field(description="its first sentence; empty for sound without text")


class SpeakingStopData(Told):
    """How much was really heard."""

    text: str = Field(description="the words that have sounded; of sound, those of the text that came with it")
    duration_ms: int = Field(ge=0, description="sound that went out, milliseconds")


class ContinueDriveData(Told):
    """A frame that was refused because too much waited would be taken now."""

    seq: int = Field(ge=0, description="go on with this frame of the stream; 0: it had no seq")


class JobFinishedData(Told):
    """How the job ended."""

    reason: Literal["NORMAL", "MUTE_TIMEOUT", "CANCELED", "FAILED"]


class _ToldPayload(Told):
    job_id: str


class StartChat(_ToldPayload):
    """A chat begins: on opening, and with each question of the person."""

    command: Literal["START_CHAT"] = "START_CHAT"
    chat_id: str
    data: StartChatData


class ChatStateTold(_ToldPayload):
    """The chat state changed; also told on opening."""

    command: Literal["CHAT_STATE"] = "CHAT_STATE"
    data: ChatStateData


class SpeechRecognized(_ToldPayload):
    """The person's question; follows its START_CHAT. Before that, while the person speaks, what was heard so far."""

    command: Literal["SPEECH_RECOGNIZED"] = "SPEECH_RECOGNIZED"
    chat_id: str = Field(description="where is_last is false: that which the START_CHAT of the question will tell")
    data: SpeechRecognizedData


class SpeakingStart(_ToldPayload):
    """The digital human begins to sound."""

    command: Literal["SPEAKING_START"] = "SPEAKING_START"
    chat_id: str
    data: SpeakingStartData


class SpeakingStop(_ToldPayload):
    """Everything of a stream has been said."""

    command: Literal["SPEAKING_STOP"] = "SPEAKING_STOP"
    chat_id: str
    data: SpeakingStopData


class ChatInterrupted(_ToldPayload):
    """The person, their page or the driver cut it; all that waited is forgotten, the rest of an open stream is ignored."""

    command: Literal["CHAT_INTERRUPTED"] = "CHAT_INTERRUPTED"
    chat_id: str
    data: SpeakingStopData


class ContinueDrive(_ToldPayload):
    """There is room again."""

    command: Literal["CONTINUE_DRIVE"] = "CONTINUE_DRIVE"
    chat_id: str
    data: ContinueDriveData


class HeartBeat(_ToldPayload):
    """The answer to HEART_BEAT."""

    command: Literal["HEART_BEAT"] = "HEART_BEAT"


class JobFinished(_ToldPayload):
    """The job is over; the connection is closed after it."""

    command: Literal["JOB_FINISHED"] = "JOB_FINISHED"
    data: JobFinishedData


ToldPayload = Annotated[
    StartChat
    | ChatStateTold
    | SpeechRecognized
    | SpeakingStart
    | SpeakingStop
    | ChatInterrupted
    | ContinueDrive
    | HeartBeat
    | JobFinished,
    Field(discriminator="command"),
]


class ServerFrame(Told):
    """One frame of the server, other than a Result."""

    request_id: str
    payload: ToldPayload


Notice = Annotated[
    SpeechRecognized | SpeakingStart | SpeakingStop | ChatInterrupted | ContinueDrive, Field(discriminator="command")
]
"""What a running session has to tell besides the beginning of chats."""
