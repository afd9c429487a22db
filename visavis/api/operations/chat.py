"""Asking a role in writing."""

from __future__ import annotations

from typing import Any

from visavis.api.operations.role import ROLES
from visavis.api.services import chatting
from visavis.api.services.resources import found
from visavis.api.skeleton import Call, handles


@handles("create_interactive_chat")
async def _chat(call: Call) -> dict[str, Any]:
    """The role's answer, as text. What was said before in the same session is known to it."""
    asked = call.body
    role = await found(ROLES, call, asked["role_id"])
    session = await chatting.session(call, role, asked["session_id"])
    language = asked.get("language", "")
    answer = await chatting.answer(call, role, asked["session_id"], asked["message"], language, session)
    await chatting.remember(call, role, asked["session_id"], asked["message"], answer)
    return {"message": answer}
