"""Around every request: its id, its size, its log line, its metrics, and a plain answer when something breaks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visavis import log
from visavis.api.errors import response
from visavis.api.metrics import Metrics
from visavis.api.services.assets import UPLOAD_PREFIX
from visavis.api.services.documents import MAX_BYTES
from visavis.contract.assets import MAX_FILE_BYTES
from visavis.contract.errors import ApiError, ErrorCode

MAX_BODY_BYTES = 1024 * 1024
MAX_UPLOAD_BYTES = max(MAX_FILE_BYTES.values())
MAX_FORM_BYTES = MAX_BYTES + 64 * 1024

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Asked for all the time, and of no interest while they succeed.
_QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/web/{path:path}"})

_DEFAULTS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))

_TOLD = ("room_id", "job_id", "robot_id")

_log = log.get("visavis.access")


class RequestMiddleware:
    """Pure ASGI: it neither buffers bodies nor starts tasks."""

    def __init__(self, app: ASGIApp, metrics: Metrics, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._metrics = metrics
        self._max = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = os.urandom(16).hex()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                state["begun"] = True
                message["headers"] = _with_ours(message.get("headers", ()), request_id)
            await send(message)

        try:
            length, most = self._body(scope)
            if length > most:
                await response(ApiError(ErrorCode.BODY_TOO_LARGE))(scope, receive, sending)
            elif "\0" in scope["path"]:  # databases do not take it, and nothing has such a name
                await response(ApiError(ErrorCode.API_NOT_FOUND))(scope, receive, sending)
            elif b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
                await response(ApiError(ErrorCode.INVALID_PARAMETER, "texts must not contain NUL"))(
                    scope, receive, sending
                )
            else:
                await self._app(scope, _limited(receive, most), sending)
        except Exception:
            _log.exception("request_failed")
            if status:
                raise  # the answer has begun: all that is left is to break the connection
            await response(ApiError(ErrorCode.INTERNAL))(scope, receive, sending)
        finally:
            self._record(scope, status, time.perf_counter() - began)

    def _body(self, scope: Scope) -> tuple[int, int]:
        """How long the request's body is (0: it does not say), and how long it may be."""
        length, most = 0, self._max
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = int(value) if value.isdigit() else length
            elif name == b"content-type" and value.startswith(b"multipart/"):
                most = max(self._max, MAX_FORM_BYTES)
        return length, MAX_UPLOAD_BYTES if scope["path"].startswith(UPLOAD_PREFIX) else most

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's template, not the path: paths hold ids, and labels must stay few.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.answered(method, route, status, seconds)
        params = scope.get("path_params") or {}
        shown = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        shown |= {key: params[key] for key in _TOLD if key in params}
        if route in _QUIET and status < 400:
            _log.debug("request", **shown)
        else:
            log.request(shown)


class RtcCors:
    """Lets pages of any origin use the RTC room, and nothing else.

    An integrator's page joins with a Bearer token that it was given; there is no cookie that another page could misuse.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Rtc-Room"],
            expose_headers=["Location", "Link", "X-Request-Id"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        app = self._cors if scope.get("path", "").startswith("/rtc/") else self._app
        await app(scope, receive, send)


def _with_ours(given: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """The answer's headers, with those that every answer has. Names are lower case, as ASGI has them."""
    headers = [each for each in given if each[0] != b"x-request-id"]
    names = {name for name, _ in headers}
    headers.append((b"x-request-id", request_id.encode()))
    headers += [each for each in _DEFAULTS if each[0] not in names]
    return headers


def _limited(receive: Receive, left: int) -> Receive:
    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise ApiError(ErrorCode.BODY_TOO_LARGE)
        return message

    return receiving
