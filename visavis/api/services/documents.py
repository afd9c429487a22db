"""Documents of knowledge libraries as they are stored: their files, how they are to be cut, and the task that does it."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Any, Final

from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.dialogue.documents.segmenting import Rule
from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter

QUESTION_ANSWER: Final = "question_answer"
DOCUMENT: Final = "document"
SEGMENTS: Final = "document_segments"
"""One record a document, of the same id, below the same library: its segments as a list."""

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of one file."""

MOST: Final = 500
"""Documents of one library."""

TOPK: Final = 3
SCORE: Final = 0.4
"""What a library recalls unless it says otherwise: so many entries, from so much likeness on. Measured with questions on a
Chinese and an English text: what was meant has 0.43 to 0.66, what was not at most 0.38."""

AUTOMATIC: Final = 1
_SIZE: Final = 500

SEGMENTATION: Final[dict[str, Any]] = {
    "split_type": AUTOMATIC,
    "chunk_size": _SIZE,
    "chunk_type": "title,separator",
    "separators": ["\n\n"],
}
"""What a document has until it is told otherwise. The last three count for ``split_type`` 2 only."""

_FOLDER: Final = "documents"


# --- where files are ----------------------------------------------------------------------------------


async def keep(data: Path, content: bytes) -> str:
    """Store a file in the data folder. Answers the name of its place there."""
    blob = secrets.token_hex(16)
    await asyncio.to_thread(_write, data / _FOLDER, blob, content)
    return blob


def _write(folder: Path, blob: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f".{blob}"
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, folder / blob)
    finally:
        fresh.unlink(missing_ok=True)


def place(data: Path, blob: str) -> Path:
    """Where a stored file is."""
    return data / _FOLDER / blob


async def forget(data: Path, *blobs: str) -> None:
    """Delete stored files that nothing names any more."""
    for blob in blobs:
        await asyncio.to_thread(place(data, blob).unlink, missing_ok=True)


async def blobs(database: Database, project_id: str, wanted: Filter) -> dict[str, str]:
    """Document id -> place of its file."""
    _, there = await records.listing(database, project_id, DOCUMENT, wanted, limit=None)
    return {record.id: record.document["blob"] for record in there}


# --- how it is cut, and the task that does it --------------------------------------------------------------


def rule_of(document: dict[str, Any]) -> Rule:
    """How a document of these fields is cut.

    Raises:
        ApiError: ``chunk_type`` says "separator", and there is none.
    """
    if document["split_type"] == AUTOMATIC:
        return Rule(_SIZE)
    kinds = (document.get("chunk_type") or SEGMENTATION["chunk_type"]).split(",")
    separators = document.get("separators", SEGMENTATION["separators"]) if "separator" in kinds else []
    # Whoever types \n into a form means a line's end.
    plain = tuple(one.replace("\\n", "\n").replace("\\t", "\t") for one in separators)
    if "separator" in kinds and not any(plain):
        raise ApiError(ErrorCode.INVALID_PARAMETER, 'separators: chunk_type "separator" needs one')
    return Rule(document.get("chunk_size", _SIZE), "title" in kinds, tuple(one for one in plain if one))


def new_task(now: float) -> dict[str, str]:
    """A task that waits. All values are texts, as published."""
    return {
        "task_id": records.new_id(),
        "task_status": "WAITING",
        "task_process": "0",
        "task_result": "",
        "fail_reason": "",
        "create_time": rfc3339(now),
        "begin_time": "",
        "end_time": "",
        "update_time": rfc3339(now),
    }


def unfinished(task: dict[str, str]) -> bool:
    """Whether the task waits or is worked on."""
    return task["task_status"] in ("WAITING", "PROCESSING")
