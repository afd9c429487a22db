"""Robots of app types 0, 1, 2 and 8: what of them a worker is told, and what is missing (docs/vendors.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.robots import AIUI, CBS, CONFIG_OF, MOBVOI, SPARK
from visavis.session.spec import VendorSpec
from visavis.settings import Settings
from visavis.store.robots import Robot


def vendor_spec(robot: Robot, settings: Settings) -> VendorSpec:
    """The robot's account with its vendor.

    Raises:
        ApiError: something is missing, which it names.
    """
    return _OF[robot.app_type](robot, settings)


def _aiui(robot: Robot, settings: Settings) -> VendorSpec:
    config = _complete(robot, "app_id", "app_key")
    return VendorSpec(
        kind="aiui",
        url=settings.aiui_url,
        app_id=config["app_id"],
        key=config["app_key"],
        production=config.get("is_production", False),
    )


def _cbs(robot: Robot, settings: Settings) -> VendorSpec:
    config = _complete(robot, "app_id", "cbs_project_id")
    if not settings.cbs_ak or not settings.cbs_sk:
        # The contract's robot has no credentials for CBS: the cloud acts by an agency, here the operator's key does.
        raise ApiError(
            ErrorCode.ROBOT_UNUSABLE, "app_type 1 (CBS): this server has no AK and SK for CBS (cbs_ak, cbs_sk)"
        )
    return VendorSpec(
        kind="cbs",
        url=settings.cbs_url,
        app_id=config["app_id"],
        project_id=config["cbs_project_id"],
        key=settings.cbs_ak,
        secret=settings.cbs_sk,
    )


def _spark(robot: Robot, settings: Settings) -> VendorSpec:
    config = _complete(robot, "app_id", "app_key", "api_secret")
    return VendorSpec(
        kind="spark",
        url=settings.spark_url,
        app_id=config["app_id"],
        key=config["app_key"],
        secret=config["api_secret"],
        model=settings.spark_model,
    )


def _mobvoi(robot: Robot, settings: Settings) -> VendorSpec:
    config = _complete(robot, "app_key", "app_secret", "role_id")
    return VendorSpec(
        kind="mobvoi",
        url=settings.mobvoi_url,
        app_id=config["role_id"],
        key=config["app_key"],
        secret=config["app_secret"],
    )


_OF: Final[Mapping[int, Callable[[Robot, Settings], VendorSpec]]] = {
    AIUI: _aiui,
    CBS: _cbs,
    SPARK: _spark,
    MOBVOI: _mobvoi,
}


def _complete(robot: Robot, *fields: str) -> Mapping[str, Any]:
    """The robot's nested object; all of these fields have a value. Raises ApiError: one has none."""
    name = CONFIG_OF[robot.app_type]
    config = robot.config(name)
    if missing := [f"{name}.{field}" for field in fields if not config.get(field)]:
        raise ApiError(ErrorCode.ROBOT_UNUSABLE, f"app_type {robot.app_type} needs {', '.join(missing)}")
    return config
