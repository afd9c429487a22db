"""Documents of knowledge libraries as the API sees them: what is uploaded, and which library it belongs to."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import UploadFile

from visavis.api.services import references
from visavis.api.services.documents import DOCUMENT, MAX_BYTES, MOST, SEGMENTATION, SEGMENTS, blobs, forget, rule_of
from visavis.api.services.resources import Resource
from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.dialogue.documents.blocks import DocumentError
from visavis.dialogue.documents.reading import type_of
from visavis.store import records
from visavis.store.records import Filter, Record

# --- what is uploaded ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came."""

    name: str
    type: str
    content: bytes


async def uploaded(call: Call) -> Upload:
    """The form's file.

    Raises:
        ApiError: there is none, it is empty or too large, or of a type that is not read here.
    """
    file = call.form["file"]
    if not isinstance(file, UploadFile):
        raise ApiError(ErrorCode.INVALID_PARAMETER, "file: wanted a file")
    name = _plain_name(file.filename or "")
    try:
        kind = type_of(name)
    except DocumentError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"file: {error}") from None
    content = await file.read(MAX_BYTES + 1)
    if not content:
        raise ApiError(ErrorCode.INVALID_PARAMETER, "file: it is empty")
    if len(content) > MAX_BYTES:
        raise ApiError(ErrorCode.BODY_TOO_LARGE, f"file: at most {MAX_BYTES} bytes")
    return Upload(name, kind, content)


def _plain_name(name: str) -> str:
    """The last part of the name, without what is no character; at most 256 of them, the extension among them."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(one for one in last if unicodedata.category(one)[0] != "C").strip()
    return shown if len(shown) <= 256 else shown[:200] + shown[-56:]


def fields_of(upload: Upload, blob: str, task: dict[str, str]) -> dict[str, Any]:
    """What a document's record has of its file, and the task that reads it."""
    return {
        "file_name": upload.name,
        "file_type": upload.type,
        "file_size": len(upload.content),
        "blob": blob,
        "document_task_info": task,
    }


# --- the document as a resource -----------------------------------------------------------------------


async def library_of_documents(call: Call, library_id: str) -> None:
    """A parent's check: the project has that library, and it is one of documents.

    Raises:
        ApiError: it has not, or the library holds something else.
    """
    await library(call, library_id, "DOCUMENT")


async def library(call: Call, library_id: str, knowledge_type: str) -> Record:
    """The library of that id.

    Raises:
        ApiError: there is none, or it is of another type.
    """
    record = await records.get(call.context.database, call.project_id, references.KNOWLEDGE_LIBRARY, library_id)
    if record is None or (call.app_user and record.app_user_id != call.app_user):
        raise ApiError(ErrorCode.NOT_FOUND, "knowledge_library_id")
    if record.document["knowledge_type"] != knowledge_type:
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"knowledge_library_id: it is no library of type {knowledge_type}")
    return record


async def _checked(call: Call, _: records.Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    rule_of({**(old.document if old else SEGMENTATION), **given})
    return given


async def _segments_too(call: Call, steps: records.Transaction, ids: list[str]) -> None:
    await steps.remove(call.project_id, SEGMENTS, ids)


DOCUMENTS = Resource(
    kind=DOCUMENT,
    id_field="document_id",
    name_field="file_name",
    parent_field="knowledge_library_id",
    parent=library_of_documents,
    most=MOST,
    prepare=_checked,
    guard=_segments_too,  # it forbids nothing: a document's segments go with it, in the same transaction
)


async def forget_deleted(call: Call, before: dict[str, str]) -> None:
    """Delete the files of those documents (as of :func:`blobs`) that are not there any more."""
    wanted = Filter(ids=sorted(before))
    left = await blobs(call.context.database, call.project_id, wanted) if before else {}
    await forget(call.context.settings.data, *(blob for one, blob in before.items() if one not in left))
