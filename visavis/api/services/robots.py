"""The rules of robots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visavis.contract.base import rfc3339, spoken
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.robots import CONFIG_OF, THIRD_PARTY_MODEL, check_llm_url, config_shapes, robot_defaults
from visavis.store import records
from visavis.store import robots as store
from visavis.store.database import Database
from visavis.store.robots import Robot, Secrets
from visavis.store.rooms import Room

_COLUMNS = ("name", "app_type", "robot_type", "room_id")


def _split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Secrets]:
    """(columns, settings, secrets) of what was given."""
    columns = {name: given[name] for name in _COLUMNS if name in given}
    settings = {name: value for name, value in given.items() if name not in _COLUMNS}
    secrets: Secrets = {}
    for name, shape in config_shapes().items():
        if name in settings:
            config = settings[name]
            settings[name] = {key: value for key, value in config.items() if key not in shape.secrets}
            if hidden := {key: value for key, value in config.items() if key in shape.secrets}:
                secrets[name] = hidden
    return columns, settings, secrets


def _check_language(given: Mapping[str, Any]) -> None:
    if language := given.get("language"):
        try:
            spoken(language)
        except ValueError as error:
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"language: {error}") from None


def _check_model(robot: Robot) -> None:
    if robot.app_type == THIRD_PARTY_MODEL:
        check_llm_url(robot.config(CONFIG_OF[THIRD_PARTY_MODEL]).get("llm_url"))


def described(given: Mapping[str, Any], project_id: str, now: float, app_user: str = "") -> Robot:
    """The robot that the fields of a checked body describe; it is not stored.

    Raises:
        ApiError: its language is not spoken here.
    """
    _check_language(given)
    columns, settings, secrets = _split(given)
    return Robot(
        id=store.new_id(),
        project_id=project_id,
        name=columns.get("name", ""),
        app_type=columns["app_type"],
        robot_type=columns.get("robot_type", "CHAT"),
        room_id=columns.get("room_id", ""),
        settings=settings,
        created_at=now,
        updated_at=now,
        secrets=secrets,
        app_user_id=app_user,
    )


async def create(
    database: Database, project_id: str, given: Mapping[str, Any], now: float, app_user: str = ""
) -> Robot:
    """A new robot of the fields of a checked body. Raises ApiError: unknown room, unusable language model."""
    robot = described(given, project_id, now, app_user)
    _check_model(robot)
    try:
        await store.create(database, robot)
    except store.UnknownRoomError:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND) from None
    except records.TooManyRecordsError as error:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    return robot


async def get(database: Database, project_id: str, robot_id: str, app_user: str = "") -> Robot:
    """The robot; with ``app_user`` only that third-party user's. Raises ApiError: there is none."""
    robot = await store.get(database, project_id, robot_id)
    if robot is None or (app_user and robot.app_user_id != app_user):
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)
    return robot


async def of_job(database: Database, room: Room, robot_id: str, app_user: str) -> Robot | None:
    """Who answers in a job of that room: the robot of the call, else the room's, else the newest made for the room; None: the
    default assistant. ``app_user``: the third-party user that the job is for; empty: nobody in particular.

    Raises:
        ApiError: there is no such robot, or it is another third-party user's.
    """
    wanted = robot_id or room.robot_id
    if not wanted:
        # Not one that another third-party user has made for a room that is everybody's.
        return await store.of_room(database, room.project_id, room.id, {"", app_user, room.app_user_id})
    robot = await store.get(database, room.project_id, wanted)
    if robot is None or not may_use(app_user, robot.app_user_id):
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)
    return robot


def may_use(app_user: str, owner: str) -> bool:
    """Whether a job for that third-party user may use what is ``owner``'s (empty: nobody's in particular)."""
    return not app_user or owner in ("", app_user)


async def change(
    database: Database,
    project_id: str,
    robot_id: str,
    given: Mapping[str, Any],
    now: float,
    *,
    app_user: str = "",
    expected: int | None = None,
) -> Robot:
    """The robot with the given fields changed, nested ones one by one. A running job keeps what it was started with.

    Args:
        expected: the version that the change was made for.

    Raises:
        ApiError: as :func:`create`; there is no such robot; it has another version by now.
    """
    _check_language(given)
    columns, settings, secrets = _split(given)
    name = CONFIG_OF[THIRD_PARTY_MODEL]

    def check(new: Robot) -> None:
        if "app_type" in columns or name in settings:
            _check_model(new)

    try:
        robot = await store.update_robot(
            database,
            project_id,
            robot_id,
            columns,
            settings,
            secrets,
            now,
            app_user_id=app_user,
            expected=expected,
            check=check,
        )
    except store.UnknownRoomError:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND) from None
    except records.VersionConflictError:
        raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
    if robot is None:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)
    return robot


async def remove(
    database: Database, project_id: str, robot_ids: list[str], *, app_user: str = "", expected: int | None = None
) -> None:
    """Delete all of them with what hangs on them, or none. Raises ApiError: one is unknown, in use, or of another version."""
    try:
        missing = await store.remove(
            database, project_id, list(dict.fromkeys(robot_ids)), app_user_id=app_user, expected=expected
        )
    except store.RobotInUseError as error:
        raise ApiError(ErrorCode.ROBOT_IN_USE, str(error)) from None
    except records.VersionConflictError:
        raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
    if missing:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND, ", ".join(missing[:3]))


def answer(robot: Robot) -> dict[str, Any]:
    """The published answer: the fields of the nested object that belongs to the robot's app_type, laid flat."""
    name = CONFIG_OF.get(robot.app_type)
    config = robot.config(name) if name else {}
    whole = {**robot_defaults(), **robot.settings}
    return {
        "robot_id": robot.id,
        "name": robot.name,
        "room_id": robot.room_id,
        "app_id": config.get("app_id", ""),
        "app_type": robot.app_type,
        "app_key": config.get("app_key", ""),
        "robot_type": robot.robot_type,
        "language": whole.get("language", ""),
        "create_time": rfc3339(robot.created_at),
        "update_time": rfc3339(robot.updated_at),
        "region": config.get("region", 0),
        "cbs_project_id": config.get("cbs_project_id", ""),
        "llm_url": config.get("llm_url", ""),
        "is_stream": config.get("is_stream", whole["is_stream"]),
        "chat_rounds": config.get("chat_rounds", whole["chat_rounds"]),
        "is_ifly_production": config.get("is_production", False),
        "tail_silence_time": whole["tail_silence_time"],
        "role_id": config.get("role_id", ""),
        "sis_region": config.get("sis_region", 0),
        "sis_project_id": config.get("sis_project_id", ""),
        "enable_hot_words": config.get("enable_hot_words", False),
        "enable_question_audit": whole.get("enable_question_audit", False),
        "asr_type": config.get("asr_type", whole["asr_type"]),
        "asr_account": config.get("asr_account", ""),
    }
