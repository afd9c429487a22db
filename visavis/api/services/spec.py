"""From a room and its robot to what a worker must know."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from visavis.api.services.local_model import is_local, local_model
from visavis.api.services.vendor_accounts import vendor_spec
from visavis.contract.base import SpokenLanguage, spoken
from visavis.contract.media_types import CANVASES, DEFAULT_SIZE, DEFAULT_VOICE, crop_canvas, parse_color
from visavis.contract.robots import ASSISTANT, CONFIG_OF, THIRD_PARTY_DRIVEN, THIRD_PARTY_MODEL, check_llm_url
from visavis.session.spec import (
    BackgroundSpec,
    LlmSpec,
    RobotSpec,
    SubtitleSpec,
    TextStyleSpec,
    TurnTakingSpec,
    VideoSpec,
    VoiceSpec,
)
from visavis.settings import Settings
from visavis.store.robots import Robot
from visavis.store.rooms import Room

_DEFAULT_TAIL_SILENCE_MS = 500
_DEFAULT_CHAT_ROUNDS = 5
_MIN_KBPS, _MAX_KBPS = 300, 8000
_KBPS = {False: 2500, True: 4500}
_FOUR_K_KBPS = 12000
_WIDEST_SIDE_BY_SIDE = 2048
"""Twice as wide: decoders in hardware end at 4096."""


def voices(room: Room) -> list[dict[str, Any]]:
    """The room's voices as ``voice_config_list`` shows them: the list, else the single one, else the default."""
    listed: list[dict[str, Any]] = room.settings.get("voice_config_list") or []
    if listed:
        return listed
    language = room.settings.get("default_language", "CN")
    single = room.settings.get("voice_config") or {"voice_asset_id": DEFAULT_VOICE}
    return [
        {"speed": 100, "pitch": 100, "volume": 140, "provider": "HUAWEI_EI", **single, "language": language},
    ]


def voice_specs(room: Room) -> list[VoiceSpec]:
    """The same for a worker. A single voice that was not given by language serves every language it speaks."""
    bound = bool(room.settings.get("voice_config_list"))
    return [
        VoiceSpec(
            voice_id=voice["voice_asset_id"],
            language=spoken(voice["language"]) if bound else None,
            speed=voice["speed"],
            pitch=voice["pitch"],
            volume=voice["volume"],
        )
        for voice in voices(room)
    ]


def transparent(room: Room) -> bool:
    """Whether the room asks for a transparent background.

    Rooms have no published field for it. Two ways lead here: ``background_type`` TRANSPARENT (our extension), and the codec
    QTRLE, which produced videos use for nothing but transparency.
    """
    background = room.settings.get("background_config") or {}
    return (
        background.get("background_type") == "TRANSPARENT"
        or (room.settings.get("video_config") or {}).get("codec") == "QTRLE"
    )


def video_spec(room: Room, side_by_side: bool = False) -> VideoSpec:
    """The room's picture; 25 fps, whatever frame rate was asked for.

    ``side_by_side``: a transparent picture is sent with its alpha beside it, not before a key colour.
    """
    config = room.settings.get("video_config") or {}
    width, height = config.get("width") or DEFAULT_SIZE[0], config.get("height") or DEFAULT_SIZE[1]
    pixels = width * height
    usual = _FOUR_K_KBPS if pixels > 1920 * 1080 else _KBPS[pixels > 1280 * 720]
    bitrate = min(max(config.get("bitrate") or usual, _MIN_KBPS), max(_MAX_KBPS, usual))
    side = side_by_side and width <= _WIDEST_SIDE_BY_SIDE
    crop = config.get("clip_mode") == "CROP"
    return VideoSpec(
        width=width,
        height=height,
        clip_mode="CROP" if crop else "RESIZE",
        dx=(config.get("dx") or 0) if crop else 0,
        dy=(config.get("dy") or 0) if crop else 0,
        bitrate_kbps=bitrate,
        transparency="none" if not transparent(room) else "side" if side else "key",
    )


def canvas(video: VideoSpec) -> tuple[int, int]:
    """What layers and subtitles are measured on: (1080, 1920) or (1920, 1080)."""
    if video.clip_mode == "CROP" and (found := crop_canvas(video.width, video.height, video.dx, video.dy)):
        return found
    return CANVASES[1] if video.width > video.height else CANVASES[0]


