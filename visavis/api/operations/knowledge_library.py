"""Knowledge libraries: questions with answers, or documents; and what they recall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from visavis.api.services import documents, references
from visavis.api.services.document_library import forget_deleted, library
from visavis.api.services.languages import serve_by_language
from visavis.api.services.resources import Resource, deleting, list_of_ids
from visavis.api.skeleton import Call, handles
from visavis.store.records import Filter, Record
from visavis.store.tables import records as table


async def _sizes(call: Call, page: Sequence[Record]) -> list[dict[str, Any]]:
    """How many questions, or documents, each library has."""
    query = (
        select(table.c.parent_id, func.count().label("size"))
        .where(
            table.c.project_id == call.project_id,
            table.c.kind.in_((documents.QUESTION_ANSWER, documents.DOCUMENT)),
            table.c.parent_id.in_([record.id for record in page]),
        )
        .group_by(table.c.parent_id)
    )
    async with call.context.database.read() as connection:
        sizes = Counter({row.parent_id: row.size for row in await connection.execute(query)})
    return [{"knowledge_size": sizes[record.id]} for record in page]


LIBRARIES = Resource(
    kind=references.KNOWLEDGE_LIBRARY,
    id_field="knowledge_library_id",
    name_field="name",
    filters=("knowledge_type", "language"),
    children=(documents.QUESTION_ANSWER, documents.DOCUMENT, documents.SEGMENTS),
    defaults={"topk": documents.TOPK, "score": documents.SCORE},
    guard=references.named_by(references.ROLE, "instruction"),
    views=_sizes,
)

serve_by_language(
    LIBRARIES,
    list="list_knowledge_library",
    create="create_knowledge_library",
    show="show_knowledge_library",
    update="update_knowledge_library",
    delete=(),
)


@handles("delete_knowledge_library")
async def _delete(call: Call) -> None:
    before: dict[str, str] = {}
    for library_id in list_of_ids(call.body):
        before |= await documents.blobs(call.context.database, call.project_id, Filter(parent_id=library_id))
    await deleting(LIBRARIES, call)
    await forget_deleted(call, before)


@handles("check_recall_knowledge_library")
async def _recall(call: Call) -> dict[str, Any]:
    """What the library has nearest to the query, best first, from the wanted score on."""
    asked = call.body
    record = await library(call, asked["knowledge_library_id"], asked["knowledge_type"])
    score = asked.get("score", record.document.get("score", documents.SCORE))
    count = asked.get("topk", record.document.get("topk", documents.TOPK))
    found = await call.context.recall.search(call.context.database, call.project_id, record.id, asked["query"], count)
    return {
        "body": [
            {
                "document_id": one.item.document_id,
                "file_name": one.item.file_name,
                "file_type": one.item.file_type,
                "question_answer_id": one.item.question_answer_id,
                "content": one.item.text,
                "score": round(one.score, 4),
            }
            for one in found
            if one.score >= score
        ]
    }
