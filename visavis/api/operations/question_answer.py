"""Questions and answers of a knowledge library."""

from __future__ import annotations

from typing import Any

from visavis.api.services.document_library import library
from visavis.api.services.documents import QUESTION_ANSWER
from visavis.api.services.resources import Resource, serve
from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store.records import Record, Transaction

_MOST = 5000
_SIMILAR = 100
_LONGEST = 1024


async def _in_library(call: Call, library_id: str) -> None:
    await library(call, library_id, "QUESTION_ANSWER")


async def _checked(_: Call, __: Transaction, given: dict[str, Any], ___: Record | None) -> dict[str, Any]:
    similar = [line for line in given.get("similar_questions", "").split("\n") if line.strip()]
    if len(similar) > _SIMILAR or any(len(line) > _LONGEST for line in similar):
        raise ApiError(
            ErrorCode.INVALID_PARAMETER, f"similar_questions: at most {_SIMILAR} lines of {_LONGEST} characters"
        )
    return given


QUESTIONS = Resource(
    kind=QUESTION_ANSWER,
    id_field="question_answer_id",
    name_field="question",
    parent_field="knowledge_library_id",
    parent=_in_library,
    defaults={"similar_questions": ""},
    most=_MOST,
    prepare=_checked,
)

serve(
    QUESTIONS,
    list="list_question_answer",
    create="create_question_answer",
    show="show_question_answer",
    update="update_question_answer",
    delete="delete_question_answer",
)
