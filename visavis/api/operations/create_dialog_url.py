"""Links to the conversation page."""

from __future__ import annotations

from visavis.api.context import base_url
from visavis.api.services import dialog_links
from visavis.api.services.resources import robot_exists
from visavis.api.skeleton import Call, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import rooms


@handles("create_dialog_url")
async def create(call: Call) -> dict[str, str]:
    """A link to this server's page that starts one job, in that room, with that robot."""
    robot_id, room_id = call.body["robot_id"], call.body["room_id"]
    database = call.context.database
    await robot_exists(call, robot_id)
    if await rooms.get(database, call.project_id, room_id) is None:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)
    base = base_url(call.request, call.context.settings)
    return {"url": await dialog_links.create(database, base, call.project_id, room_id, robot_id, call.now)}
