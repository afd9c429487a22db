"""Routes of jobs and one-time codes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from visavis.api.context import Context, Ctx, access_address, request_id
from visavis.api.identity import ProjectId, project_of
from visavis.api.parse import Paging, json_body
from visavis.api.services import answers
from visavis.api.services import rooms as room_service
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.jobs import PUBLISHED_STATES
from visavis.contract.smart_chat_jobs import JobList, JobShown, JobStarted, OnceCodeCreated, StartJob
from visavis.store import codes
from visavis.store import jobs as store
from visavis.store.jobs import Job

router = APIRouter(prefix="/v1/{project_id}/digital-human-chat", dependencies=[Depends(project_of)])

_JOBS = "/smart-chat-rooms/{room_id}/smart-chat-jobs"


@router.post(_JOBS)
async def start_job(
    request: Request,
    context: Ctx,
    project_id: ProjectId,
    room_id: str,
    body: Annotated[StartJob, Depends(json_body(StartJob, StartJob(extend_param=None)))],
    robot_id: Annotated[str, Query(max_length=64)] = "",
) -> JobStarted:
    """Start a job in a room, with the room's robot or another one."""
    address = access_address(request, context.settings)
    app_user = request.headers.get("x-app-userid", "")
    job = await context.jobs.start(project_id, room_id, robot_id, body, address, request_id(request), app_user=app_user)
    return answers.started(job, await context.jobs.rtc_room(job))


async def _job(context: Context, project_id: str, room_id: str, job_id: str) -> Job:
    job = await store.get(context.database, project_id, room_id, job_id)
    if job is None:
        raise ApiError(ErrorCode.JOB_NOT_FOUND)
    return job


@router.get(_JOBS + "/{job_id}/state")
async def show_job(context: Ctx, project_id: ProjectId, room_id: str, job_id: str) -> JobShown:
    """Show a job."""
    return await context.jobs.show(await _job(context, project_id, room_id, job_id))


@router.post(_JOBS + "/{job_id}/stop")
async def stop_job(context: Ctx, project_id: ProjectId, room_id: str, job_id: str) -> dict[str, str]:
    """Stop a running job."""
    await context.jobs.stop(await _job(context, project_id, room_id, job_id))
    return {}


@router.get(_JOBS)
async def list_jobs(
    context: Ctx,
    project_id: ProjectId,
    room_id: str,
    page: Paging,
    state: Annotated[str, Query(max_length=256)] = "",
) -> JobList:
    """List a room's jobs, newest first. ``state``: several are separated by commas."""
    await room_service.get(context.database, project_id, room_id)
    states = [part.strip() for part in state.split(",") if part.strip()]
    if unknown := sorted(set(states) - PUBLISHED_STATES):
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"state: unknown {', '.join(unknown)}")
    count, jobs = await store.listing(context.database, project_id, room_id, states, page.offset, page.limit)
    now = context.clock()
    return JobList(count=count, smart_chat_jobs=[answers.listed(job, now) for job in jobs])


@router.post("/once-code")
async def create_once_code(context: Ctx, project_id: ProjectId) -> OnceCodeCreated:
    """A code that starts one session on the page, within five minutes."""
    return OnceCodeCreated(once_code=await codes.create(context.database, project_id, context.clock()))
