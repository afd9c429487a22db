"""What a worker must know to run a job. Plain JSON: it crosses process borders."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from visavis.contract.robots import THIRD_PARTY_DRIVEN


class ChatState(IntEnum):
    """The published ``chat_state``."""

    WAITING_LINK = 0
    CLOSING = 1
    LINKED = 2
    ASLEEP = 3
    FALLING_ASLEEP = 4


class Plain(BaseModel):
    """Crosses process borders: JSON, without anything that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RtcUser(Plain):
    """One user of the RTC room; what each type does is in the published table."""

    user_type: Literal["CAPTURE", "ANIMATION", "RENDER", "PLAYER", "INFERENCE_USER", "END_USER"]
    user_id: str


class VoiceSpec(Plain):
    """One entry of the room's voice list. ``language`` None: any language the voice speaks. ``lexicon``: path of a file that the
    worker can read, with the words that it reads in another way (``visavis.speech.lexicon``); empty: none."""

    voice_id: str = "default"
    language: Literal["en", "zh"] | None = None
    speed: int = 100
    pitch: int = 100
    volume: int = 140
    lexicon: str = ""


class VideoSpec(Plain):
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


class BackgroundSpec(Plain):
    """GRADIENT (the default, when the room says nothing): soft light around ``color``; COLOR: #RRGGBB, flat; IMAGE: ``image``,
    the path of a picture file that the worker can read. ``rect``: where the picture lies (x, y, width, height, canvas pixels);
    None: it covers the stage."""

    kind: Literal["GRADIENT", "COLOR", "IMAGE"] = "GRADIENT"
    color: str = "#D9E1E8"
    image: str | None = None
    rect: tuple[int, int, int, int] | None = None


class TextStyleSpec(Plain):
    """How letters look. Sizes in canvas pixels, colours #RRGGBB."""

    font: str | None = None
    size: float = 48
    color: str = "#FFFFFF"
    stroke_color: str = "#000000"
    stroke: float = 0
    opacity: float = 1


class LayerSpec(Plain):
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


class SubtitleSpec(Plain):
    """Subtitles burnt into the picture; canvas pixels. ``x``, ``bottom``: the box's lower left corner."""

    x: float
    bottom: float
    width: float
    height: float
    style: TextStyleSpec = TextStyleSpec(stroke=3)


class LlmSpec(Plain):
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


class VendorSpec(Plain):
    """An account with another vendor's service (app_type 0, 1, 2, 8); the fields of ``visavis.dialogue.vendors.types.Account``."""

    kind: Literal["aiui", "cbs", "spark", "mobvoi"]
    url: str
    app_id: str
    key: str = Field(default="", repr=False)
    secret: str = Field(default="", repr=False)
    project_id: str = ""
    production: bool = False
    model: str = ""


class PacifySpec(Plain):
    """What soothes who waits for an answer in one language: ``general`` phrases, and those of an intent
    (the entry of the knowledge that the question is about, by its id, or "chat": none)."""

    trigger_ms: int = Field(default=3000, description="after so long without an answer")
    general: list[str] = Field(default_factory=list)
    by_intent: dict[str, list[str]] = Field(default_factory=dict)


class LibrarySpec(Plain):
    """A knowledge library as a file that the worker can read. ``name``: what a person calls it. ``least``: likeness from which
    something is recalled, 0..1; ``count``: how much of it at most."""

    file: str
    name: str = ""
    least: float = 0.0
    count: int = 5


class PluginSpec(Plain):
    """A service that the role may ask, with the project's own key."""

    kind: Literal["WEATHER_QUERY", "WEB_SEARCH"]
    provider: str
    api_key: str = Field(default="", repr=False)


class McpServerSpec(Plain):
    """Tools of the role: an http(s) address, or "stdio:NAME" of one that the settings name. ``headers``: credentials."""

    name: str
    url: str
    headers: dict[str, str] = Field(default_factory=dict, repr=False)


class SlotSpec(Plain):
    """A part of an instruction that the speaker fills. ``values``: by language, each value with the words that mean it;
    a language without values takes any words."""

    name: str
    description: str = ""
    values: dict[Literal["en", "zh"], dict[str, list[str]]] = Field(default_factory=dict)


class InstructionSpec(Plain):
    """Something that the role can be told to do: wordings, a line each, with slots as {name}; what it replies, by language."""

    name: str
    instruction: str
    description: str = ""
    slots: list[SlotSpec] = Field(default_factory=list)
    replies: dict[Literal["en", "zh"], str] = Field(default_factory=dict)


class RoleSpec(Plain):
    """Who an interaction assistant (app_type 7) is. ``llm`` None: it thinks with no model, and says what is stored."""

    prompts: dict[Literal["en", "zh"], str] = Field(default_factory=dict)
    llm: LlmSpec | None = None
    libraries: dict[Literal["en", "zh"], list[LibrarySpec]] = Field(default_factory=dict)
    plugins: list[PluginSpec] = Field(default_factory=list)
    mcp_servers: list[McpServerSpec] = Field(default_factory=list)
    instructions: list[InstructionSpec] = Field(default_factory=list)


class RobotSpec(Plain):
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


class TurnTakingSpec(Plain):
    """How people and the digital human take turns. ``wake_words``: phrases of which one must be heard to wake it; none: any speech
    wakes it. ``echo``: whether its own voice is taken out of what the microphone brings; auto: where the client says that it
    does not do so itself."""

    mode: TalkMode = "full_duplex"
    wake_words: list[str] = Field(default_factory=list)
    echo: Literal["auto", "on", "loud", "off"] = "auto"


class IceServer(Plain):
    """A STUN or TURN server for the room's peers."""

    urls: list[str]
    username: str | None = None
    credential: str | None = Field(default=None, repr=False)


class JobSpec(Plain):
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
