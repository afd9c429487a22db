"""The page's start: one call that turns a one-time code, an activation code or a token into a running job."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from visavis.api.context import Context, Ctx, access_address, client_host, request_id
from visavis.api.identity import Identity, admit, by_token, check_app_user, is_known, require
from visavis.api.parse import json_body
from visavis.api.services import activation, answers, dialog_links
from visavis.api.services.reporting import SWITCHES
from visavis.api.throttle import source
from visavis.contract.base import Request as Body
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.contract.smart_chat_jobs import StartJob
from visavis.store import codes, records

router = APIRouter(prefix="/page/v1")


class StartSession(Body):
    """What the page asks for."""

    project_id: str = Field(min_length=1, max_length=64)
    room_id: str = Field(min_length=1, max_length=64)
    robot_id: str | None = Field(None, max_length=64)


@router.post("/sessions")
async def start_session(
    request: Request, context: Ctx, body: Annotated[StartSession, Depends(json_body(StartSession))]
) -> dict[str, Any]:
    """Start a job for whoever sits before the page: the answer lets join as END_USER or watch as PLAYER, no more."""
    check_app_user(request)
    robot_id = await _admit(request, context, body)
    address = access_address(request, context.settings)
    job = await context.jobs.start(
        body.project_id,
        body.room_id,
        robot_id,
        StartJob(extend_param=None),
        address,
        request_id(request),
        side_by_side=True,
        from_page=True,
        app_user=request.headers.get("x-app-userid", ""),
    )
    answer = answers.page_session(job, await context.jobs.rtc_room(job, only_types=("END_USER", "PLAYER")))
    return {**answer, "recorded": await _is_recorded(context, body.project_id)}


async def _is_recorded(context: Context, project_id: str) -> bool:
    """Whether the sound or the words of the project's conversations are kept: the page says so."""
    for setting, switch in SWITCHES.values():
        record = await records.get(context.database, project_id, setting, "one")
        if record is not None and record.document.get(switch):
            return True
    return False


async def _admit(request: Request, context: Context, body: StartSession) -> str:
    """Who may start a job here. Answers with which robot; empty: with the room's."""
    asked, project_id = body.robot_id or "", body.project_id
    if code := request.headers.get("x-once-code", ""):
        now, host = context.clock(), source(client_host(request))
        if activation.is_code(code):
            return await _by_active_code(request, context, body, code)
        context.codes.check(host, now, ErrorCode.ONCE_CODE_LOCKED)
        if not await codes.consume(context.database, project_id, code, now, body.room_id):
            context.codes.failed(host, now)
            context.metrics.auth_failures.labels("once_code").inc()
            raise ApiError(ErrorCode.ONCE_CODE_FAILED)
        # Its project's rate was counted when the code was made; a code must not be lost to it now.
        is_known(request, Identity(project_id, role=Role.OPERATOR))
        return await dialog_links.robot_of(context.database, project_id, code) or asked
    token = request.headers.get("x-auth-token", "")
    if not token:
        context.metrics.auth_failures.labels("none").inc()
        raise ApiError(ErrorCode.UNAUTHORIZED, "X-Once-Code or X-Auth-Token is wanted")
    caller = await by_token(context, token)
    admit(context, caller)
    is_known(request, caller)
    if caller.project_id != project_id:
        raise ApiError(ErrorCode.TENANT_MISMATCH)
    require(caller, Role.OPERATOR)
    return asked


async def _by_active_code(request: Request, context: Context, body: StartSession, code: str) -> str:
    now, host = context.clock(), source(client_host(request))
    # Codes that there are none of are counted in memory, by address alone: they cost no write.
    context.codes.check(host, now, ErrorCode.ACTIVE_CODE_LOCKED)
    record = await activation.find(context.database, body.project_id, code)
    if record is None:
        context.codes.failed(host, now)
        context.metrics.auth_failures.labels("active_code").inc()
        raise ApiError(ErrorCode.ACTIVE_CODE_FAILED)
    device = request.headers.get("x-device-id", "")
    caller = Identity(body.project_id, role=Role.OPERATOR)
    admit(context, caller)
    try:
        robot_id = await activation.open_room(
            context.database,
            record,
            room_id=body.room_id,
            robot_id=body.robot_id or "",
            device=device,
            host=host,
            now=now,
        )
    except ApiError:
        context.metrics.auth_failures.labels("active_code").inc()
        raise
    is_known(request, caller)
    return robot_id
