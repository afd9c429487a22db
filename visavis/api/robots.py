"""Routes of robots."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from visavis.api.context import Ctx
from visavis.api.identity import ProjectId, project_of
from visavis.api.parse import Paging, json_body
from visavis.api.services import robots as service
from visavis.contract.robots import CreateRobot, RobotAnswer, RobotCreated, RobotList, UpdateRobot
from visavis.store import robots as store

router = APIRouter(prefix="/v1/{project_id}/digital-human-chat/robot", dependencies=[Depends(project_of)])

RobotIds = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=100)]


@router.post("")
async def create_robot(
    context: Ctx, project_id: ProjectId, body: Annotated[CreateRobot, Depends(json_body(CreateRobot))]
) -> RobotCreated:
    """Create a robot."""
    robot = await service.create(context.database, project_id, body, context.clock())
    return RobotCreated(robot_id=robot.id)


@router.get("")
async def list_robots(
    context: Ctx,
    project_id: ProjectId,
    page: Paging,
    room_id: Annotated[str, Query(max_length=64)] = "",
    robot_type: Literal["LIVE", "CHAT"] | None = None,
) -> RobotList:
    """List the project's robots, newest first."""
    count, robots = await store.listing(
        context.database, project_id, room_id, robot_type or "", page.offset, page.limit
    )
    answers = [service.answer(robot) for robot in robots]
    return RobotList(offset=page.offset, limit=page.limit, count=count, data=answers)


@router.post("/delete")
async def delete_robots(
    context: Ctx, project_id: ProjectId, body: Annotated[list[str], Depends(json_body(RobotIds))]
) -> dict[str, str]:
    """Delete robots that are in no use; all of the list or none."""
    await service.remove(context.database, project_id, body)
    return {}


@router.get("/{robot_id}")
async def show_robot(context: Ctx, project_id: ProjectId, robot_id: str) -> RobotAnswer:
    """Show a robot."""
    return service.answer(await service.get(context.database, project_id, robot_id))


@router.put("/{robot_id}")
async def update_robot(
    context: Ctx, project_id: ProjectId, robot_id: str, body: Annotated[UpdateRobot, Depends(json_body(UpdateRobot))]
) -> dict[str, str]:
    """Change the given fields of a robot."""
    await service.change(context.database, project_id, robot_id, body, context.clock())
    return {}
