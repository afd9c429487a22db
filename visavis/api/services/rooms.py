"""The rules of rooms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visavis.api.catalogue import Catalogue, four_k, has_avatar, has_voice
from visavis.api.services import activation
from visavis.api.services.assets import catalogue_of, require
from visavis.contract import rooms as views
from visavis.contract.base import rfc3339
from visavis.contract.checking import filled_inside
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.media_types import FOUR_K, language_desc
from visavis.contract.rooms import RoomView, room_defaults
from visavis.session import waking
from visavis.store import records
from visavis.store import rooms as store
from visavis.store.database import Database
from visavis.store.records import Filter, Transaction
from visavis.store.rooms import Room

_COLUMNS = {"room_name": "name", "robot_id": "robot_id", "concurrency": "concurrency"}


def _split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(columns, settings) of what was given."""
    columns = {column: given[name] for name, column in _COLUMNS.items() if name in given}
    return columns, {name: value for name, value in given.items() if name not in _COLUMNS}


def _check_assets(room: RoomView, catalogue: Catalogue) -> None:
    if room.model_asset_id is not None and not has_avatar(catalogue, room.model_asset_id):
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"model_asset_id: no avatar {room.model_asset_id!r} here")
    voices = [voice.voice_asset_id for voice in room.voice_config_list]
    if room.voice_config:
        voices.append(room.voice_config.voice_asset_id)
    for voice_id in voices:
        if not has_voice(catalogue, voice_id):
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"voice_asset_id: no voice {voice_id!r} here")


def check_size(settings: Mapping[str, Any], catalogue: Catalogue) -> None:
    """ApiError: the room's picture is 4K, and its avatar is not made for that."""
    video, avatar_id = settings.get("video_config") or {}, settings.get("model_asset_id") or ""
    size = video.get("width"), video.get("height")
    if size in FOUR_K and video.get("clip_mode") != "CROP" and not four_k(catalogue, avatar_id):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER, f"video_config: the avatar {avatar_id or 'default'!r} does not support 4K"
        )


def _check_wake_words(given: Mapping[str, Any]) -> None:
    """ApiError: one would be heard in all that is said."""
    for phrase in given.get("wake_words") or []:
        try:
            waking.check(phrase)
        except waking.PhraseTooShort as error:
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"wake_words: {error}") from None


async def _check_uploads(database: Database, project_id: str, room: RoomView) -> None:
    """ApiError: the background or a layer names an asset that the project cannot use."""
    background = room.background_config
    if background and background.background_type == "IMAGE" and not background.background_config:
        asset_id = background.background_asset_id or ""
        await require(database, project_id, asset_id, "IMAGE", "background_config.background_asset_id")
    for index, layer in enumerate(room.layer_config):
        if layer.layer_type in ("IMAGE", "VIDEO") and layer.asset_id and not layer.url:
            await require(database, project_id, layer.asset_id, layer.layer_type, f"layer_config.{index}.asset_id")


async def create(
    database: Database, catalogue: Catalogue, project_id: str, given: Mapping[str, Any], now: float, app_user: str = ""
) -> Room:
    """A new room of the fields of a checked body. Raises ApiError: unknown avatar, voice or robot; they do not fit."""
    room = views.view(given)
    catalogue = await catalogue_of(database, catalogue, project_id, [room.model_asset_id or ""])
    _check_assets(room, catalogue)
    _check_wake_words(given)
    await _check_uploads(database, project_id, room)
    columns, settings = _split(given)
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
            app_user,
        )
    except store.UnknownRobotError:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND) from None
    except records.TooManyRecordsError as error:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None


async def get(database: Database, project_id: str, room_id: str, app_user: str = "") -> Room:
    """The room; with ``app_user`` only that third-party user's. Raises ApiError: there is none."""
    room = await store.get(database, project_id, room_id)
    if room is None or (app_user and room.app_user_id != app_user):
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)
    return room


async def change(
    database: Database,
    catalogue: Catalogue,
    project_id: str,
    room_id: str,
    given: Mapping[str, Any],
    now: float,
    *,
    app_user: str = "",
    expected: int | None = None,
) -> Room:
    """The room with the given fields changed; what they nest is replaced. A running job keeps what it was started with.

    Args:
        expected: the version that the change was made for.

    Raises:
        ApiError: as :func:`create`; there is no such room; it has another version by now.
    """
    room = views.view(given)
    stored = await get(database, project_id, room_id, app_user)
    avatars = [room.model_asset_id or "", stored.settings.get("model_asset_id") or ""]
    catalogue = await catalogue_of(database, catalogue, project_id, avatars)
    _check_assets(room, catalogue)
    _check_wake_words(given)
    await _check_uploads(database, project_id, room)
    columns, settings = _split(filled_inside(views.SHAPE, given))

    def check(new: Room) -> None:
        if "video_config" in settings or "model_asset_id" in settings:
            check_size(new.settings, catalogue)

    try:
        changed = await store.update_room(
            database,
            project_id,
            room_id,
            columns,
            settings,
            now,
            app_user_id=app_user,
            expected=expected,
            check=check,
        )
    except store.UnknownRobotError:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND) from None
    except records.VersionConflictError:
        raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
    if changed is None:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)
    return changed


async def remove(
    database: Database, project_id: str, room_id: str, *, app_user: str = "", expected: int | None = None
) -> None:
    """Delete the room with the codes that open it. Raises ApiError: there is none, a job runs in it, another version."""

    async def codes(steps: Transaction) -> None:
        _, there = await steps.listing(project_id, activation.KIND, Filter(fields={"room_id": room_id}), limit=None)
        ids = [code.id for code in there]
        await steps.remove(project_id, activation.KIND, ids, children=(activation.HASH, activation.DEVICE))

    try:
        removed = await store.remove(
            database, project_id, room_id, app_user_id=app_user, expected=expected, along=codes
        )
    except store.RoomBusyError:
        raise ApiError(ErrorCode.ROOM_JOB_EXISTS) from None
    except records.VersionConflictError:
        raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
    if not removed:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)


def answer(room: Room) -> dict[str, Any]:
    """The room as show and update answer it: what was accepted, and the defaults of the rest."""
    return {
        **room_defaults(),
        **room.settings,
        "room_id": room.id,
        "room_name": room.name,
        "robot_id": room.robot_id,
        "concurrency": room.concurrency,
        "create_time": rfc3339(room.created_at),
        "update_time": rfc3339(room.updated_at),
        "cover_url": "",
        "is_pool_mode": False,
    }


_LISTED = (
    "room_id", "room_name", "room_description", "robot_id", "cover_url", "billing_mode", "reuse_resource", "concurrency",
    "client_nums", "default_language", "create_time", "update_time", "exit_mute_threshold",
)  # fmt: skip


def listed(room: Room, avatar_names: Mapping[str, str]) -> dict[str, Any]:
    """One entry of a list. ``avatar_names``: of the catalogue, by id."""
    whole = answer(room)
    avatar_id = whole["model_asset_id"]
    single = {"voice_config": whole["voice_config"]} if "voice_config" in whole else {}
    return {
        **{name: whole[name] for name in _LISTED},
        **single,
        "model_infos": {
            "model_asset_id": avatar_id,
            "asset_name": avatar_names.get(avatar_id, avatar_id),
            "backup_model_asset_ids": [],
        },
        "voice_config_list": [
            {**voice, "language_desc": language_desc(voice["language"])}
            for voice in whole.get("voice_config_list") or []
        ],
    }
