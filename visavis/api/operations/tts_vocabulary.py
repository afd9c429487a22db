"""Vocabularies of the voices: entries, their groups, the groups' voices, and the project's switch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from visavis.api.services.resources import creating, deleting, found, serve, updating
from visavis.api.services.vocabulary import ENTRIES, GROUPS, MOST_ENTRIES
from visavis.api.services.wordlists import ENTRY, GROUP, SWITCH, SWITCH_ID
from visavis.api.skeleton import Call, Reply, etag, handles
from visavis.contract.base import from_rfc3339, rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import records
from visavis.store.records import Filter, Record

_OFF: Final = "false"

serve(
    GROUPS,
    create="create_ttsc_vocabulary_groups",
    update="update_ttsc_vocabulary_groups",
    delete="delete_ttsc_vocabulary_groups",
)


@handles("set_ttsc_group_assets")
async def set_voices(call: Call) -> Reply:
    """The voices of a group, instead of those that it had."""
    return await updating(GROUPS, call)


@handles("list_ttsc_vocabulary_groups")
async def list_groups(call: Call) -> dict[str, Any]:
    """Groups, newest first; perhaps only one."""
    ids = [call.query["group_id"]] if "group_id" in call.query else None
    count, page = await records.listing(
        call.context.database,
        call.project_id,
        GROUP,
        Filter(ids=ids, app_user_id=call.app_user or None),
        offset=call.query["offset"],
        limit=call.query["limit"],
    )
    return {"count": count, "data": [_group_shown(record) for record in page]}


def _group_shown(record: Record) -> dict[str, Any]:
    return {
        "group_id": record.id,
        "group_name": record.document.get("group_name", ""),
        "asset_ids": record.document.get("asset_ids", []),
    }


# --- entries ----------------------------------------------------------------------------------------------


@handles("create_ttsc_vocabulary_configs")
async def create_entry(call: Call) -> Reply:
    """A new entry, of a group or of none."""
    return await creating(ENTRIES, call)


@handles("delete_ttsc_vocabulary_configs")
async def delete_entries(call: Call) -> None:
    """Delete entries, all or none."""
    await deleting(ENTRIES, call)


@handles("save_ttsc_vocabulary_configs")
async def change_entry(call: Call) -> Reply:
    """Change the given fields of an entry; another ``group_id`` moves it there."""
    await found(ENTRIES, call)
    record_id = call.path["vocabulary_id"]
    async with records.transaction(call.context.database) as steps:
        old = await steps.get(call.project_id, ENTRY, record_id)
        if old is None:
            raise ApiError(ErrorCode.NOT_FOUND, "vocabulary_id")
        group = call.body.get("group_id", old.parent_id)
        given = {name: value for name, value in call.body.items() if name != "group_id"}
        assert ENTRIES.prepare is not None
        whole = await ENTRIES.prepare(call, steps, given, old)
        if group != old.parent_id and await _held(call, steps, group) >= MOST_ENTRIES:
            raise ApiError(ErrorCode.QUOTA_EXCEEDED, f"a group may have {MOST_ENTRIES}")

        def change(record: Record) -> Record:
            return replace(record, document=whole, name=whole["key"][:256], parent_id=group)

        try:
            record = await steps.update(
                call.project_id, ENTRY, record_id, change, call.now, expected=call.expected_version
            )
        except records.VersionConflictError:
            raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
        assert record is not None
    return Reply({"id": record.id}, etag(record.version))


async def _held(call: Call, steps: records.Transaction, group: str) -> int:
    return await steps.count(call.project_id, ENTRY, Filter(parent_id=group))


@handles("list_ttsc_vocabulary_configs")
async def list_entries(call: Call) -> dict[str, Any]:
    """Entries, newest first: of a group, of all groups that have a voice, of a type, with a word."""
    query = call.query
    parents = await _groups_of(call, query["asset_id"]) if "asset_id" in query else None
    count, page = await records.listing(
        call.context.database,
        call.project_id,
        ENTRY,
        Filter(
            parent_id=query.get("group_id"),
            parents=parents,
            name=query.get("search_key", ""),
            app_user_id=call.app_user or None,
            fields={"type": query["type"]} if "type" in query else {},
            since=from_rfc3339(query["start_time"]) if "start_time" in query else None,
            until=from_rfc3339(query["end_time"]) if "end_time" in query else None,
        ),
        offset=query["offset"],
        limit=query["limit"],
    )
    return {"count": count, "data": [_entry_shown(record) for record in page]}


async def _groups_of(call: Call, voice: str) -> list[str]:
    wanted = Filter(app_user_id=call.app_user or None)
    _, groups = await records.listing(call.context.database, call.project_id, GROUP, wanted, limit=None)
    return [group.id for group in groups if voice in group.document.get("asset_ids", [])]


def _entry_shown(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        **record.document,
        "group_id": record.parent_id,
        "create_time": rfc3339(record.created_at),
        "update_time": rfc3339(record.updated_at),
    }


# --- the switch -------------------------------------------------------------------------------------------


@handles("show_vocabulary_switch_configs")
async def show_switch(call: Call) -> dict[str, Any]:
    """The project's one setting, or none if another one is asked for."""
    if call.query.get("key", SWITCH_ID) != SWITCH_ID or call.query["offset"] > 0:
        return {"count": int(call.query.get("key", SWITCH_ID) == SWITCH_ID), "data": []}
    record = await records.get(call.context.database, call.project_id, SWITCH, SWITCH_ID)
    value = _OFF if record is None else record.document["value"]
    return {"count": 1, "data": [{"id": SWITCH_ID, "key": SWITCH_ID, "value": value}]}


@handles("save_ttsc_tenant_configs")
async def save_switch(call: Call) -> Reply:
    """Turn it on or off."""
    if call.body.get("id", SWITCH_ID) != SWITCH_ID:
        raise ApiError(ErrorCode.NOT_FOUND, "id")
    async with records.transaction(call.context.database) as steps:
        old = await steps.get(call.project_id, SWITCH, SWITCH_ID)
        if call.expected_version is not None and call.expected_version != (old.version if old else 0):
            raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version")
        document = {"value": call.body["value"]}
        switch = Record(id=SWITCH_ID, project_id=call.project_id, kind=SWITCH, document=document)
        record = await steps.put(switch, call.now)
    return Reply(None, etag(record.version))
