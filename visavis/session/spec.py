"""What a worker must know to run a job, and what it tells about it. Plain JSON: it crosses process borders."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from visavis.contract.drive import Notice
from visavis.contract.robots import THIRD_PARTY_DRIVEN


class ChatState(IntEnum):
    """The published ``chat_state``."""

    WAITING_LINK = 0
    CLOSING = 1
    LINKED = 2
    ASLEEP = 3
    FALLING_ASLEEP = 4


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RtcUser(_Model):
    """One user of the RTC room; what each type does is in the published table."""

    user_type: Literal["CAPTURE", "ANIMATION", "RENDER", "PLAYER", "INFERENCE_USER", "END_USER"]
    user_id: str


class VoiceSpec(_Model):
    """One entry of the room's voice list. ``language`` None: any language the voice speaks. ``lexicon``: path of a file that the
    worker can read, with the words that it reads in another way (``visavis.speech.lexicon``); empty: none."""

    voice_id: str = "default"
    language: Literal["en", "zh"] | None = None
    speed: int = 100
    pitch: int = 100
    volume: int = 140
    lexicon: str = ""


class VideoSpec(_Model):
    """The picture. RESIZE: the stage at width x height. CROP: width x height from (dx, dy) of a stage of 1080x1920 or 1920x1080.

    ``transparency``: as :data:`visavis.avatar.layout.Transparency`; with "side" the coded picture is twice as wide.
    """

    width: int = 720
    height: int = 1280
    clip_mode: Literal["RESIZE", "CROP"] = "RESIZE"
    dx: int = 0
    dy: int = 0
    fps: int = 25
    bitrate_kbps: int = 2500
    transparency: Literal["none", "key", "side"] = "none"
    key: str = "#00B140"


class BackgroundSpec(_Model):
    """GRADIENT (the default, when the room says nothing): soft light around ``color``; COLOR: #RRGGBB, flat; IMAGE: ``image``,
    the path of a picture file that the worker can read. ``rect``: where the picture lies (x, y, width, height, canvas pixels);
    None: it covers the stage."""

    kind: Literal["GRADIENT", "COLOR", "IMAGE"] = "GRADIENT"
    color: str = "#D9E1E8"
    image: str | None = None
    rect: tuple[int, int, int, int] | None = None


class TextStyleSpec(_Model):
    """How letters look. Sizes in canvas pixels, colours #RRGGBB."""

    font: str | None = None
    size: float = 48
    color: str = "#FFFFFF"
    stroke_color: str = "#000000"
    stroke: float = 0
    opacity: float = 1


class LayerSpec(_Model):
    """One layer. Coordinates: pixels of a canvas of 1920x1080 (landscape) or 1080x1920 (portrait), whatever the picture's size.

    HUMAN without a size fills the stage. IMAGE and VIDEO: ``file`` is a path that the worker can read; a size that is missing
    is the file's own (or keeps its proportions). TEXT: ``text``, wrapped; a missing size reaches to the canvas's edge.
    ``loops``: how often a video is played, -1: for ever.
    """

    kind: Literal["HUMAN", "IMAGE", "VIDEO", "TEXT"]
    x: float = 0
    y: float = 0
    width: float | None = None
    height: float | None = None
    rotation: float = 0
    file: str = ""
    loops: int = -1
    text: str = ""
    style: TextStyleSpec = TextStyleSpec()


class SubtitleSpec(_Model):
    """Subtitles burnt into the picture; canvas pixels. ``x``, ``bottom``: the box's lower left corner."""

    x: float
    bottom: float
    width: float
    height: float
    style: TextStyleSpec = TextStyleSpec(stroke=3)


class LlmSpec(_Model):
    """A language model behind HTTP. protocol "openai": ``url`` is the base URL or the .../chat/completions URL;
    "metastudio": the published third-party model callback (signed query)."""

    protocol: Literal["openai", "metastudio"] = "openai"
    url: str
    model: str = ""
    api_key: str = Field(default="", repr=False)
    app_id: str = ""
    stream: bool = True
    chat_rounds: int = 5
    system_prompt: str = ""
    extend_param: str = Field(default="", repr=False, description="of the job's start; the callback carries it")
    user: str = Field(default="", description="whom the callback names; empty: the END_USER")
    trusted: bool = Field(default=False, description="the operator's own, which may be at this machine; never a user's")


class VendorSpec(_Model):
    """An account with another vendor's service (app_type 0, 1, 2, 8); the fields of ``visavis.dialogue.vendors.types.Account``."""

    kind: Literal["aiui", "cbs", "spark", "mobvoi"]
    url: str
    app_id: str
    key: str = Field(default="", repr=False)
    secret: str = Field(default="", repr=False)
    project_id: str = ""
    production: bool = False
    model: str = ""


