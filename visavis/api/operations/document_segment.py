"""Segments of documents: how they are cut, what came of it, and what a person corrects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from visavis.api.services import documents
from visavis.api.services.document_library import DOCUMENTS
from visavis.api.services.documents import SEGMENTS
from visavis.api.services.resources import found, updating
from visavis.api.skeleton import Call, Reply, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.dialogue.documents.blocks import DocumentError
from visavis.store import records
from visavis.store.records import Record


@handles("list_document_segment")
async def _list(call: Call) -> dict[str, Any]:
    """The segments in the document's order; none before its task has succeeded."""
    record = await found(DOCUMENTS, call, call.query["document_id"])
    held = await records.get(call.context.database, call.project_id, SEGMENTS, record.id)
    every = held.document["segments"] if held else []
    offset, limit = call.query["offset"], call.query["limit"]
    page = [
        {"id": one["id"], "text_index": number, "title": one["title"], "text": one["text"]}
        for number, one in enumerate(every[offset : offset + limit], start=offset)
    ]
    return {"offset": offset, "limit": limit, "count": len(every), "data": page}


@handles("preview_document_segment")
async def _preview(call: Call) -> dict[str, Any]:
    """The first segments that the body's way of cutting would make; nothing is stored, so they have no ids."""
    record = await found(DOCUMENTS, call, call.query["document_id"])
    rule = documents.rule_of({**record.document, **call.body})
    try:
        first = await call.context.segmenting.read(
            call.context.settings.data, record.document, rule, call.query["preview_lines"]
        )
    except DocumentError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"document_id: {error}") from None
    return {
        "body": [
            {"id": "", "text_index": number, "title": one.title, "text": one.text} for number, one in enumerate(first)
        ]
    }


@handles("start_document_segment")
async def _start(call: Call) -> None:
    """Read the document anew; what a person had corrected is replaced."""
    record = await found(DOCUMENTS, call, call.body["document_id"])

    def change(old: Record) -> Record:
        return replace(old, document={**old.document, "document_task_info": documents.new_task(call.now)})

    changed = await records.update_record(
        call.context.database, call.project_id, documents.DOCUMENT, record.id, change, call.now
    )
    if changed is None:
        raise ApiError(DOCUMENTS.not_found, "document_id")
    call.context.segmenting.start(call.context, call.project_id, record.id)


@handles("update_document_segment_param")
async def _param(call: Call) -> Reply:
    """How the document is cut from the next start on; the segments stay as they are."""
    return await updating(DOCUMENTS, call)


@handles("update_document_segment_info")
async def _correct(call: Call) -> None:
    """Another text for a segment, or another place in the order."""
    asked = call.body
    document = await found(DOCUMENTS, call, asked["document_id"])
    if documents.unfinished(document.document["document_task_info"]):
        raise ApiError(ErrorCode.IN_USE, "the document is being segmented")

    def change(old: Record) -> Record:
        entries = list(old.document["segments"])
        number = next((at for at, one in enumerate(entries) if one["id"] == asked["id"]), None)
        if number is None:
            raise ApiError(ErrorCode.NOT_FOUND, "id: the document has no such segment")
        entry = {**entries.pop(number), **({"text": asked["text"]} if "text" in asked else {})}
        place = asked.get("text_index", number)
        if place > len(entries):
            raise ApiError(ErrorCode.INVALID_PARAMETER, f"text_index: the last one is {len(entries)}")
        entries.insert(place, entry)
        return replace(old, document={"segments": entries})

    changed = await records.update_record(
        call.context.database, call.project_id, SEGMENTS, document.id, change, call.now
    )
    if changed is None:
        raise ApiError(ErrorCode.NOT_FOUND, "id: the document has no segments")
