"""Whether a robot speaks its welcome speeches."""

from __future__ import annotations

from typing import Any

from visavis.api.services import greeting, welcome
from visavis.api.services.languages import in_present_names
from visavis.api.services.resources import robot_exists
from visavis.api.skeleton import Call, handles
from visavis.store import records


@handles("show_welcome_speech_switch")
async def show(call: Call) -> dict[str, Any]:
    """Whether it is on, for a language or for all."""
    call = in_present_names(call)
    robot_id, language = call.query["robot_id"], call.query.get("language", "")
    await robot_exists(call, robot_id)
    known = await greeting.switches(call.context.database, call.project_id, robot_id)
    return {greeting.FIELD: greeting.is_on(known, language)}


@handles("update_welcome_speech_switch")
async def update(call: Call) -> None:
    """Turn it on or off, for a language or for all."""
    body = in_present_names(call).body
    await robot_exists(call, body["robot_id"])
    async with records.transaction(call.context.database) as steps:
        await welcome.switch(call, steps, body["robot_id"], body.get("language", ""), body["enable_welcome_speech"])
