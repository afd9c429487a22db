"""Texts spoken into files: auditions, asynchronous jobs, and the list of both."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from visavis.api.auditing import note
from visavis.api.catalogue import has_voice
from visavis.api.context import base_url
from visavis.api.services.recording import SOUND, SUBTITLES, TIMES
from visavis.api.services.resources import Resource, found
from visavis.api.services.speaking import JOB, MOST_WAITING, UNFINISHED, forget_old, url_of
from visavis.api.services.wordlists import are_wanted, lexicon_of
from visavis.api.skeleton import Call, handles
from visavis.contract.base import from_rfc3339, rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.speech import ssml
from visavis.speech.lexicon import to_json
from visavis.store import records
from visavis.store.records import Filter, Record

_JOBS: Final = Resource(kind=JOB, id_field="job_id", not_found=ErrorCode.JOB_NOT_FOUND)
_ELSEWHERE: Final = (
    "callback_config",
    "output_external_url",
    "srt_output_external_url",
    "action_output_external_url",
    "style",
)
_KEPT: Final = ("speed", "pitch", "volume", "channels", "gen_srt", "srt_len", "srt_line_limit", "need_timestamp")
_ENGINE: Final = "TTS_LAB"
_FAILED: Final = ErrorCode.WORKER_FAILED.code
_WELL: Final = ErrorCode.SUCCESS.code


@handles("create_tts_audition")
async def create_audition(call: Call) -> dict[str, Any]:
    """Speak a text into a sound file."""
    return await _create(call, "AUDITION", "emotion")


@handles("create_async_tts_job")
async def create_job(call: Call) -> dict[str, Any]:
    """Speak a text into a sound file, perhaps with subtitles and time stamps."""
    if call.body["audio_format"] != "WAV":
        raise ApiError(ErrorCode.INVALID_PARAMETER, "audio_format: only WAV is made here")
    return await _create(call, "ASYNC_JOB", "voice_asset_id")


async def _create(call: Call, kind: str, voice_field: str) -> dict[str, Any]:
    body, context = call.body, call.context
    for name in _ELSEWHERE:
        if body.get(name):
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"{name}: not supported here")
    if not has_voice(context.catalogue, body[voice_field]):
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{voice_field}: no such voice here")
    await forget_old(context.settings, context.database, call.project_id, call.now)
    text = body.get("tts_text") or body["text"]
    words = _plain(body, "tts_text" if body.get("tts_text") else "text")
    shown = _plain(body, "text")
    lexicon = ""
    if await are_wanted(context.database, call.project_id, body.get("is_vocabulary_config_enable")):
        # As the vocabularies are now: what is changed while the job waits is not this job's.
        whole = await lexicon_of(context.database, call.project_id, body[voice_field], call.app_user)
        lexicon = to_json(await asyncio.to_thread(whole.within, words))
    document = {
        **{name: body[name] for name in _KEPT if name in body},
        "job_type": kind,
        "state": UNFINISHED[0],
        "text": text,
        "shown": shown if shown != words else "",
        "lexicon": lexicon,
        "text_length": len(text),
        "voice": body[voice_field],
        "business_type": body.get("business_type", ""),
        "files": [],
        "fail_msg": "",
    }
    job = Record(
        id=records.new_id(),
        project_id=call.project_id,
        kind=JOB,
        document=document,
        app_user_id=call.app_user,
        created_at=call.now,
    )
    async with records.transaction(context.database) as steps:
        waiting = [await steps.count(call.project_id, JOB, Filter(fields={"state": state})) for state in UNFINISHED]
        if sum(waiting) >= MOST_WAITING:
            raise ApiError(ErrorCode.QUOTA_EXCEEDED, f"a project may have {MOST_WAITING} unfinished ones")
        try:
            await steps.create(job, most=_JOBS.most)
        except records.TooManyRecordsError as error:
            raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    context.speaking.start(context, call.project_id, job.id)
    note(call.request, target=job.id)
    return {"job_id": job.id}


def _plain(body: dict[str, Any], field: str) -> str:
    try:
        return ssml.plain(body[field])
    except ssml.SsmlError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{field}: {error}") from None


@handles("show_tts_audition_file")
async def show_audition(call: Call) -> dict[str, Any]:
    """Whether it is spoken, and where the sound is."""
    job = await _found(call, "AUDITION")
    sound = _urls(call, job)["audio_file_url"]
    return {
        "is_file_complete": job.document["state"] not in UNFINISHED,
        **_outcome(job),
        "files": [{"download_url": sound}] if sound else [],
    }


@handles("show_async_tts_job")
async def show_job(call: Call) -> dict[str, Any]:
    """How far it is, and where its files are."""
    job = await _found(call, "ASYNC_JOB")
    return {"state": job.document["state"], **_outcome(job), **_urls(call, job)}


async def _found(call: Call, kind: str) -> Record:
    job = await found(_JOBS, call)
    if job.document["job_type"] != kind:
        raise ApiError(ErrorCode.JOB_NOT_FOUND, "job_id")
    return job


def _outcome(job: Record) -> dict[str, str]:
    reason = job.document["fail_msg"]
    return {"code": _FAILED if reason else _WELL, "message": reason}


def _urls(call: Call, job: Record) -> dict[str, str]:
    base, vault = base_url(call.request, call.context.settings), call.context.database.vault
    return {
        "audio_file_url": url_of(base, vault, job, SOUND, call.now),
        "audio_srt_file_url": url_of(base, vault, job, SUBTITLES, call.now),
        "audio_info_file_url": url_of(base, vault, job, TIMES, call.now),
        "audio_action_file_url": "",
    }


@handles("show_tts_job")
async def list_jobs(call: Call) -> dict[str, Any]:
    """Both kinds, newest first."""
    query = call.query
    if query.get("tts_service_enum", _ENGINE) != _ENGINE:
        return {"count": 0, "data": []}
    fields = {name: query[name] for name in ("job_type", "business_type") if name in query}
    count, page = await records.listing(
        call.context.database,
        call.project_id,
        JOB,
        Filter(
            ids=[query["job_id"]] if "job_id" in query else None,
            app_user_id=call.app_user or None,
            fields=fields,
            since=from_rfc3339(query["create_since"]) if "create_since" in query else None,
            until=from_rfc3339(query["create_until"]) if "create_until" in query else None,
        ),
        offset=query["offset"],
        limit=query["limit"],
    )
    return {"count": count, "data": [_shown(call, job) for job in page]}


def _shown(call: Call, job: Record) -> dict[str, Any]:
    document = job.document
    return {
        "job_id": job.id,
        "job_type": document["job_type"],
        "job_state": document["state"],
        "asset_id": document["voice"],
        "audio_format": "WAV",
        "tts_service_enum": _ENGINE,
        "text_length": document["text_length"],
        "gen_srt": document.get("gen_srt", False),
        "need_timestamp": document.get("need_timestamp", False),
        "fail_msg": document["fail_msg"],
        "create_time": rfc3339(job.created_at),
        "files": [_urls(call, job)] if document["files"] else [],
    }
