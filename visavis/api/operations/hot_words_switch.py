"""Whether a robot uses hot words: the ``enable_hot_words`` that its configuration has, by another way."""

from __future__ import annotations

from typing import Any

from visavis.api.skeleton import Call, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.robots import CONFIG_OF
from visavis.store import robots
from visavis.store.robots import Robot

_FIELD = "enable_hot_words"


async def _robot(call: Call, robot_id: str) -> Robot:
    robot = await robots.get(call.context.database, call.project_id, robot_id)
    if robot is None:
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)
    return robot


@handles("show_hot_words_switch")
async def show(call: Call) -> dict[str, Any]:
    """Whether it is on."""
    robot = await _robot(call, call.query["robot_id"])
    place = CONFIG_OF.get(robot.app_type)
    return {_FIELD: bool((robot.config(place) if place else robot.settings).get(_FIELD, False))}


@handles("update_hot_words_switch")
async def update(call: Call) -> None:
    """Turn it on or off."""
    robot = await _robot(call, call.body["robot_id"])
    place, given = CONFIG_OF.get(robot.app_type), {_FIELD: call.body[_FIELD]}
    # A robot that others drive has no configuration of its own.
    settings: dict[str, Any] = {place: given} if place else given
    if not await robots.update_robot(call.context.database, call.project_id, robot.id, {}, settings, {}, call.now):
        raise ApiError(ErrorCode.ROBOT_NOT_FOUND)
