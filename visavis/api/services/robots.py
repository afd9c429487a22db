"""The rules of robots."""

from __future__ import annotations

from typing import Any

from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.robots import (
    CONFIG_OF,
    SECRET_FIELDS,
    THIRD_PARTY_MODEL,
    CreateRobot,
    RobotAnswer,
    RobotSettings,
    UpdateRobot,
    check_llm_url,
)
from visavis.store import robots as store
from visavis.store.database import Database
from visavis.store.robots import Robot, Secrets

_COLUMNS = ("name", "app_type", "robot_type", "room_id")


def _split(body: RobotSettings) -> tuple[dict[str, Any], dict[str, Any], Secrets]:
    """(columns, settings, secrets) of what was given; null counts as not given."""
    given = body.model_dump(exclude_none=True)
    columns = {name: given.pop(name) for name in _COLUMNS if name in given}
    secrets: Secrets = {}
    for name, config in given.items():
        if isinstance(config, dict):
            hidden = {key: config.pop(key) for key in SECRET_FIELDS & config.keys()}
            if hidden:
                secrets[name] = hidden
    return columns, given, secrets


def _check_model(app_type: int, config: dict[str, Any]) -> None:
    if app_type == THIRD_PARTY_MODEL:
        check_llm_url(config.get("llm_url"))


async def create(database: Database, project_id: str, body: CreateRobot, now: float) -> Robot:
    """A new robot. Raises ApiError: unknown room, unusable language model."""
    columns, settings, secrets = _split(body)
    _check_model(body.app_type, settings.get(CONFIG_OF[THIRD_PARTY_MODEL], {}))
    robot = Robot(
        id=store.new_id(),
        project_id=project_id,
        name=body.name,
        app_type=body.app_type,
        robot_type=columns.get("robot_type", "CHAT"),
        room_id=columns.get("room_id", ""),
        settings=settings,
        created_at=now,
        updated_at=now,
        secrets=secrets,
    )
    try:
        await store.create(database, robot)
    except store.UnknownRoomError:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND) from None
    return robot


async def get(database: Database, project_id: str, robot_id: str) -> Robot:
    """The robot. Raises ApiError: there is none."""
    robot = await store.get(database, project_id, robot_id)
    if robot is None:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)
    return robot


async def change(database: Database, project_id: str, robot_id: str, body: UpdateRobot, now: float) -> None:
    """Change the given fields, nested ones one by one. A running job keeps what it was started with."""
    columns, settings, secrets = _split(body)
    old = await get(database, project_id, robot_id)
    name = CONFIG_OF[THIRD_PARTY_MODEL]
    if "app_type" in columns or name in settings:
        _check_model(columns.get("app_type", old.app_type), {**old.config(name), **settings.get(name, {})})
    try:
        robot = await store.update_robot(database, project_id, robot_id, columns, settings, secrets, now)
    except store.UnknownRoomError:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND) from None
    if robot is None:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)


async def remove(database: Database, project_id: str, robot_ids: list[str]) -> None:
    """Delete all of them, or none. Raises ApiError: one is unknown or in use."""
    try:
        missing = await store.remove(database, project_id, list(dict.fromkeys(robot_ids)))
    except store.RobotInUseError as error:
        raise ApiError(ErrorCode.ROBOT_IN_USE, str(error)) from None
    if missing:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND, ", ".join(missing[:3]))


def answer(robot: Robot) -> RobotAnswer:
    """The published answer: the fields of the nested object that belongs to the robot's app_type, laid flat."""
    name = CONFIG_OF.get(robot.app_type)
    config = robot.config(name) if name else {}
    return RobotAnswer(
        robot_id=robot.id,
        name=robot.name,
        room_id=robot.room_id,
        app_id=config.get("app_id", ""),
        app_type=robot.app_type,
        app_key=config.get("app_key", ""),
        robot_type=robot.robot_type,
        language=robot.settings.get("language", ""),
        create_time=rfc3339(robot.created_at),
        update_time=rfc3339(robot.updated_at),
        region=config.get("region", 0),
        cbs_project_id=config.get("cbs_project_id", ""),
        llm_url=config.get("llm_url", ""),
        is_stream=config.get("is_stream", True),
        chat_rounds=config.get("chat_rounds", 5),
        is_ifly_production=config.get("is_production", False),
        tail_silence_time=robot.settings.get("tail_silence_time", 500),
        role_id=config.get("role_id", ""),
        sis_region=config.get("sis_region", 0),
        sis_project_id=config.get("sis_project_id", ""),
        enable_hot_words=config.get("enable_hot_words", False),
        enable_question_audit=robot.settings.get("enable_question_audit", False),
        asr_type=config.get("asr_type", "EI_SIS"),
        asr_account=config.get("asr_account", ""),
    )