def subtitle_spec(room: Room) -> SubtitleSpec | None:
    """Subtitles to be burnt in: where the room's video_config has both is_subtitle_enable and subtitle_config.

    ``chat_subtitle_config`` is for clients that draw subtitles themselves.
    """
    video = room.settings.get("video_config") or {}
    config = video.get("subtitle_config")
    if not video.get("is_subtitle_enable") or config is None:
        return None
    width, height = canvas(video_spec(room))
    size = config.get("font_size") or 48
    # As published: the box is 80 % as wide as the canvas unless told, and (dx, dy) is its lower left corner.
    box_width, box_height = config.get("w") or round(0.8 * width), config.get("h") or round(3.9 * size)
    x, bottom = config.get("dx"), config.get("dy")
    stroke = config.get("stroke_thickness")
    return SubtitleSpec(
        x=(width - box_width) / 2 if x is None else x,
        bottom=round(0.94 * height) if bottom is None else bottom,
        width=max(1, box_width),
        height=max(1, box_height),
        style=TextStyleSpec(
            font=config.get("font_name") or None,
            size=size,
            color=parse_color(config.get("font_color") or "#FFFFFF"),
            stroke_color=parse_color(config.get("stroke_color") or "#000000"),
            stroke=3 if stroke is None else stroke,
            opacity=1 if config.get("opacity") is None else config["opacity"],
        ),
    )


def background_spec(room: Room, picture: str | None) -> BackgroundSpec:
    """``picture``: path of the fetched background, where the room has one."""
    config = room.settings.get("background_config")
    if not config or config["background_type"] == "TRANSPARENT":
        return BackgroundSpec()
    if config["background_type"] == "IMAGE":
        return BackgroundSpec(kind="IMAGE", image=picture, rect=_background_rect(room, config))
    return BackgroundSpec(kind="COLOR", color=parse_color(config["background_color_config"]))


def _background_rect(room: Room, config: dict[str, Any]) -> tuple[int, int, int, int] | None:
    """Where the picture lies. None: it covers the stage, also where what was told does not."""
    box = config.get("background_image_config") or {}
    width, height = box.get("width"), box.get("height")
    if not width or not height:
        return None
    x, y = box.get("dx", 0), box.get("dy", 0)
    across, down = canvas(video_spec(room))
    return (x, y, width, height) if x + width >= across and y + height >= down else None


def robot_spec(robot: Robot | None, settings: Settings, *, extend_param: str = "", app_user: str = "") -> RobotSpec:
    """The robot for a worker; None: the assistant that answers from the shipped knowledge.

    ``extend_param``, ``app_user``: of the job's start, for a third-party language model.

    Raises:
        ApiError: the robot needs a vendor's service, and something is missing for it.
    """
    if robot is None:
        return RobotSpec(app_type=ASSISTANT, tail_silence_ms=_DEFAULT_TAIL_SILENCE_MS)
    ours = robot.app_type in (THIRD_PARTY_DRIVEN, THIRD_PARTY_MODEL, ASSISTANT)
    return RobotSpec(
        robot_id=robot.id,
        name=robot.name,
        app_type=robot.app_type,
        tail_silence_ms=robot.settings.get("tail_silence_time", _DEFAULT_TAIL_SILENCE_MS),
        llm=_llm(robot, settings, extend_param, app_user) if robot.app_type == THIRD_PARTY_MODEL else None,
        vendor=None if ours else vendor_spec(robot, settings),
        audited=robot.settings.get("enable_question_audit", False),
    )


def role_id(robot: Robot | None) -> str:
    """The role that an interaction assistant plays; empty: none."""
    if robot is None or robot.app_type != ASSISTANT:
        return ""
    return str(robot.config(CONFIG_OF[ASSISTANT]).get("role_id") or "")


def _llm(robot: Robot, settings: Settings, extend_param: str, app_user: str) -> LlmSpec:
    config = robot.config(CONFIG_OF[THIRD_PARTY_MODEL])
    url = config.get("llm_url", "")
    check_llm_url(url)
    if is_local(url):
        return local_model(settings, config.get("chat_rounds", _DEFAULT_CHAT_ROUNDS))
    # An OpenAI-compatible endpoint is told by its address; everything else speaks the published callback.
    path = urlsplit(url).path.rstrip("/")
    openai = path.endswith(("/v1", "/chat/completions"))
    app_id, app_key = config.get("app_id", ""), config.get("app_key", "")
    return LlmSpec(
        protocol="openai" if openai else "metastudio",
        url=url,
        model=app_id if openai else "",
        api_key=app_key,
        app_id=app_id,
        stream=config.get("is_stream", True),
        chat_rounds=config.get("chat_rounds", _DEFAULT_CHAT_ROUNDS),
        extend_param=extend_param,
        user=app_user,
    )


def turn_taking(room: Room) -> TurnTakingSpec:
    """Who may speak when, what wakes, and the echo: extensions of the room's settings."""
    settings = room.settings
    return TurnTakingSpec(
        mode=settings.get("talk_mode") or "full_duplex",
        wake_words=settings.get("wake_words") or [],
        echo=settings.get("echo_cancellation") or "auto",
    )


def fixed_language(robot: Robot | None) -> SpokenLanguage | None:
    """The language that the robot insists on; None: detected at every turn."""
    language = robot.settings.get("language") if robot else None
    return spoken(language) if language else None
