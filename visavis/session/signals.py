"""What is said to a running job, and what it tells. Plain JSON: it crosses process borders."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from visavis.contract.drive import Notice
from visavis.session.spec import ChatState, Plain, RtcUser

# --- requests to a running job -------------------------------------------------------------------


class Candidate(Plain):
    """One trickled ICE candidate; empty text ends them."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class OfferSignal(Plain):
    """An SDP offer of END_USER (SmallWebRTC) or PLAYER (WHEP). ``pc_id`` set: renegotiate that peer."""

    kind: Literal["offer"] = "offer"
    user: RtcUser
    sdp: str
    pc_id: str | None = None
    restart_pc: bool = False


class CandidatesSignal(Plain):
    """More candidates of a peer."""

    kind: Literal["candidates"] = "candidates"
    user: RtcUser
    pc_id: str
    candidates: list[Candidate]


class LeaveSignal(Plain):
    """A peer says good-bye."""

    kind: Literal["leave"] = "leave"
    user: RtcUser
    pc_id: str


Signal = Annotated[OfferSignal | CandidatesSignal | LeaveSignal, Field(discriminator="kind")]


class SignalReply(Plain):
    """``sdp`` is the answer, of an offer."""

    pc_id: str
    sdp: str | None = None


class DriveCommand(Plain):
    """What the third party that drives a job (app_type 5) wants, and that it comes (open) or goes (close).

    ``seq``: 1.. within a stream, 0: all there is. ``audio``: base64 of mono 16-bit little-endian PCM at ``sample_rate``;
    ``text`` with it is what is said, for subtitles.
    """

    kind: Literal["open", "close", "text", "audio", "interrupt"]
    chat_id: str = ""
    seq: int = 0
    is_last: bool = True
    text: str = ""
    audio: str = Field(default="", repr=False)
    sample_rate: int = 0


DriveRefusal = Literal["not_driven", "unknown_chat", "old_chat", "seq", "rate", "full", "stalled", "cut"]
"""Why a :class:`DriveCommand` was not taken. stalled: more of a stream of which a frame was refused as full;
cut: more of a stream that was interrupted, which nobody is to be told."""


class SessionCommand(Plain):
    """interrupt: stop speaking; wake / sleep; say: speak ``text``; ask: answer ``text`` as if it had been asked aloud;
    drive: see ``drive``."""

    kind: Literal["interrupt", "wake", "sleep", "say", "ask", "drive"]
    text: str = ""
    drive: DriveCommand | None = None


# --- what a running job tells ---------------------------------------------------------------------

FinishReason = Literal["NORMAL", "MUTE_TIMEOUT", "CANCELED", "FAILED"]


class HeldEvent(Plain):
    """A worker holds the job (WAITING -> PROCESSING)."""

    kind: Literal["held"] = "held"
    job_id: str
    worker: str


class HeartbeatEvent(Plain):
    """Sent every few seconds while the job runs. ``stats``: counters of the session (frames, late_frames, viewers...)."""

    kind: Literal["heartbeat"] = "heartbeat"
    job_id: str
    stats: dict[str, float] = Field(default_factory=dict)


class ChatStateEvent(Plain):
    """The chat state changed."""

    kind: Literal["chat_state"] = "chat_state"
    job_id: str
    chat_state: ChatState


class TurnEvent(Plain):
    """One question and answer with its latency split, seconds since the person's speech ended.

    stages, in order: endpoint (the detector noticed silence), recognise (text), turn (the turn was over), answer (first sentence),
    speak (first sound made), play (first sample out).

    ``citations``: what was said is taken from there (libraries, documents, addresses). ``refused``: the question audit did not let the
    question through; then ``heard`` is empty.
    """

    kind: Literal["turn"] = "turn"
    job_id: str
    chat_id: str
    heard: str
    answered: str
    language: str
    interrupted: bool = False
    stages: dict[str, float] = Field(default_factory=dict)
    citations: list[str] = Field(default_factory=list)
    refused: bool = False


class ChatBegins(Plain):
    """START_CHAT of this id is to be told; the rest of that frame is the connection's."""

    command: Literal["START_CHAT"] = "START_CHAT"
    job_id: str
    chat_id: str


class DriveEvent(Plain):
    """Something that the third party who drives the job is told; of no use while it is not there."""

    kind: Literal["drive"] = "drive"
    job_id: str
    told: Annotated[ChatBegins | Notice, Field(discriminator="command")]


class FinishedEvent(Plain):
    """The job is over and nothing of it lives on in its worker."""

    kind: Literal["finished"] = "finished"
    job_id: str
    reason: FinishReason
    error_code: str = ""
    error_msg: str = ""


JobEvent = Annotated[
    HeldEvent | HeartbeatEvent | ChatStateEvent | TurnEvent | DriveEvent | FinishedEvent,
    Field(discriminator="kind"),
]
