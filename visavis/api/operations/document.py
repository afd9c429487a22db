"""Documents of a knowledge library: files that are uploaded, read in the background and recalled by segments."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from starlette.responses import FileResponse

from visavis.api.auditing import note
from visavis.api.services import documents, references
from visavis.api.services.document_library import (
    DOCUMENTS,
    fields_of,
    forget_deleted,
    library_of_documents,
    uploaded,
)
from visavis.api.services.documents import SEGMENTATION
from visavis.api.services.resources import deleting, found, list_of_ids, serve, showing
from visavis.api.skeleton import Call, Reply, handles
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import records
from visavis.store.records import Filter, Record

serve(DOCUMENTS, list="list_document_info", show="show_document_info")


@handles("create_document")
async def _create(call: Call) -> Reply:
    """Keep the file, and have it read."""
    library_id = call.query["knowledge_library_id"]
    await library_of_documents(call, library_id)
    upload = await uploaded(call)
    database, data = call.context.database, call.context.settings.data
    blob = await documents.keep(data, upload.content)
    record = Record(
        id=records.new_id(),
        project_id=call.project_id,
        kind=documents.DOCUMENT,
        document={**SEGMENTATION, **fields_of(upload, blob, documents.new_task(call.now))},
        name=upload.name,
        parent_id=library_id,
        app_user_id=call.app_user,
        created_at=call.now,
    )
    try:
        async with records.transaction(database) as steps:
            if await steps.get(call.project_id, references.KNOWLEDGE_LIBRARY, library_id) is None:
                raise ApiError(ErrorCode.NOT_FOUND, "knowledge_library_id")  # deleted while the file came
            await steps.create(record, most=DOCUMENTS.most)
    except records.TooManyRecordsError as error:
        await documents.forget(data, blob)
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None
    except BaseException:
        await documents.forget(data, blob)
        raise
    note(call.request, target=record.id)
    call.context.segmenting.start(call.context, call.project_id, record.id)
    return await showing(DOCUMENTS, replace(call, path={"document_id": record.id}))


@handles("update_document")
async def _update(call: Call) -> None:
    """Another file in place of the one there was: it is read anew, how it is cut stays as it was set."""
    old = await found(DOCUMENTS, call)
    upload = await uploaded(call)
    data = call.context.settings.data
    blob = await documents.keep(data, upload.content)
    replaced = old.document["blob"]

    def change(record: Record) -> Record:
        nonlocal replaced
        replaced = record.document["blob"]
        fields = fields_of(upload, blob, documents.new_task(call.now))
        return replace(record, document={**record.document, **fields, "segments": 0}, name=upload.name)

    try:
        async with records.transaction(call.context.database) as steps:
            changed = await steps.update(
                call.project_id, documents.DOCUMENT, old.id, change, call.now, expected=call.expected_version
            )
            if changed is None:
                raise ApiError(DOCUMENTS.not_found, "document_id")
            await steps.remove(call.project_id, documents.SEGMENTS, [old.id])  # they are of the file that is replaced
    except records.VersionConflictError:
        await documents.forget(data, blob)
        raise ApiError(ErrorCode.VERSION_CONFLICT, "If-Match names another version") from None
    except BaseException:
        await documents.forget(data, blob)
        raise
    await documents.forget(data, replaced)
    call.context.segmenting.start(call.context, call.project_id, old.id)


@handles("delete_document")
async def _delete(call: Call) -> None:
    wanted = Filter(ids=list_of_ids(call.body))
    before = await documents.blobs(call.context.database, call.project_id, wanted)
    await deleting(DOCUMENTS, call)
    await forget_deleted(call, before)


@handles("download_document")
async def _download(call: Call) -> FileResponse:
    """The file as it came. Browsers are told to save it, whatever it is."""
    record = await found(DOCUMENTS, call)
    path = documents.place(call.context.settings.data, record.document["blob"])
    if not await asyncio.to_thread(path.is_file):
        raise ApiError(DOCUMENTS.not_found, "the document's file")
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=record.document["file_name"],
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"},
    )
