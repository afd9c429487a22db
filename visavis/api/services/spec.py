"""From a room and its robot to what a worker must know."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from visavis.contract.base import SpokenLanguage, spoken
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.media_types import DEFAULT_SIZE, DEFAULT_VOICE, parse_color
from visavis.contract.robots import ASSISTANT, CONFIG_OF, THIRD_PARTY_MODEL, check_llm_url
from visavis.session.spec import BackgroundSpec, LlmSpec, RobotSpec, VideoSpec, VoiceSpec
from visavis.store.robots import Robot
from visavis.store.rooms import Room

_DEFAULT_TAIL_SILENCE_MS = 500
_DEFAULT_CHAT_ROUNDS = 5
_MIN_KBPS, _MAX_KBPS = 300, 8000
_KBPS = {False: 2500, True: 4500}


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


def video_spec(room: Room) -> VideoSpec:
    """The room's picture; 25 fps, whatever frame rate was asked for."""
    config = room.settings.get("video_config") or {}
    width, height = config.get("width") or DEFAULT_SIZE[0], config.get("height") or DEFAULT_SIZE[1]
    bitrate = config.get("bitrate") or _KBPS[width * height > 1280 * 720]
    crop = config.get("clip_mode") == "CROP"
    return VideoSpec(
        width=width,
        height=height,
        clip_mode="CROP" if crop else "RESIZE",
        dx=(config.get("dx") or 0) if crop else 0,
        dy=(config.get("dy") or 0) if crop else 0,
        bitrate_kbps=min(max(bitrate, _MIN_KBPS), _MAX_KBPS),
    )


def background_spec(room: Room, picture: str | None) -> BackgroundSpec:
    """``picture``: path of the fetched background, where the room has one."""
    config = room.settings.get("background_config")
    if not config:
        return BackgroundSpec()
    if config["background_type"] == "IMAGE":
        return BackgroundSpec(kind="IMAGE", image=picture)
    return BackgroundSpec(kind="COLOR", color=parse_color(config["background_color_config"]))


def robot_spec(robot: Robot | None) -> RobotSpec:
    """The robot for a worker; None: the assistant that answers from the shipped knowledge.

    Raises:
        ApiError: the robot needs a vendor's service that is not served here.
    """
    if robot is None:
        return RobotSpec(app_type=ASSISTANT, tail_silence_ms=_DEFAULT_TAIL_SILENCE_MS)
    if robot.app_type not in (THIRD_PARTY_MODEL, ASSISTANT):
        raise ApiError(
            ErrorCode.ROBOT_UNUSABLE, f"app_type {robot.app_type} is stored, but cannot hold a dialogue here"
        )
    return RobotSpec(
        robot_id=robot.id,
        name=robot.name,
        app_type=robot.app_type,
        tail_silence_ms=robot.settings.get("tail_silence_time", _DEFAULT_TAIL_SILENCE_MS),
        llm=_llm(robot) if robot.app_type == THIRD_PARTY_MODEL else None,
    )


def _llm(robot: Robot) -> LlmSpec:
    config = robot.config(CONFIG_OF[THIRD_PARTY_MODEL])
    url = config.get("llm_url", "")
    check_llm_url(url)
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
    )


def fixed_language(robot: Robot | None) -> SpokenLanguage | None:
    """The language that the robot insists on; None: detected at every turn."""
    language = robot.settings.get("language") if robot else None
    return spoken(language) if language else None
