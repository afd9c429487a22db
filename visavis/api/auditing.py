"""Writes every change that somebody known made, or tried, to the audit log: in one place, for all routes."""

from __future__ import annotations

from typing import Any, cast

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visavis import log
from visavis.api.context import Context
from visavis.contract.errors import ErrorCode
from visavis.store import audit

_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_log = log.get(__name__)


def note(request: Request, *, operation: str = "", target: str = "", reads: bool | None = None) -> None:
    """Tell the audit log what the request cannot show by itself.

    Args:
        operation: its published name; empty: the route's name.
        target: the id of what was made or changed; empty: the last id in the path.
        reads: True: it changes nothing although it is a POST, and is not logged.
    """
    for name, value in (("operation", operation), ("target", target), ("reads", reads)):
        if value:
            setattr(request.state, f"audit_{name}", value)


class Auditing:
    """Pure ASGI, inside of which errors have become answers. An entry is written before its answer begins.

    Requests whose sender stays unknown are not logged: anybody could fill the log with them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and not begun:
                begun = True
                await _record(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            if not begun:
                scope["state"]["error_code"] = ErrorCode.INTERNAL.code
                await _record(scope, ErrorCode.INTERNAL.status)
            raise


async def _record(scope: Scope, status: int) -> None:
    state: dict[str, Any] = scope.get("state", {})
    caller = state.get("caller")
    if caller is None or state.get("audit_reads"):
        return
    context = cast(Context, scope["app"].state.context)
    ids = [value for name, value in scope.get("path_params", {}).items() if name != "project_id"]
    entry = audit.Entry(
        at=context.clock(),
        project_id=caller.project_id or "",
        operation=str(state.get("audit_operation") or getattr(scope.get("route"), "name", "")),
        target=state.get("audit_target") or str(ids[-1] if ids else ""),
        user_id=caller.user_id or "",
        ak=caller.ak,
        status=status,
        error_code=state.get("error_code", "") if status >= 400 else "",
        request_id=state.get("request_id", ""),
    )
    try:
        await audit.record(context.database, entry, context.settings.audit_days)
    except Exception:
        # The change has happened: an error now would be a lie, and make the caller do it again.
        _log.exception("audit_failed", operation=entry.operation, target=entry.target)
