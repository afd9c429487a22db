"""Robots (dialogue applications): create, list, show, update, delete."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from visavis.contract.base import Answer, Request, ShortId, is_web_url
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.media_types import HereLanguage

AIUI, CBS, SPARK, THIRD_PARTY_DRIVEN, THIRD_PARTY_MODEL, ASSISTANT, MOBVOI = 0, 1, 2, 5, 6, 7, 8

APP_TYPES = (AIUI, CBS, SPARK, THIRD_PARTY_DRIVEN, THIRD_PARTY_MODEL, ASSISTANT, MOBVOI)

Secret = Annotated[str, Field(max_length=512)]
Region = Annotated[int, Field(ge=0, le=32)]
RobotType = Literal["LIVE", "CHAT"]


def _known_app_type(value: int) -> int:
    if value not in APP_TYPES:
        raise ValueError(f"{value} is none of {', '.join(map(str, APP_TYPES))}")
    return value


AppType = Annotated[int, Field(ge=0, le=32), AfterValidator(_known_app_type)]


class _Recognition(Request):
    sis_region: Region | None = None
    sis_project_id: ShortId | None = None
    enable_hot_words: bool | None = None


class CbsConfig(_Recognition):
    """app_type 1."""

    app_id: str | None = Field(None, max_length=256)
    region: Region | None = None
    cbs_project_id: ShortId | None = None


class IflytekConfig(Request):
    """app_type 0 (AIUI) and 2 (Spark)."""

    app_id: str | None = Field(None, max_length=256)
    app_key: Secret | None = Field(default=None, repr=False)
    api_secret: Secret | None = Field(default=None, repr=False)
    is_production: bool | None = None


class ThirdPartyModelConfig(_Recognition):
    """app_type 6."""

    app_id: str | None = Field(None, max_length=256)
    app_key: Secret | None = Field(default=None, repr=False)
    llm_url: str | None = Field(None, max_length=2048)
    is_stream: bool | None = None
    chat_rounds: int | None = Field(None, ge=1, le=10)
    asr_type: Literal["EI_SIS", "MOBVOI"] | None = None
    asr_account: str | None = Field(None, max_length=256)
    asr_secret: Secret | None = Field(default=None, repr=False)


class MobvoiConfig(_Recognition):
    """app_type 8."""

    app_key: Secret | None = Field(default=None, repr=False)
    app_secret: Secret | None = Field(default=None, repr=False)
    role_id: ShortId | None = None


class WiseBrainConfig(_Recognition):
    """app_type 7."""

    role_id: ShortId | None = None


class RobotSettings(Request):
    """What create and update share. On an update only the given fields change."""

    room_id: ShortId | None = None
    robot_type: RobotType | None = None
    language: HereLanguage | None = None
    tail_silence_time: int | None = Field(None, ge=0, le=3000, description="milliseconds")
    enable_question_audit: bool | None = None
    huawei_ei_cbs: CbsConfig | None = None
    iflytek_aiui_config: IflytekConfig | None = None
    iflytek_spark: IflytekConfig | None = None
    third_party_model_config: ThirdPartyModelConfig | None = None
    mobvoi_config: MobvoiConfig | None = None
    wise_brain_config: WiseBrainConfig | None = None


class CreateRobot(RobotSettings):
    """Body of ``POST /v1/{project_id}/digital-human-chat/robot``."""

    name: str = Field(min_length=1, max_length=64)
    app_type: AppType


class UpdateRobot(RobotSettings):
    """Body of ``PUT /v1/{project_id}/digital-human-chat/robot/{robot_id}``."""

    name: str | None = Field(None, min_length=1, max_length=64)
    app_type: AppType | None = None


CONFIG_OF = {
    AIUI: "iflytek_aiui_config",
    CBS: "huawei_ei_cbs",
    SPARK: "iflytek_spark",
    THIRD_PARTY_MODEL: "third_party_model_config",
    ASSISTANT: "wise_brain_config",
    MOBVOI: "mobvoi_config",
}
"""Which nested object configures an app_type (5 has none)."""

SECRET_FIELDS = frozenset({"app_key", "api_secret", "app_secret", "asr_secret"})
"""Fields of nested objects that are encrypted at rest. Of these the published answer has only ``app_key``."""


def check_llm_url(url: str | None) -> None:
    """Check the address of a third-party language model.

    Raises:
        ApiError: empty, or not an http(s) URL.
    """
    if not url:
        raise ApiError(ErrorCode.LLM_URL_EMPTY)
    if not is_web_url(url):
        raise ApiError(ErrorCode.LLM_URL_INVALID, "wanted http(s)://host[:port]/path")


class RobotCreated(Answer):
    """Answer of create."""

    robot_id: str


class RobotAnswer(Answer):
    """Answer of show, and one entry of a list."""

    robot_id: str
    name: str
    room_id: str
    app_id: str
    app_type: int
    app_key: str = Field(repr=False)
    robot_type: str
    language: str
    create_time: str
    update_time: str
    region: int
    cbs_project_id: str
    llm_url: str
    is_stream: bool
    chat_rounds: int
    is_ifly_production: bool
    tail_silence_time: int
    role_id: str
    sis_region: int
    sis_project_id: str
    enable_hot_words: bool
    enable_question_audit: bool
    asr_type: str
    asr_account: str


class RobotList(Answer):
    """Answer of list."""

    offset: int
    limit: int
    count: int
    data: list[RobotAnswer]
