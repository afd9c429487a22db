"""What dialogue reports say, and what objects are called."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from visavis.contract.base import rfc3339
from visavis.store.deliveries import Delivery, Kind, StoredTurn
from visavis.store.jobs import Job

MOST_TURNS: Final = 500
"""Turns of one part of a report."""
TYPES: Final = {Kind.DIALOG: "application/x-ndjson", Kind.AUDIO: "audio/flac"}

_ENDINGS: Final = {Kind.DIALOG: "jsonl", Kind.AUDIO: "flac"}
_FOLDERS: Final = {Kind.DIALOG: "dialog-report", Kind.AUDIO: "audio-record"}


def object_key(one: Delivery, part: int) -> str:
    """The name of a part's object: kind/project/day of the job's start (UTC)/job/part."""
    day = rfc3339(one.created_at)[:10]
    return f"{_FOLDERS[one.kind]}/{one.project_id}/{day}/{one.job_id}/{part:04}.{_ENDINGS[one.kind]}"


def report(job: Job, one: Delivery, turns: list[StoredTurn], *, more: bool, now: float) -> bytes:
    """JSON Lines: one of the job, then one a turn.

    Args:
        more: another part follows.
        now: epoch seconds, for the duration of a job that goes on.
    """
    head = {
        "type": "job",
        "job_id": job.id,
        "project_id": job.project_id,
        "room_id": job.room_id,
        "robot_id": job.robot_id,
        "app_user_id": one.app_user_id,
        "user_id": one.rtc_user_id,
        "client_id": job.settings.get("client_id") or "",
        "state": job.state.value,
        "finish_reason": job.finish_reason,
        "error_code": job.error_code,
        "create_time": rfc3339(job.created_at),
        "start_time": rfc3339(job.started_at),
        "end_time": rfc3339(job.ended_at),
        "duration_s": job.duration(now),
        "part": one.part,
        "more": more,
    }
    before = (one.part - 1) * MOST_TURNS
    lines = [head, *(_line(before + number, turn) for number, turn in enumerate(turns, 1))]
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines).encode()


def _line(number: int, turn: StoredTurn) -> dict[str, Any]:
    time = datetime.fromtimestamp(turn.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "type": "turn",
        "number": number,
        "chat_id": turn.chat_id,
        "time": time,
        "asked": turn.asked,
        "answered": turn.answered,
        "language": turn.language,
        "interrupted": turn.interrupted,
        "latency_s": turn.stages,
        "citations": turn.citations,
        "refused": turn.refused,
    }
