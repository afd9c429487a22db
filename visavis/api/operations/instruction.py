"""Instructions of a library: what is done, which slots it takes, and what is replied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visavis.api.operations.instruction_library import LIBRARIES
from visavis.api.services import references
from visavis.api.services.resources import Resource, parent_in, require, serve
from visavis.api.skeleton import Call
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store.records import Record, Transaction


async def _checked(call: Call, steps: Transaction, given: dict[str, Any], _: Record | None) -> dict[str, Any]:
    slots = given.get("slot_list", [])
    _once((slot["name"] for slot in slots), "slot_list: a name")
    _once((words["language"] for words in given.get("reply_words_list", [])), "reply_words_list: a language")
    for slot in slots:
        _once((one["language"] for one in slot.get("knowledge_library_list", [])), "knowledge_library_list: a language")
    libraries = [one["knowledge_library_id"] for slot in slots for one in slot.get("knowledge_library_list", [])]
    await require(call, steps, references.KNOWLEDGE_LIBRARY, libraries, "knowledge_library_id")
    return given


def _once(values: Iterable[str], what: str) -> None:
    every = list(values)
    if len(set(every)) != len(every):
        raise ApiError(ErrorCode.INVALID_PARAMETER, f"{what} occurs twice")


INSTRUCTIONS = Resource(
    kind="instruction",
    id_field="instruction_id",
    name_field="name",
    parent_field="instruction_library_id",
    parent=parent_in(LIBRARIES),
    defaults={"slot_list": [], "reply_words_list": []},
    prepare=_checked,
)

serve(
    INSTRUCTIONS,
    list="list_instruction",
    create="create_instruction",
    show="show_instruction",
    update="update_instruction",
    delete="delete_instruction",
)
