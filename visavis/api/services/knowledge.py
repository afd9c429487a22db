"""Knowledge as the API handles it: the rules of skills, their intents, and the questions of those.

Skills belong to the project: no robot names one. So every robot that answers from what is stored answers from all of them.
A skill goes with its intents, and an intent with its questions; an intent that pacify words name may not go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visavis.api.services.resources import Resource, parent_in
from visavis.api.services.robot_words import PACIFY_WORDS
from visavis.api.services.topics import INTENT, QUESTION, SKILL
from visavis.api.skeleton import Call
from visavis.contract.base import rfc3339
from visavis.contract.errors import ApiError, ErrorCode
from visavis.store import records
from visavis.store.records import Filter, Record, Transaction

_MOST_INTENTS, _MOST_QUESTIONS = 5_000, 20_000
"""Of a project: whoever answers from them must read them all before a conversation begins."""

_APART_S = 1e-6
"""Between the creation of things that were given in one list, so that it keeps its order."""


# --- rules ------------------------------------------------------------------------------------------------


async def of_identify(call: Call, steps: Transaction, identify: str) -> Record | None:
    """The intent of that ``identify`` that the caller may see."""
    wanted = Filter(fields={"identify": identify}, app_user_id=call.app_user or None)
    _, there = await steps.listing(call.project_id, INTENT, wanted, limit=1)
    return there[0] if there else None


async def _not_named_by_pacify_words(call: Call, steps: Transaction, ids: list[str]) -> None:
    """A guard of intents.

    Raises:
        ApiError: pacify words name one; it tells which.
    """
    _, intents = await steps.listing(call.project_id, INTENT, Filter(ids=ids), limit=None)
    mine = {intent.document["identify"]: intent.name for intent in intents}
    _, words = await steps.listing(call.project_id, PACIFY_WORDS, Filter(fields={"pacify_words_type": 1}), limit=None)
    for one in words:
        if (name := mine.get(one.document["intent"])) is not None:
            raise ApiError(ErrorCode.IN_USE, f"pacify words name the intent {name}")


async def _unique_identify(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    identify = given.get("identify")
    if identify is not None and (old is None or identify != old.document["identify"]):
        wanted = Filter(fields={"identify": identify}, app_user_id=call.app_user or None)
        if await steps.count(call.project_id, SKILL, wanted):
            raise ApiError(ErrorCode.EXISTS, f"a skill with identify {identify}")
    return given


async def _identified(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    if old is not None:
        return given
    await _room_for(call, steps, INTENT, _MOST_INTENTS)
    return {**given, "identify": f"intent_{records.new_id()[:16]}"}


async def _counted(call: Call, steps: Transaction, given: dict[str, Any], old: Record | None) -> dict[str, Any]:
    if old is None:
        await _room_for(call, steps, QUESTION, _MOST_QUESTIONS)
    return given


async def _room_for(call: Call, steps: Transaction, kind: str, most: int, more: int = 1) -> None:
    if await steps.count(call.project_id, kind) + more > most:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, f"a project may have {most}")


SKILLS = Resource(kind=SKILL, id_field="skill_id", name_field="name", prepare=_unique_identify)
INTENTS = Resource(
    kind=INTENT,
    id_field="intent_id",
    name_field="name",
    parent_field="skill_id",
    parent=parent_in(SKILLS),
    children=(QUESTION,),
    prepare=_identified,
    guard=_not_named_by_pacify_words,
)
QUESTIONS = Resource(
    kind=QUESTION,
    id_field="question_id",
    parent_field="intent_id",
    parent=parent_in(INTENTS),
    prepare=_counted,
    most=200,
)


# --- what takes several records ---------------------------------------------------------------------------


async def add_intent(call: Call, steps: Transaction, skill_id: str, name: str, answer: str) -> Record:
    """A new intent of a skill that is there. Raises ApiError: it has too many."""
    document = await _identified(call, steps, {"name": name, "answer": answer}, None)
    return await _add(call, steps, INTENTS, skill_id, document, name, call.now)


async def add_questions(call: Call, steps: Transaction, intent_id: str, texts: Sequence[str]) -> list[Record]:
    """New questions of an intent that is there, in their order. Raises ApiError: it has too many."""
    await _room_for(call, steps, QUESTION, _MOST_QUESTIONS, len(texts))
    now = call.now
    return [
        await _add(call, steps, QUESTIONS, intent_id, {"question": text}, "", now + number * _APART_S)
        for number, text in enumerate(texts)
    ]


async def _add(
    call: Call,
    steps: Transaction,
    resource: Resource,
    parent_id: str,
    document: dict[str, Any],
    name: str,
    created_at: float,
) -> Record:
    record = Record(
        id=records.new_id(),
        project_id=call.project_id,
        kind=resource.kind,
        document=document,
        name=name,
        parent_id=parent_id,
        app_user_id=call.app_user,
        created_at=created_at,
    )
    try:
        return await steps.create(record, most=resource.most)
    except records.TooManyRecordsError as error:
        raise ApiError(ErrorCode.QUOTA_EXCEEDED, str(error)) from None


async def remove_skills(call: Call, steps: Transaction, ids: Sequence[str]) -> None:
    """Delete skills with all that is in them, all or none. Ids that are not there are ignored.

    Raises:
        ApiError: pacify words name an intent of one.
    """
    _, skills = await steps.listing(
        call.project_id, SKILL, Filter(ids=ids, app_user_id=call.app_user or None), limit=None
    )
    for skill in skills:
        _, intents = await steps.listing(call.project_id, INTENT, Filter(parent_id=skill.id), limit=None)
        inner = [intent.id for intent in intents]
        if inner:
            await _not_named_by_pacify_words(call, steps, inner)
            await steps.remove(call.project_id, INTENT, inner, children=(QUESTION,))
    await steps.remove(call.project_id, SKILL, [skill.id for skill in skills])


def question_view(record: Record) -> dict[str, Any]:
    """A question as answers have it."""
    return {
        "question_id": record.id,
        "intent_id": record.parent_id,
        "question": record.document["question"],
        "create_time": rfc3339(record.created_at),
        "update_time": rfc3339(record.updated_at),
    }
