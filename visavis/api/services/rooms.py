"""The rules of rooms."""

from __future__ import annotations

from typing import Any

from visavis.api.catalogue import Catalogue, four_k, has_avatar, has_voice
from visavis.api.services.assets import require
from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.media_types import FOUR_K, language_desc
from visavis.contract.rooms import (
    ROOM_DEFAULTS,
    CreateRoom,
    ListedVoice,
    ModelInfo,
    RoomAnswer,
    RoomListed,
    RoomSettings,
    UpdateRoom,
)
from visavis.store import rooms as store
from visavis.store.database import Database
from visavis.store.rooms import Room

_COLUMNS = {"room_name": "name", "robot_id": "robot_id", "concurrency": "concurrency"}


def _split(body: RoomSettings) -> tuple[dict[str, Any], dict[str, Any]]:
    """(columns, settings) of what was given; null counts as not given."""
    given = body.model_dump(exclude_none=True)
    columns = {column: given.pop(name) for name, column in _COLUMNS.items() if name in given}
    return columns, given


def _check_assets(body: RoomSettings, catalogue: Catalogue) -> None:
    if body.model_asset_id is not None and not has_avatar(catalogue, body.model_asset_id):
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"model_asset_id: no avatar {body.model_asset_id!r} here")
    voices = [voice.voice_asset_id for voice in body.voice_config_list or []]
    if body.voice_config:
        voices.append(body.voice_config.voice_asset_id)
    for voice_id in voices:
        if not has_voice(catalogue, voice_id):
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"voice_asset_id: no voice {voice_id!r} here")


def check_size(settings: dict[str, Any], catalogue: Catalogue) -> None:
    """ApiError: the room's picture is 4K, and its avatar is not made for that."""
    video, avatar_id = settings.get("video_config") or {}, settings.get("model_asset_id") or ""
    size = video.get("width"), video.get("height")
    if size in FOUR_K and video.get("clip_mode") != "CROP" and not four_k(catalogue, avatar_id):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER, f"video_config: the avatar {avatar_id or 'default'!r} does not support 4K"
        )


async def _check_uploads(database: Database, project_id: str, body: RoomSettings) -> None:
    """ApiError: the background or a layer names an asset that the project cannot use."""
    background = body.background_config
    if background and background.background_type == "IMAGE" and not background.background_config:
        asset_id = background.background_asset_id or ""
        await require(database, project_id, asset_id, "IMAGE", "background_config.background_asset_id")
    for index, layer in enumerate(body.layer_config or []):
        if layer.layer_type in ("IMAGE", "VIDEO") and layer.asset_id and not layer.url:
            await require(database, project_id, layer.asset_id, layer.layer_type, f"layer_config.{index}.asset_id")


async def create(database: Database, catalogue: Catalogue, project_id: str, body: CreateRoom, now: float) -> Room:
    """A new room. Raises ApiError: unknown avatar, voice or robot."""
    _check_assets(body, catalogue)
    await _check_uploads(database, project_id, body)
    columns, settings = _split(body)
    check_size(settings, catalogue)
    try:
        return await store.create(
            database,
            project_id,
            columns["name"],
            columns.get("robot_id", ""),
            columns.get("concurrency", 0),
            settings,
            now,
        )
    except store.UnknownRobotError:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND) from None


async def get(database: Database, project_id: str, room_id: str) -> Room:
    """The room. Raises ApiError: there is none."""
    room = await store.get(database, project_id, room_id)
    if room is None:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)
    return room


async def change(
    database: Database, catalogue: Catalogue, project_id: str, room_id: str, body: UpdateRoom, now: float
) -> Room:
    """The room with the given fields changed. A running job keeps what it was started with."""
    _check_assets(body, catalogue)
    await _check_uploads(database, project_id, body)
    columns, settings = _split(body)
    if "video_config" in settings or "model_asset_id" in settings:
        check_size({**(await get(database, project_id, room_id)).settings, **settings}, catalogue)
    try:
        room = await store.update_room(database, project_id, room_id, columns, settings, now)
    except store.UnknownRobotError:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND) from None
    if room is None:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)
    return room


async def remove(database: Database, project_id: str, room_id: str) -> None:
    """Delete the room. Raises ApiError: there is none, or a job runs in it."""
    try:
        removed = await store.remove(database, project_id, room_id)
    except store.RoomBusyError:
        raise ApiError(ErrorCode.ROOM_JOB_EXISTS) from None
    if not removed:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)


def _fields(room: Room) -> dict[str, Any]:
    columns = {"room_name": room.name, "robot_id": room.robot_id, "concurrency": room.concurrency}
    times = {"create_time": rfc3339(room.created_at), "update_time": rfc3339(room.updated_at)}
    return {**ROOM_DEFAULTS, **room.settings, **columns, **times, "room_id": room.id}


def answer(room: Room) -> RoomAnswer:
    """The answer of show and update: what was accepted, and the defaults of the rest."""
    return RoomAnswer.model_validate(_fields(room))


def listed(room: Room, catalogue: Catalogue) -> RoomListed:
    """One entry of a list."""
    fields = _fields(room)
    avatar_id = fields["model_asset_id"]
    names = {avatar.id: avatar.name for avatar in catalogue.avatars()}
    return RoomListed(
        model_infos=ModelInfo(model_asset_id=avatar_id, asset_name=names.get(avatar_id, avatar_id)),
        voice_config=fields.get("voice_config"),
        voice_config_list=[
            ListedVoice(**voice, language_desc=language_desc(voice["language"]))
            for voice in fields.get("voice_config_list") or []
        ],
        cover_url="",
        **{
            name: fields[name]
            for name in (
                "room_id",
                "room_name",
                "room_description",
                "robot_id",
                "billing_mode",
                "reuse_resource",
                "concurrency",
                "client_nums",
                "default_language",
                "create_time",
                "update_time",
                "exit_mute_threshold",
            )
        },
    )
