"""Jobs and one-time codes: start, show state, list, stop."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from visavis.contract.base import Answer, Request
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.media_types import SubtitleAnswer, Transparency, VideoAnswer, VoiceAnswer


class StartJob(Request):
    """Body of the start call; may be missing."""

    extend_param: str | None = Field(None, max_length=4096)


class ExtendParam(Request):
    """What ``extend_param`` may hold."""

    city: str = Field(default="", max_length=256)
    client_id: str = Field(default="", max_length=256)
    extra_json_param: Any = None


def parse_extend_param(text: str | None) -> ExtendParam:
    """Read the JSON text of ``extend_param``.

    Raises:
        ApiError: not a JSON object, or a field of the wrong type.
    """
    if not text:
        return ExtendParam()
    try:
        if not isinstance(json.loads(text), dict):
            raise ValueError("wanted a JSON object")
        return ExtendParam.model_validate_json(text)
    except (ValueError, RecursionError):
        raise ApiError(
            ErrorCode.EXTEND_PARAM_INVALID, "wanted a JSON object with city, client_id, extra_json_param"
        ) from None


class RtcUserAnswer(Answer):
    """How one user joins the RTC room."""

    user_type: str
    user_id: str
    signature: str = Field(repr=False)
    ctime: int


class RtcRoomInfo(Answer):
    """The RTC room of a job."""

    app_id: str
    room_id: str
    users: list[RtcUserAnswer]


class ErrorInfo(Answer):
    """``error_info`` of a job; MSS.00000000 when nothing went wrong."""

    error_code: str
    error_msg: str


class JobStarted(Answer):
    """Answer of the start call."""

    job_id: str
    state: str
    language: str
    rtc_room_info: RtcRoomInfo
    chat_subtitle_config: SubtitleAnswer
    video_config: VideoAnswer
    voice_config_list: list[VoiceAnswer]
    chat_video_type: str
    region: str
    chat_access_address: str
    chat_access_rest_address: str
    is_transparent: bool
    default_language: str


class PictureAnswer(Answer):
    """How the video is to be shown; ours, for the page. ``key_color``: #RRGGBB."""

    transparency: Transparency
    key_color: str


class PageSession(JobStarted):
    """Answer of the page's start."""

    picture: PictureAnswer
    render_mode: str


class JobListed(Answer):
    """One entry of a list."""

    job_id: str
    state: str
    duration: float
    start_time: str
    end_time: str
    error_info: ErrorInfo
    create_time: str
    lastupdate_time: str
    chat_subtitle_config: SubtitleAnswer
    video_config: VideoAnswer
    voice_config_list: list[VoiceAnswer]
    chat_video_type: str
    is_transparent: bool
    default_language: str
    client_id: str
    is_pool_mode: bool
    job_finish_reason: str


class JobShown(JobListed):
    """Answer of the state call."""

    rtc_room_info: RtcRoomInfo
    chat_state: int
    language: str
    chat_access_address: str
    chat_access_rest_address: str


class JobList(Answer):
    """Answer of list."""

    count: int
    smart_chat_jobs: list[JobListed]


class OnceCodeCreated(Answer):
    """Answer of ``POST /v1/{project_id}/digital-human-chat/once-code``."""

    once_code: str = Field(repr=False)
