"""Rooms: what a conversation looks and sounds like, and how many may be held at once."""

from __future__ import annotations

from typing import Any

from visavis.api.auditing import note
from visavis.api.services import rooms as service
from visavis.api.services.assets import catalogue_of
from visavis.api.skeleton import Call, Reply, etag, handles
from visavis.contract.base import from_rfc3339
from visavis.store import rooms as store
from visavis.store.rooms import Room


def _reply(room: Room) -> Reply:
    return Reply(service.answer(room), etag(room.version))


@handles("create_smart_chat_room")
async def create(call: Call) -> Reply:
    """A new room."""
    context = call.context
    room = await service.create(
        context.database, context.catalogue, call.project_id, call.body, call.now, call.app_user
    )
    note(call.request, target=room.id)
    return Reply({"room_id": room.id}, etag(room.version))


@handles("list_smart_chat_rooms")
async def listing(call: Call) -> dict[str, Any]:
    """A page of them, newest first."""
    query, avatars = call.query, call.context.catalogue.avatars()
    model = query.get("model_name", "").lower()
    wanted = store.RoomFilter(
        name=query.get("room_name", ""),
        avatar_ids=tuple(one.id for one in avatars if model in one.name.lower()) if model else None,
        job_from=from_rfc3339(query["start_time"]) if "start_time" in query else None,
        job_to=from_rfc3339(query["end_time"]) if "end_time" in query else None,
        app_user_id=call.app_user,
    )
    count, concurrency, page = await store.listing(
        call.context.database, call.project_id, wanted, query["offset"], query["limit"]
    )
    shown = [room.settings.get("model_asset_id", "") for room in page]
    known = await catalogue_of(call.context.database, call.context.catalogue, call.project_id, shown, call.now)
    names = {one.id: one.name for one in known.avatars()}
    return {
        "count": count,
        "count_concurrency": concurrency,
        # Nothing is billed here, by client or by token.
        "count_client_nums": 0,
        "count_client_nums_token": 0,
        "smart_chat_rooms": [service.listed(room, names) for room in page],
    }


@handles("show_smart_chat_room")
async def show(call: Call) -> Reply:
    """One room."""
    return _reply(await service.get(call.context.database, call.project_id, call.path["room_id"], call.app_user))


@handles("update_smart_chat_room")
async def update(call: Call) -> Reply:
    """Change the given fields."""
    room = await service.change(
        call.context.database,
        call.context.catalogue,
        call.project_id,
        call.path["room_id"],
        call.body,
        call.now,
        app_user=call.app_user,
        expected=call.expected_version,
    )
    return _reply(room)


@handles("delete_smart_chat_room")
async def delete(call: Call) -> None:
    """Delete a room in which no job runs."""
    await service.remove(
        call.context.database,
        call.project_id,
        call.path["room_id"],
        app_user=call.app_user,
        expected=call.expected_version,
    )
