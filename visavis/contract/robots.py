"""Robots (dialogue applications): kinds, and what configures each. The fields themselves are the contract's data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from visavis.contract.base import is_web_url
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.loading import contract
from visavis.contract.model import Shape

AIUI, CBS, SPARK, THIRD_PARTY_DRIVEN, THIRD_PARTY_MODEL, ASSISTANT, MOBVOI = 0, 1, 2, 5, 6, 7, 8
"""``app_type``."""

CONFIG_OF = {
    AIUI: "iflytek_aiui_config",
    CBS: "huawei_ei_cbs",
    SPARK: "iflytek_spark",
    THIRD_PARTY_MODEL: "third_party_model_config",
    ASSISTANT: "wise_brain_config",
    MOBVOI: "mobvoi_config",
}
"""Which nested object configures an app_type (5 has none)."""

SHAPE = "CreateRobotReq"
"""The shape of a robot as requests have it."""


@cache
def config_shapes() -> Mapping[str, Shape]:
    """The shapes of the nested objects, by their fields' names. Their secrets are encrypted at rest."""
    fields, shapes = contract().shapes[SHAPE].fields, contract().shapes
    return {name: shapes[fields[name].type] for name in CONFIG_OF.values()}


@cache
def robot_defaults() -> Mapping[str, Any]:
    """What answers have for fields that were never given: of a robot, and of a third-party language model."""
    model = config_shapes()[CONFIG_OF[THIRD_PARTY_MODEL]]
    return {**contract().shapes[SHAPE].defaults, **model.defaults}


def check_llm_url(url: str | None) -> None:
    """Check the address of a third-party language model.

    Raises:
        ApiError: empty, or not an http(s) URL.
    """
    if not url:
        raise ApiError(ErrorCode.LLM_URL_EMPTY)
    if not is_web_url(url):
        raise ApiError(ErrorCode.LLM_URL_INVALID, "wanted http(s)://host[:port]/path")
