"""Jobs: conversations that run, or ran, in a room."""

from __future__ import annotations

from typing import Any

from visavis.api.auditing import note
from visavis.api.context import access_address, request_id
from visavis.api.services import answers
from visavis.api.skeleton import Call, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.smart_chat_jobs import StartJob
from visavis.store import jobs as store
from visavis.store import rooms
from visavis.store.jobs import Job


async def _start(call: Call, asked: StartJob, robot_id: str = "") -> dict[str, Any]:
    service = call.context.jobs
    job = await service.start(
        call.project_id,
        call.path["room_id"],
        robot_id,
        asked,
        access_address(call.request, call.context.settings),
        request_id(call.request),
        app_user=call.app_user,
    )
    note(call.request, target=job.id)
    return answers.started(job, await service.rtc_room(job))


@handles("start_smart_chat_job")
async def start(call: Call) -> dict[str, Any]:
    """A new job in the room, with the room's robot or another one."""
    return await _start(call, StartJob(call.body.get("extend_param")), call.query.get("robot_id", ""))


@handles("create_smart_chat_job")
async def create(call: Call) -> dict[str, Any]:
    """A new job in the room, with the robot that the room has: the newer call."""
    if call.body["room_type"] != "RTC":
        raise ApiError(ErrorCode.START_FAILED, "room_type METALINK: this server has rooms of type RTC only")
    return await _start(call, StartJob(client_id=call.body.get("client_id", ""), own_robot=True))


async def _job(call: Call) -> Job:
    """The job of the path; of a third-party user only what was started for it is there."""
    job = await store.get(call.context.database, call.project_id, call.path["room_id"], call.path["job_id"])
    if job is None or (call.app_user and job.app_user_id != call.app_user):
        raise ApiError(ErrorCode.JOB_NOT_FOUND)
    return job


@handles("show_smart_chat_job")
async def show(call: Call) -> dict[str, Any]:
    """One job, as it is now."""
    return await call.context.jobs.show(await _job(call))


@handles("stop_smart_chat_job")
async def stop(call: Call) -> None:
    """End a running job."""
    await call.context.jobs.stop(await _job(call))


@handles("wake_smart_chat_job")
async def wake(call: Call) -> None:
    """A sensor noticed somebody."""
    await call.context.jobs.wake(await _job(call), call.body["wakeup_type"])


@handles("list_smart_chat_job")
async def listing(call: Call) -> dict[str, Any]:
    """A page of the room's jobs, newest first."""
    database, room_id, query = call.context.database, call.path["room_id"], call.query
    room = await rooms.get(database, call.project_id, room_id)
    if room is None or (call.app_user and room.app_user_id not in ("", call.app_user)):
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)
    states = [state for state in query.get("state", "").split(",") if state]
    count, page = await store.listing(
        database, call.project_id, room_id, states, query["offset"], query["limit"], call.app_user
    )
    now = call.now
    return {"count": count, "smart_chat_jobs": [answers.listed(job, now) for job in page]}
