"""From stored jobs to published answers."""

from __future__ import annotations

import math
from typing import Any

from visavis.contract.base import rfc3339
from visavis.contract.errors import ErrorCode
from visavis.contract.media_types import (
    KEY_COLOR,
    SubtitleAnswer,
    Transparency,
    VideoAnswer,
    VoiceAnswer,
    language_desc,
)
from visavis.contract.smart_chat_jobs import (
    ErrorInfo,
    JobListed,
    JobShown,
    JobStarted,
    PageSession,
    PictureAnswer,
    RtcRoomInfo,
    RtcUserAnswer,
)
from visavis.rtc import tokens
from visavis.store.identity import RtcKey
from visavis.store.jobs import Job

_REGION = "local"


def token_expiry(job: Job, ttl_s: int, now: float) -> int:
    """``ctime`` of the job's RTC tokens.

    A job may outlive a token. So every half lifetime the answers carry tokens of a later expiry; in between they are
    the same, and at least half a lifetime is always left. An ended job keeps its last ones.
    """
    seen = now if job.ended_at is None else job.ended_at
    halves = math.floor(max(0.0, seen - job.created_at) / (ttl_s / 2))
    return int(job.created_at + (halves + 2) * ttl_s / 2)


def rtc_room(job: Job, key: RtcKey, ttl_s: int, now: float, only_types: tuple[str, ...] = ()) -> RtcRoomInfo:
    """The job's RTC room with a signature for each user (of ``only_types``, where given)."""
    ctime = token_expiry(job, ttl_s, now)
    return RtcRoomInfo(
        app_id=key.app_id,
        room_id=job.rtc_room_id,
        users=[
            RtcUserAnswer(
                user_type=user["user_type"],
                user_id=user["user_id"],
                signature=tokens.sign(key.app_key, key.app_id, job.rtc_room_id, user["user_id"], ctime),
                ctime=ctime,
            )
            for user in job.users
            if not only_types or user["user_type"] in only_types
        ],
    )


def _voices(job: Job) -> list[VoiceAnswer]:
    return [
        VoiceAnswer(**{**voice, "language_desc": language_desc(voice["language"])})
        for voice in job.settings["voice_config_list"]
    ]


def transparency(job: Job) -> Transparency:
    """How the job's picture shows what is transparent."""
    told: Transparency = job.settings.get("transparency", "none")
    return told


def page_session(job: Job, rtc: RtcRoomInfo) -> PageSession:
    """The answer of the page's start: the start call's, and how the picture is to be shown."""
    return PageSession(
        **dict(started(job, rtc)),
        picture=PictureAnswer(transparency=transparency(job), key_color=KEY_COLOR),
        render_mode=job.settings.get("render_mode", "server"),
    )


def started(job: Job, rtc: RtcRoomInfo) -> JobStarted:
    """The answer of the start call."""
    settings = job.settings
    return JobStarted(
        job_id=job.id,
        state=job.state,
        language=job.language,
        rtc_room_info=rtc,
        chat_subtitle_config=SubtitleAnswer(**settings["chat_subtitle_config"]),
        video_config=VideoAnswer(**settings["video_config"]),
        voice_config_list=_voices(job),
        chat_video_type=settings["chat_video_type"],
        region=_REGION,
        chat_access_address=settings["chat_access_address"],
        chat_access_rest_address=settings["chat_access_address"],
        is_transparent=transparency(job) != "none",
        default_language=settings["default_language"],
    )


def _listed(job: Job, now: float) -> dict[str, Any]:
    settings = job.settings
    return {
        "job_id": job.id,
        "state": job.state.value,
        "duration": job.duration(now),
        "start_time": rfc3339(job.started_at),
        "end_time": rfc3339(job.ended_at),
        "error_info": ErrorInfo(
            error_code=job.error_code or ErrorCode.SUCCESS.code,
            error_msg=job.error_msg or ErrorCode.SUCCESS.message,
        ),
        "create_time": rfc3339(job.created_at),
        "lastupdate_time": rfc3339(job.updated_at),
        "chat_subtitle_config": SubtitleAnswer(**settings["chat_subtitle_config"]),
        "video_config": VideoAnswer(**settings["video_config"]),
        "voice_config_list": _voices(job),
        "chat_video_type": settings["chat_video_type"],
        "is_transparent": transparency(job) != "none",
        "default_language": settings["default_language"],
        "client_id": settings["client_id"],
        "is_pool_mode": False,
        "job_finish_reason": job.finish_reason,
    }


def listed(job: Job, now: float) -> JobListed:
    """One entry of a list."""
    return JobListed(**_listed(job, now))


def shown(job: Job, rtc: RtcRoomInfo, now: float) -> JobShown:
    """The answer of the state call."""
    return JobShown(
        **_listed(job, now),
        rtc_room_info=rtc,
        chat_state=job.chat_state,
        language=job.language,
        chat_access_address=job.settings["chat_access_address"],
        chat_access_rest_address=job.settings["chat_access_address"],
    )
