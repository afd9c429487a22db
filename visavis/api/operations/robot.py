"""Robots: who answers, and how it is reached."""

from __future__ import annotations

from typing import Any

from visavis.api.auditing import note
from visavis.api.services import robots as service
from visavis.api.services import validating
from visavis.api.skeleton import Call, Reply, etag, handles
from visavis.store import robots as store


@handles("create_robot")
async def create(call: Call) -> Reply:
    """A new robot."""
    robot = await service.create(call.context.database, call.project_id, call.body, call.now, call.app_user)
    note(call.request, target=robot.id)
    return Reply({"robot_id": robot.id}, etag(robot.version))


@handles("list_robot")
async def listing(call: Call) -> dict[str, Any]:
    """A page of them, newest first."""
    query = call.query
    count, page = await store.listing(
        call.context.database,
        call.project_id,
        query.get("room_id", ""),
        query.get("robot_type", ""),
        query["offset"],
        query["limit"],
        call.app_user,
    )
    data = [service.answer(robot) for robot in page]
    return {"offset": query["offset"], "limit": query["limit"], "count": count, "data": data}


@handles("show_robot")
async def show(call: Call) -> Reply:
    """One robot."""
    robot = await service.get(call.context.database, call.project_id, call.path["robot_id"], call.app_user)
    return Reply(service.answer(robot), etag(robot.version))


@handles("update_robot")
async def update(call: Call) -> Reply:
    """Change the given fields."""
    robot = await service.change(
        call.context.database,
        call.project_id,
        call.path["robot_id"],
        call.body,
        call.now,
        app_user=call.app_user,
        expected=call.expected_version,
    )
    return Reply(None, etag(robot.version))


@handles("delete_robot")
async def delete(call: Call) -> None:
    """Delete robots that are in no use; all of the list or none."""
    await service.remove(
        call.context.database, call.project_id, call.body, app_user=call.app_user, expected=call.expected_version
    )


@handles("validate_robot")
async def validate(call: Call) -> None:
    """Try out what the body describes; nothing is stored."""
    await validating.check(call, service.described(call.body, call.project_id, call.now, call.app_user))
