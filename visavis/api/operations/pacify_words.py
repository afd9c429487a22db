"""Pacify words: what a robot says while the person waits for an answer, in general or for an intent."""

from __future__ import annotations

from typing import Any

from visavis.api.services.knowledge import of_identify
from visavis.api.services.languages import serve_by_language
from visavis.api.services.resources import Resource, robot_exists
from visavis.api.services.robot_words import PACIFY_WORDS
from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store.records import Record, Transaction

_FOR_AN_INTENT = 1


async def _prepare(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    if old is not None:
        return given
    intent = given.get("intent", "") if given["pacify_words_type"] == _FOR_AN_INTENT else ""
    if given["pacify_words_type"] == _FOR_AN_INTENT:
        if not intent:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "intent: pacify_words_type 1 needs it")
        if await of_identify(call, steps, intent) is None:
            raise ApiError(ErrorCode.INVALID_PARAMETER, "intent: names what is not there")
    return {**given, "intent": intent}


serve_by_language(
    Resource(
        kind=PACIFY_WORDS,
        id_field="pacify_words_id",
        parent_field="robot_id",
        parent=robot_exists,
        filters=("language", "pacify_words_type", "intent"),
        prepare=_prepare,
    ),
    list="list_pacify_words",
    create="create_pacify_words",
    show="show_pacify_words",
    update="update_pacify_words",
    delete=("delete_pacify_words", "batch_delete_pacify_words"),
)
