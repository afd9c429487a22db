"""The third-party drive WebSocket of app_type 5 (docs/drive.md): who may drive a job, and the connection's life."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any, cast

import structlog
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect

from visavis import log
from visavis.api.context import Context
from visavis.api.errors import response
from visavis.api.identity import Identity, admit, identify, require
from visavis.api.services.driving import LAST_WORDS_S, Connection
from visavis.api.throttle import source
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.store import audit, codes
from visavis.store import jobs as store
from visavis.store.jobs import Job

router = APIRouter()

PATH = "/v1/{project_id}/digital-human-chat/chat-command/{job_id}"

_LONGEST_TOKEN = 256

_log = log.get(__name__)


@router.websocket(PATH)
async def chat_command(socket: WebSocket, project_id: str, job_id: str) -> None:
    """Drive a job. Wrong credentials and impossible jobs are refused with an HTTP status and the published code."""
    context = cast(Context, socket.app.state.context)
    request_id = uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, job_id=job_id)
    named = [(b"x-request-id", request_id.encode())]
    try:
        job = await _job(context, project_id, job_id)
        caller = await _caller(socket, context, project_id, job)
        _check(context, job, project_id)
    except ApiError as error:
        context.metrics.drive_refused.labels(error.code.code).inc()
        _log.info("drive_refused", error_code=error.code.code)
        answer = response(error)
        answer.raw_headers += named
        await socket.send_denial_response(answer)
        return
    assert job is not None
    structlog.contextvars.bind_contextvars(project_id=project_id)
    await _note(context, caller, job, request_id)
    await socket.accept(headers=named)
    await _serve(socket, context, Connection(context, job, request_id))


async def _job(context: Context, project_id: str, job_id: str) -> Job | None:
    job = await store.by_id(context.database, job_id)
    return job if job is not None and job.project_id == project_id else None


async def _caller(socket: WebSocket, context: Context, project_id: str, job: Job | None) -> Identity:
    """Who wants to drive: a one-time code in the query, else what any API request may carry.

    Raises:
        ApiError: no, wrong, used or foreign credentials, or too many wrong codes from that address.
    """
    tokens = socket.query_params.getlist("token")
    if not tokens:
        return await _by_header(socket, context, project_id)
    if len(tokens) > 1 or not 0 < len(tokens[0]) <= _LONGEST_TOKEN:
        raise ApiError(ErrorCode.DRIVE_QUERY_INVALID, "token: one one-time code")
    now, host = context.clock(), source(socket.client.host if socket.client else "")
    context.codes.check(host, now, ErrorCode.ONCE_CODE_LOCKED)
    if not await codes.consume(context.database, project_id, tokens[0], now, job.room_id if job else ""):
        context.codes.failed(host, now)
        context.metrics.auth_failures.labels("once_code").inc()
        raise ApiError(ErrorCode.DRIVE_TOKEN_INVALID)
    caller = Identity(project_id, role=Role.OPERATOR)
    admit(context, caller)
    return caller


async def _by_header(socket: WebSocket, context: Context, project_id: str) -> Identity:
    async def no_body() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    # The handshake is a GET request, and is identified (and signed) as one.
    request = Request({**socket.scope, "type": "http", "method": "GET"}, no_body)
    try:
        caller = await identify(request, context)
    except ApiError as error:
        if error.code is ErrorCode.INVALID_TOKEN:
            raise ApiError(ErrorCode.DRIVE_TOKEN_INVALID, error.detail) from None
        raise
    if caller.project_id != project_id:
        context.metrics.auth_failures.labels("project").inc()
        raise ApiError(ErrorCode.TENANT_MISMATCH)
    require(caller, Role.OPERATOR)
    return caller


def _check(context: Context, job: Job | None, project_id: str) -> None:
    """Raises ApiError: there is no such job, or it cannot be driven."""
    if job is None:
        raise ApiError(ErrorCode.JOB_NOT_FOUND)
    if job.state.final:
        raise ApiError(ErrorCode.DIALOG_FINISHED)
    spec = context.jobs.spec_of(job)
    if spec is None:
        raise ApiError(ErrorCode.STATE_UNAVAILABLE, "no worker holds the job")
    if not spec.robot.driven:
        raise ApiError(ErrorCode.ROBOT_UNUSABLE, "only a job whose robot has app_type 5 is driven")


async def _note(context: Context, caller: Identity, job: Job, request_id: str) -> None:
    entry = audit.Entry(
        at=context.clock(),
        project_id=job.project_id,
        operation="chat_command",
        target=job.id,
        user_id=caller.user_id or "",
        ak=caller.ak,
        status=101,
        request_id=request_id,
    )
    await audit.record(context.database, entry, context.settings.audit_days)


async def _serve(socket: WebSocket, context: Context, connection: Connection) -> None:
    async def receive() -> str | bytes | None:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            return None
        text = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def write() -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await connection.write(socket.send_text)

    context.drivers.enter(connection)
    context.metrics.drive_connections.inc()
    _log.info("drive_connected")
    reading = asyncio.create_task(connection.read(receive), name="drive-read")
    writing = asyncio.create_task(write(), name="drive-write")
    over = asyncio.create_task(connection.over.wait(), name="drive-over")
    tasks: list[asyncio.Task[Any]] = [reading, writing, over]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if connection.ending is not None:
            await asyncio.wait([writing], timeout=LAST_WORDS_S)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for failure in results:
            if isinstance(failure, Exception):
                _log.error("drive_failed", exc_info=failure)
        context.metrics.drive_connections.dec()
        ending = connection.ending
        _log.info(
            "drive_closed",
            code=ending.code if ending else 1006,
            reason=ending.reason if ending else "the driver went",
            frames=connection.frames,
            refused=connection.refused,
        )
        if context.drivers.leave(connection):
            await connection.close()
        if ending is not None:
            # Who does not read could keep even the farewell waiting.
            with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await socket.close(ending.code, ending.reason[:120])
