"""Rooms: create, list, show, update, delete."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from visavis.contract.base import Answer, Request, ShortId
from visavis.contract.media_types import (
    BackgroundConfig,
    ChatResourceConfig,
    ChatSubtitleConfig,
    ChatVoiceConfig,
    HereLanguage,
    Layer,
    ReviewConfig,
    VideoConfig,
    VoiceConfig,
    check_layers,
)


class RoomSettings(Request):
    """What create and update share. On an update only the given fields change."""

    room_description: str | None = Field(None, max_length=1024)
    video_config: VideoConfig | None = None
    model_asset_id: ShortId | None = None
    voice_config: VoiceConfig | None = None
    voice_config_list: list[ChatVoiceConfig] | None = Field(None, max_length=32)
    robot_id: ShortId | None = None
    billing_mode: Literal["CONCURRENCY", "CLIENT", "CLIENT_TOKENS"] | None = None
    reuse_resource: bool | None = None
    concurrency: int | None = Field(None, ge=0, le=1024)
    client_nums: int | None = Field(None, ge=0, le=1024)
    default_language: HereLanguage | None = None
    background_config: BackgroundConfig | None = None
    layer_config: Annotated[list[Layer], AfterValidator(check_layers)] | None = Field(None, max_length=100)
    review_config: ReviewConfig | None = None
    chat_subtitle_config: ChatSubtitleConfig | None = None
    chat_video_type: Literal["COMPUTER", "MOBILE", "HUB"] | None = None
    exit_mute_threshold: int | None = Field(None, ge=0, le=1440, description="seconds; 0: never")
    enable_semantic_action: bool | None = None
    chat_resource_config: list[ChatResourceConfig] | None = Field(None, max_length=100)
    render_mode: Literal["server", "client"] | None = Field(
        None, description="ours: who draws the picture, unless the person wants it otherwise"
    )


class CreateRoom(RoomSettings):
    """Body of ``POST /v1/{project_id}/smart-chat-rooms``."""

    room_name: str = Field(min_length=1, max_length=256)


class UpdateRoom(RoomSettings):
    """Body of ``PUT /v1/{project_id}/smart-chat-rooms/{room_id}``."""

    room_name: str | None = Field(None, min_length=1, max_length=256)


ROOM_DEFAULTS = {
    "room_description": "",
    "model_asset_id": "default",
    "robot_id": "",
    "billing_mode": "CONCURRENCY",
    "reuse_resource": False,
    "concurrency": 0,
    "client_nums": 0,
    "default_language": "CN",
    "chat_video_type": "COMPUTER",
    "exit_mute_threshold": 0,
    "enable_semantic_action": False,
}
"""Published (or, where the publication is silent, chosen) values of what was not given."""


class RoomCreated(Answer):
    """Answer of create."""

    room_id: str


class RoomAnswer(RoomSettings):
    """Answer of show and update."""

    room_name: str
    room_id: str
    create_time: str
    update_time: str
    cover_url: str = ""
    is_pool_mode: bool = False


class ModelInfo(Answer):
    """The avatar of a listed room."""

    model_asset_id: str
    asset_name: str
    backup_model_asset_ids: list[str] = Field(default_factory=list)


class ListedVoice(ChatVoiceConfig):
    """A voice of a listed room."""

    language_desc: str = ""


class RoomListed(Answer):
    """One entry of a list."""

    room_id: str
    room_name: str
    room_description: str
    robot_id: str
    cover_url: str
    model_infos: ModelInfo
    voice_config: VoiceConfig | None
    billing_mode: str
    reuse_resource: bool
    concurrency: int
    client_nums: int
    voice_config_list: list[ListedVoice]
    default_language: str
    create_time: str
    update_time: str
    exit_mute_threshold: int


class RoomList(Answer):
    """Answer of list."""

    count: int
    count_concurrency: int
    count_client_nums: int
    count_client_nums_token: int
    smart_chat_rooms: list[RoomListed]
