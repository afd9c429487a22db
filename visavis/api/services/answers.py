"""From stored jobs to published answers: plain values, in the contract's fields (``visavis/contract/data/jobs.toml``)."""

from __future__ import annotations

import math
from typing import Any

from visavis.contract.base import rfc3339
from visavis.contract.errors import ErrorCode
from visavis.contract.media_types import KEY_COLOR, Transparency, language_desc
from visavis.rtc import tokens
from visavis.store.identity import RtcKey
from visavis.store.jobs import Job

_REGION = "local"

Answer = dict[str, Any]


def token_expiry(job: Job, ttl_s: int, now: float) -> int:
    """``ctime`` of the job's RTC tokens.

    A job may outlive a token. So every half lifetime the answers carry tokens of a later expiry; in between they are
    the same, and at least half a lifetime is always left. An ended job keeps its last ones.
    """
    seen = now if job.ended_at is None else job.ended_at
    halves = math.floor(max(0.0, seen - job.created_at) / (ttl_s / 2))
    return int(job.created_at + (halves + 2) * ttl_s / 2)


def rtc_room(job: Job, key: RtcKey, ttl_s: int, now: float, only_types: tuple[str, ...] = ()) -> Answer:
    """``rtc_room_info``: the job's RTC room with a signature for each user (of ``only_types``, where given)."""
    ctime = token_expiry(job, ttl_s, now)
    return {
        "app_id": key.app_id,
        "room_id": job.rtc_room_id,
        "users": [
            {
                "user_type": user["user_type"],
                "user_id": user["user_id"],
                "signature": tokens.sign(key.app_key, key.app_id, job.rtc_room_id, user["user_id"], ctime),
                "ctime": ctime,
            }
            for user in job.users
            if not only_types or user["user_type"] in only_types
        ],
    }


def transparency(job: Job) -> Transparency:
    """How the job's picture shows what is transparent."""
    told: Transparency = job.settings.get("transparency", "none")
    return told


def page_session(job: Job, rtc: Answer) -> Answer:
    """The answer of the page's start: the start call's, and how the picture is to be shown (``key_color``: #RRGGBB)."""
    return {
        **started(job, rtc),
        "picture": {"transparency": transparency(job), "key_color": KEY_COLOR},
        "render_mode": job.settings.get("render_mode", "server"),
        "talk_mode": job.settings.get("talk_mode", "full_duplex"),
        "wake_words": job.settings.get("wake_words", []),
    }


def _shared(job: Job) -> Answer:
    """What the answers of all calls have."""
    settings = job.settings
    return {
        "job_id": job.id,
        "state": job.state.value,
        "chat_subtitle_config": settings["chat_subtitle_config"],
        "video_config": settings["video_config"],
        "voice_config_list": [
            {**voice, "language_desc": language_desc(voice["language"])} for voice in settings["voice_config_list"]
        ],
        "chat_video_type": settings["chat_video_type"],
        "is_transparent": transparency(job) != "none",
        "default_language": settings["default_language"],
    }


def _reached(job: Job, rtc: Answer) -> Answer:
    """What the answers of single jobs have besides."""
    address = job.settings["chat_access_address"]
    return {
        "language": job.language,
        "rtc_room_info": rtc,
        "chat_access_address": address,
        "chat_access_rest_address": address,
    }


def started(job: Job, rtc: Answer) -> Answer:
    """The answer of the start call."""
    return {**_shared(job), **_reached(job, rtc), "region": _REGION}


def listed(job: Job, now: float) -> Answer:
    """One entry of a list."""
    return {
        **_shared(job),
        "duration": job.duration(now),
        "start_time": rfc3339(job.started_at),
        "end_time": rfc3339(job.ended_at),
        "error_info": {
            "error_code": job.error_code or ErrorCode.SUCCESS.code,
            "error_msg": job.error_msg or ErrorCode.SUCCESS.message,
        },
        "create_time": rfc3339(job.created_at),
        "lastupdate_time": rfc3339(job.updated_at),
        "client_id": job.settings["client_id"],
        "is_pool_mode": False,
        "job_finish_reason": job.finish_reason,
    }


def shown(job: Job, rtc: Answer, now: float) -> Answer:
    """The answer of the state call."""
    return {**listed(job, now), **_reached(job, rtc), "chat_state": job.chat_state}
