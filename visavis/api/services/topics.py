"""The project's stored knowledge: skills hold intents (a topic and its answer), intents the questions it is asked for by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter, Record

SKILL, INTENT, QUESTION = "knowledge_skill", "knowledge_intent", "knowledge_question"
"""Kinds of records; an intent's parent is its skill, a question's its intent."""


@dataclass(frozen=True, slots=True)
class Topic:
    """An intent with its questions, oldest first."""

    intent: Record
    questions: tuple[str, ...]


async def of_skill(database: Database, project_id: str, skill_id: str) -> list[Topic]:
    """What a skill knows, oldest first."""
    _, intents = await records.listing(
        database, project_id, INTENT, Filter(parent_id=skill_id), limit=None, order="asc"
    )
    _, questions = await records.listing(database, project_id, QUESTION, limit=None, order="asc")
    return _grouped(intents, questions)


async def heard_by(database: Database, project_id: str, app_user: str) -> list[Topic]:
    """What the skills know that a third-party user may hear of: nobody's in particular, and their own. Oldest first."""
    _, skills = await records.listing(database, project_id, SKILL, limit=None)
    theirs = {skill.id for skill in skills if skill.app_user_id in ("", app_user)}
    if not theirs:
        return []
    _, intents = await records.listing(database, project_id, INTENT, limit=None, order="asc")
    _, questions = await records.listing(database, project_id, QUESTION, limit=None, order="asc")
    return _grouped((intent for intent in intents if intent.parent_id in theirs), questions)


def _grouped(intents: Iterable[Record], questions: Sequence[Record]) -> list[Topic]:
    asked: dict[str, list[str]] = {}
    for one in questions:
        asked.setdefault(one.parent_id, []).append(one.document["question"])
    return [Topic(intent, tuple(asked.get(intent.id, ()))) for intent in intents]
