"""For the operator: is it alive, is it ready, how does it do."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from visavis.api.context import Context, Ctx, client_host
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import jobs

router = APIRouter()

_DATABASE_TIMEOUT_S = 2.0
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request, context: Ctx) -> JSONResponse:
    """The database answers, the workers are heard, and at least one of them can take a job."""
    database = await _database_answers(context)
    ready = sum(worker.state == "ready" for worker in context.dispatcher.workers())
    ok = database and ready > 0 and not request.app.state.events.done()
    body = {"status": "ok" if ok else "not ready", "database": database, "ready_workers": ready}
    return JSONResponse(body, status_code=200 if ok else 503)


async def _database_answers(context: Context) -> bool:
    try:
        async with asyncio.timeout(_DATABASE_TIMEOUT_S):
            await context.database.ping()
    except (SQLAlchemyError, OSError, TimeoutError):
        return False
    return True


@router.get("/metrics")
async def metrics(request: Request, context: Ctx) -> Response:
    """Prometheus metrics: with the bearer token of the settings; without one, for clients of this machine."""
    wanted = context.settings.metrics_token
    if wanted:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode()):
            raise ApiError(ErrorCode.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    elif not _loopback(client_host(request)) or any(name in request.headers for name in _OF_PROXIES):
        # A proxy on this machine makes everyone look local.
        raise ApiError(ErrorCode.NO_PERMISSION, "metrics_token is not set: only clients of this machine are answered")
    text = context.metrics.render(await jobs.running(context.database), context.dispatcher.workers())
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
