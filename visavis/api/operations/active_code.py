"""Activation codes: what devices at fixed places open their room with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from visavis.api.auditing import note
from visavis.api.services import activation
from visavis.api.services.resources import MOST, Resource, found, robot_exists, serve
from visavis.api.skeleton import Call, Reply, etag, handles
from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.contract.roles import Role
from visavis.store import records, rooms
from visavis.store.records import Record


def _view(call: Call, record: Record) -> dict[str, Any]:
    ends = activation.expires_at(record)
    # A code starts jobs, which a viewer may not.
    shown = record.secrets["active_code"] if call.caller.role.allows(Role.OPERATOR) else ""
    return {"active_code": shown, **({} if ends is None else {"expire_time": rfc3339(ends)})}


async def _views(call: Call, page: Sequence[Record]) -> list[dict[str, Any]]:
    return [_view(call, record) for record in page]


ACTIVE_CODES = Resource(
    kind=activation.KIND,
    id_field="active_code_id",
    parent_field="robot_id",
    parent=robot_exists,
    children=(activation.HASH, activation.DEVICE),
    views=_views,
)
serve(
    ACTIVE_CODES,
    list="list_active_code",
    show="show_active_code",
    update="update_active_code",
    delete="delete_active_code",
)


def _reply(call: Call, record: Record) -> Reply:
    answer = {
        "active_code_id": record.id,
        "robot_id": record.parent_id,
        "room_id": record.document["room_id"],
        "valid_period": record.document["valid_period"],
        "create_time": rfc3339(record.created_at),
        "update_time": rfc3339(record.updated_at),
        **_view(call, record),
    }
    return Reply(answer, etag(record.version))


@handles("create_active_code")
async def create(call: Call) -> Reply:
    """A new code for a room and a robot."""
    robot_id, room_id = call.body["robot_id"], call.body["room_id"]
    await robot_exists(call, robot_id)
    if await rooms.get(call.context.database, call.project_id, room_id) is None:
        raise ApiError(ErrorCode.ROOM_NOT_FOUND)
    code, now = activation.new_code(), call.now
    record = Record(
        id=records.new_id(),
        project_id=call.project_id,
        kind=activation.KIND,
        document={"room_id": room_id, "valid_period": call.body["valid_period"], "issued_at": now},
        parent_id=robot_id,
        app_user_id=call.app_user,
        secrets={"active_code": code},
        created_at=now,
    )
    async with records.transaction(call.context.database) as steps:
        try:
            record = await steps.create(record, most=MOST)
        except records.TooManyRecordsError as error:
            raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
        await steps.create(activation.pointer(record, code))
    note(call.request, target=record.id)
    return _reply(call, record)


@handles("reset_active_code")
async def reset(call: Call) -> Reply:
    """Another code in place of this one; its days begin anew. It stays its device's unless that is to be forgotten."""
    old = await found(ACTIVE_CODES, call)
    code, now = activation.new_code(), call.now

    def change(record: Record) -> Record:
        return replace(record, document={**record.document, "issued_at": now}, secrets={"active_code": code})

    async with records.transaction(call.context.database) as steps:
        current = await steps.get(call.project_id, activation.KIND, old.id)
        try:
            record = await steps.update(
                call.project_id, activation.KIND, old.id, change, now, expected=call.expected_version
            )
        except records.VersionConflictError:
            raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
        if current is None or record is None:
            raise ApiError(ErrorCode.NOT_FOUND, "active_code_id")
        await activation.forget(steps, current)
        await steps.create(activation.pointer(record, code))
        if call.body.get("clean_auth_credential"):
            await activation.forget_device(steps, record)
    return _reply(call, record)
