"""How much a project used: the conversations that workers held, and their time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from visavis.api.skeleton import Call, handles
from visavis.contract.base import from_rfc3339, rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import usage
from visavis.store.usage import Span

BUSINESS = "CHAT_2D"
RESOURCE = "chat_time_2d_model"
_DAY_S = 86400.0
_MOST_DAYS = 366
_MOST_JOBS = 100_000
_SECONDS = {"MIN": 60.0, "HOUR": 3600.0}


def _ours(call: Call) -> bool:
    """Whether the call asks for conversations: nothing else is used here."""
    business, resource = call.query.get("business_type", BUSINESS), call.query.get("resource_type", RESOURCE)
    return (business, resource) == (BUSINESS, RESOURCE)


@handles("show_summary_usage_data")
async def show_summary(call: Call) -> dict[str, Any]:
    """All conversations that there ever were."""
    unit = call.query.get("unit", "MIN")
    number, seconds = (await usage.total(call.context.database, call.project_id, call.now)) if _ours(call) else (0, 0.0)
    return {
        "resource_type": call.query.get("resource_type", RESOURCE),
        "business_type": call.query.get("business_type", BUSINESS),
        "number": number,
        "usage": round(seconds / _SECONDS[unit], 3),
        "unit": unit,
    }


@handles("show_usage_data")
async def show(call: Call) -> dict[str, Any]:
    """Conversations by day (UTC) and room. One that lasts over midnight counts with its own part on either day."""
    since, until = from_rfc3339(call.query["start_time"]), from_rfc3339(call.query["end_time"])
    if not since < until <= since + _MOST_DAYS * _DAY_S:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"end_time: after start_time, by {_MOST_DAYS} days at most")
    days: dict[float, dict[str, _Sum]] = {}
    if _ours(call):
        spans = await usage.spans(call.context.database, call.project_id, since, until, call.now, most=_MOST_JOBS + 1)
        if len(spans) > _MOST_JOBS:
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"more than {_MOST_JOBS} conversations: ask for fewer days")
        days = _by_day(spans, since, until)
    unit = call.query.get("unit", "MIN")
    offset = call.query["offset"]
    page = sorted(days)[offset : offset + call.query["limit"]]
    time_list = [{"time": rfc3339(day), "resources_usage": _entries(days[day], unit)} for day in page]
    return {"count": len(days), "time_list": time_list}


class _Sum:
    def __init__(self) -> None:
        self.number = 0
        self.seconds = 0.0


def _by_day(spans: Iterable[Span], since: float, until: float) -> dict[float, dict[str, _Sum]]:
    days: dict[float, dict[str, _Sum]] = {}
    for span in spans:
        for day, seconds, begins in _parts(span, since, until):
            one = days.setdefault(day, {}).setdefault(span.room_id, _Sum())
            one.number += begins
            one.seconds += seconds
    return days


def _parts(span: Span, since: float, until: float) -> Iterator[tuple[float, float, bool]]:
    """(start of the day, seconds in it, whether the conversation began in it), within the time that was asked for."""
    start, end = max(span.started_at, since), min(max(span.ended_at, span.started_at), until)
    day = math.floor(start / _DAY_S) * _DAY_S
    while day < end or day <= start:
        begins = day <= span.started_at < day + _DAY_S and span.started_at >= since
        yield day, max(0.0, min(end, day + _DAY_S) - max(start, day)), begins
        day += _DAY_S


def _entries(rooms: dict[str, _Sum], unit: str) -> list[dict[str, Any]]:
    return [
        {
            "resource_type": RESOURCE,
            "business_type": BUSINESS,
            "is_sub_resource": False,
            "usage": round(one.seconds / _SECONDS[unit], 3),
            "unit": unit,
            "number": one.number,
            "room_id": room_id,
        }
        for room_id, one in sorted(rooms.items())
    ]