class PacifySpec(_Model):
    """What soothes who waits for an answer in one language: ``general`` phrases, and those of an intent
    (the entry of the knowledge that the question is about, by its id, or "chat": none)."""

    trigger_ms: int = Field(default=3000, description="after so long without an answer")
    general: list[str] = Field(default_factory=list)
    by_intent: dict[str, list[str]] = Field(default_factory=dict)


class LibrarySpec(_Model):
    """A knowledge library as a file that the worker can read. ``name``: what a person calls it. ``least``: likeness from which
    something is recalled, 0..1; ``count``: how much of it at most."""

    file: str
    name: str = ""
    least: float = 0.0
    count: int = 5


class PluginSpec(_Model):
    """A service that the role may ask, with the project's own key."""

    kind: Literal["WEATHER_QUERY", "WEB_SEARCH"]
    provider: str
    api_key: str = Field(default="", repr=False)


class McpServerSpec(_Model):
    """Tools of the role: an http(s) address, or "stdio:NAME" of one that the settings name. ``headers``: credentials."""

    name: str
    url: str
    headers: dict[str, str] = Field(default_factory=dict, repr=False)


class SlotSpec(_Model):
    """A part of an instruction that the speaker fills. ``values``: by language, each value with the words that mean it;
    a language without values takes any words."""

    name: str
    description: str = ""
    values: dict[Literal["en", "zh"], dict[str, list[str]]] = Field(default_factory=dict)


class InstructionSpec(_Model):
    """Something that the role can be told to do: wordings, a line each, with slots as {name}; what it replies, by language."""

    name: str
    instruction: str
    description: str = ""
    slots: list[SlotSpec] = Field(default_factory=list)
    replies: dict[Literal["en", "zh"], str] = Field(default_factory=dict)


class RoleSpec(_Model):
    """Who an interaction assistant (app_type 7) is. ``llm`` None: it thinks with no model, and says what is stored."""

    prompts: dict[Literal["en", "zh"], str] = Field(default_factory=dict)
    llm: LlmSpec | None = None
    libraries: dict[Literal["en", "zh"], list[LibrarySpec]] = Field(default_factory=dict)
    plugins: list[PluginSpec] = Field(default_factory=list)
    mcp_servers: list[McpServerSpec] = Field(default_factory=list)
    instructions: list[InstructionSpec] = Field(default_factory=list)


class RobotSpec(_Model):
    """Who answers. ``llm`` None: the stored answers, of ``knowledge`` (paths of files that the worker can read; none: what the
    settings name, else what is shipped). ``welcome``: said once, when the END_USER's media first flows."""

    robot_id: str | None = None
    name: str = ""
    app_type: int = 7
    tail_silence_ms: int = 500
    llm: LlmSpec | None = None
    knowledge: list[str] = Field(default_factory=list)
    role: RoleSpec | None = Field(default=None, description="of app_type 7; None: only what is stored answers")
    vendor: VendorSpec | None = Field(default=None, description="of app_type 0, 1, 2, 8")
    audited: bool = Field(default=False, description="the question audit looks at every question first")
    welcome: str = ""
    hot_words: dict[Literal["en", "zh"], list[str]] = Field(
        default_factory=dict, description="names and terms that people are likely to say, the weightiest first"
    )
    pacify: dict[Literal["en", "zh"], PacifySpec] = Field(default_factory=dict, description="empty: nothing soothes")
    hot_questions: dict[Literal["en", "zh"], list[str]] = Field(
        default_factory=dict, description="proposed to be asked; shown on the page"
    )

    @property
    def driven(self) -> bool:
        """Nobody here answers: a third party says what is said."""
        return self.app_type == THIRD_PARTY_DRIVEN


TalkMode = Literal["full_duplex", "half_duplex", "push_to_talk", "tap_to_talk"]
"""Who may speak when (``docs/turn-taking.md``)."""


class TurnTakingSpec(_Model):
    """How people and the digital human take turns. ``wake_words``: phrases of which one must be heard to wake it; none: any speech
    wakes it. ``echo``: whether its own voice is taken out of what the microphone brings; auto: where the client says that it
    does not do so itself."""

    mode: TalkMode = "full_duplex"
    wake_words: list[str] = Field(default_factory=list)
    echo: Literal["auto", "on", "loud", "off"] = "auto"


