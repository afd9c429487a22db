"""Routes of rooms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from visavis.api.context import Ctx
from visavis.api.identity import ProjectId, project_of
from visavis.api.parse import Paging, json_body
from visavis.api.services import rooms as service
from visavis.contract.base import from_rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.rooms import CreateRoom, RoomAnswer, RoomCreated, RoomList, UpdateRoom
from visavis.store import rooms as store

router = APIRouter(prefix="/v1/{project_id}/smart-chat-rooms", dependencies=[Depends(project_of)])


@router.post("")
async def create_room(
    context: Ctx, project_id: ProjectId, body: Annotated[CreateRoom, Depends(json_body(CreateRoom))]
) -> RoomCreated:
    """Create a room."""
    room = await service.create(context.database, context.catalogue, project_id, body, context.clock())
    return RoomCreated(room_id=room.id)


def _time(name: str, text: str | None) -> float | None:
    try:
        return None if not text else from_rfc3339(text)
    except ValueError:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{name}: wanted RFC 3339, e.g. 2021-01-10T08:43:17Z") from None


@router.get("")
async def list_rooms(
    context: Ctx,
    project_id: ProjectId,
    page: Paging,
    room_name: Annotated[str, Query(max_length=256)] = "",
    model_name: Annotated[str, Query(max_length=256)] = "",
    start_time: Annotated[str | None, Query(max_length=64)] = None,
    end_time: Annotated[str | None, Query(max_length=64)] = None,
) -> RoomList:
    """List the project's rooms, newest first."""
    avatars = None
    if model_name:
        avatars = tuple(a.id for a in context.catalogue.avatars() if model_name.lower() in a.name.lower())
    wanted = store.RoomFilter(room_name, avatars, _time("start_time", start_time), _time("end_time", end_time))
    count, concurrency, rooms = await store.listing(context.database, project_id, wanted, page.offset, page.limit)
    return RoomList(
        count=count,
        count_concurrency=concurrency,
        # Nothing is billed here, by client or by token.
        count_client_nums=0,
        count_client_nums_token=0,
        smart_chat_rooms=[service.listed(room, context.catalogue) for room in rooms],
    )


@router.get("/{room_id}", response_model_exclude_none=True)
async def show_room(context: Ctx, project_id: ProjectId, room_id: str) -> RoomAnswer:
    """Show a room."""
    return service.answer(await service.get(context.database, project_id, room_id))


@router.put("/{room_id}", response_model_exclude_none=True)
async def update_room(
    context: Ctx, project_id: ProjectId, room_id: str, body: Annotated[UpdateRoom, Depends(json_body(UpdateRoom))]
) -> RoomAnswer:
    """Change the given fields of a room."""
    room = await service.change(context.database, context.catalogue, project_id, room_id, body, context.clock())
    return service.answer(room)


@router.delete("/{room_id}")
async def delete_room(context: Ctx, project_id: ProjectId, room_id: str) -> dict[str, str]:
    """Delete a room in which no job runs."""
    await service.remove(context.database, project_id, room_id)
    return {}
