"""One-time codes: what the page starts a job with, without credentials."""

from __future__ import annotations

from visavis.api.skeleton import Call, handles
from visavis.store import codes


@handles("create_once_code")
async def create(call: Call) -> dict[str, str]:
    """A code that starts one session, within five minutes."""
    return {"once_code": await codes.create(call.context.database, call.project_id, call.now)}
