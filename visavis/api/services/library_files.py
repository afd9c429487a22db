"""Knowledge libraries as files that workers read: what a role names, written when a job starts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from visavis.api.services import documents, references
from visavis.api.services.worker_files import kept
from visavis.dialogue.knowledge.library import packed
from visavis.session.spec import LibrarySpec
from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter, Record

_FOLDER = "libraries"


async def library_specs(
    database: Database, folder: Path, project_id: str, library_ids: Sequence[str]
) -> list[LibrarySpec]:
    """The libraries of these ids that are there, in this order, each as a file of what it holds now.

    A library that did not change has the file that it had, so that workers need not make it ready again.

    Args:
        folder: where files for workers are kept; they get a folder of their own there.
    """
    wanted = list(dict.fromkeys(library_ids))
    if not wanted:
        return []
    _, there = await records.listing(database, project_id, references.KNOWLEDGE_LIBRARY, Filter(ids=wanted), limit=None)
    known = {record.id: record for record in there}
    return [await _spec(database, folder, known[one]) for one in wanted if one in known]


async def _spec(database: Database, folder: Path, library: Record) -> LibrarySpec:
    inside = Filter(parent_id=library.id)
    project_id = library.project_id
    if library.document["knowledge_type"] == "QUESTION_ANSWER":
        _, questions = await records.listing(
            database, project_id, documents.QUESTION_ANSWER, inside, limit=None, order="asc"
        )
        items = _questions(questions)
    else:
        _, files = await records.listing(database, project_id, documents.DOCUMENT, inside, limit=None, order="asc")
        _, segmented = await records.listing(database, project_id, documents.SEGMENTS, inside, limit=None)
        items = _segments(files, {record.id: record.document["segments"] for record in segmented})
    name = hashlib.sha256(f"{project_id}\n{library.id}".encode()).hexdigest()[:32]
    path = folder / _FOLDER / f"{name}.json"
    await asyncio.to_thread(lambda: kept(path, packed(library.name, items)))
    return LibrarySpec(
        file=str(path),
        name=library.name,
        least=library.document.get("score", documents.SCORE),
        count=library.document.get("topk", documents.TOPK),
    )


def _questions(there: Sequence[Record]) -> Iterator[dict[str, Any]]:
    for record in there:
        similar = record.document.get("similar_questions", "").split("\n")
        item = {"text": record.document["answer"], "question": record.document["question"]}
        if lines := [line.strip() for line in similar if line.strip()]:
            item["similar"] = lines
        yield item


def _segments(files: Sequence[Record], segments: dict[str, list[dict[str, str]]]) -> Iterator[dict[str, Any]]:
    for record in files:
        for number, one in enumerate(segments.get(record.id, []), 1):
            yield {
                "text": one["text"],
                "title": one["title"],
                "file": record.document["file_name"],
                "number": number,
            }