class IceServer(_Model):
    """A STUN or TURN server for the room's peers."""

    urls: list[str]
    username: str | None = None
    credential: str | None = Field(default=None, repr=False)


class JobSpec(_Model):
    """Everything a worker needs to run one job."""

    job_id: str
    project_id: str
    room_id: str
    request_id: str = ""
    rtc_room_id: str
    users: list[RtcUser]
    avatar_id: str = "default"
    avatar_file: str = Field(
        default="", description="path of an uploaded pack; empty: the installation's pack of that id"
    )
    voices: list[VoiceSpec] = Field(default_factory=lambda: [VoiceSpec()])
    video: VideoSpec = VideoSpec()
    background: BackgroundSpec = BackgroundSpec()
    layers: list[LayerSpec] = Field(
        default_factory=list, description="bottom to top; without a HUMAN it lies below all"
    )
    burned: SubtitleSpec | None = Field(default=None, description="burn subtitles into the picture")
    robot: RobotSpec = RobotSpec()
    turn_taking: TurnTakingSpec = TurnTakingSpec()
    language: Literal["en", "zh"] | None = Field(default=None, description="None: detect per turn")
    default_language: Literal["en", "zh"] = "zh"
    subtitles: bool = True
    semantic_actions: bool = Field(default=False, description="gestures chosen by what is said")
    sleep_after_s: float = Field(default=60.0, description="quiet seconds before the digital human falls asleep")
    sleep_warning_s: float = Field(default=10.0, description="length of FALLING_ASLEEP before that")
    exit_mute_threshold_s: float = Field(default=0.0, description="quiet seconds before the job ends; 0: never")
    exit_warning_s: float = Field(default=10.0, description="the client is warned this long before the end")
    ice_servers: list[IceServer] = Field(default_factory=list)
    record_audio: bool = Field(
        default=False, description="record both sides' sound into the settings' recordings folder"
    )


# --- requests to a running job -------------------------------------------------------------------


class Candidate(_Model):
    """One trickled ICE candidate; empty text ends them."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class OfferSignal(_Model):
    """An SDP offer of END_USER (SmallWebRTC) or PLAYER (WHEP). ``pc_id`` set: renegotiate that peer."""

    kind: Literal["offer"] = "offer"
    user: RtcUser
    sdp: str
    pc_id: str | None = None
    restart_pc: bool = False


class CandidatesSignal(_Model):
    """More candidates of a peer."""

    kind: Literal["candidates"] = "candidates"
    user: RtcUser
    pc_id: str
    candidates: list[Candidate]


class LeaveSignal(_Model):
    """A peer says good-bye."""

    kind: Literal["leave"] = "leave"
    user: RtcUser
    pc_id: str


Signal = Annotated[OfferSignal | CandidatesSignal | LeaveSignal, Field(discriminator="kind")]


class SignalReply(_Model):
    """``sdp`` is the answer, of an offer."""

    pc_id: str
    sdp: str | None = None


class DriveCommand(_Model):
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


class SessionCommand(_Model):
    """interrupt: stop speaking; wake / sleep; say: speak ``text``; ask: answer ``text`` as if it had been asked aloud;
    drive: see ``drive``."""

    kind: Literal["interrupt", "wake", "sleep", "say", "ask", "drive"]
    text: str = ""
    drive: DriveCommand | None = None


# --- what a running job tells ---------------------------------------------------------------------

FinishReason = Literal["NORMAL", "MUTE_TIMEOUT", "CANCELED", "FAILED"]


class HeldEvent(_Model):
    """A worker holds the job (WAITING -> PROCESSING)."""

    kind: Literal["held"] = "held"
    job_id: str
    worker: str


class HeartbeatEvent(_Model):
    """Sent every few seconds while the job runs. ``stats``: counters of the session (frames, late_frames, viewers...)."""

    kind: Literal["heartbeat"] = "heartbeat"
    job_id: str
    stats: dict[str, float] = Field(default_factory=dict)


class ChatStateEvent(_Model):
    """The chat state changed."""

    kind: Literal["chat_state"] = "chat_state"
    job_id: str
    chat_state: ChatState


class TurnEvent(_Model):
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


class ChatBegins(_Model):
    """START_CHAT of this id is to be told; the rest of that frame is the connection's."""

    command: Literal["START_CHAT"] = "START_CHAT"
    job_id: str
    chat_id: str


class DriveEvent(_Model):
    """Something that the third party who drives the job is told; of no use while it is not there."""

    kind: Literal["drive"] = "drive"
    job_id: str
    told: Annotated[ChatBegins | Notice, Field(discriminator="command")]


class FinishedEvent(_Model):
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
