"""The words of a robot that its jobs are told of: what to hear right, what to soothe with, what to propose to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from visavis.api.services.wordlists import ENTRY, GROUP
from visavis.contract.base import SpokenLanguage, published, spoken
from visavis.contract.robots import CONFIG_OF
from visavis.session.spec import PacifySpec
from visavis.store import records, robots
from visavis.store.database import Database
from visavis.store.records import Filter, Record
from visavis.store.robots import Robot

HOT_WORDS: Final = "hot_words"
HOT_QUESTION: Final = "hot_question"
PACIFY_WORDS: Final = "pacify_words"
"""Kinds of records; each has the robot as parent."""

MOST_HOT_WORDS: Final = 500
"""Of one language, the ones changed last."""
MOST_HOT_QUESTIONS: Final = 12
"""Of one language: as many as a person reads."""

_LANGUAGES: Final[tuple[SpokenLanguage, ...]] = ("zh", "en")


@dataclass(frozen=True, slots=True)
class PerLanguage:
    """A value that a robot has for each language. ``field``: its name in the API; ``default``: until it was set."""

    kind: str
    field: str
    default: bool | int

    async def of(self, database: Database, project_id: str, robot_id: str, language: str) -> Any:
        """The value for a language by its present name."""
        record = await records.get(database, project_id, self.kind, f"{robot_id}:{language}")
        return self.default if record is None else record.document[self.field]


SWITCH: Final = PerLanguage("pacify_words_switch", "enable_pacify_words", False)
TRIGGER_TIME: Final = PerLanguage("pacify_words_time", "trigger_time", 3000)
"""Milliseconds."""


async def told(database: Database, project_id: str, robot_id: str) -> dict[str, Any]:
    """Those fields of a ``RobotSpec`` that are a robot's words; languages that nobody speaks here are left out."""
    robot = await robots.get(database, project_id, robot_id)
    if robot is None:
        return {}
    return {
        "hot_words": await hot_words(database, robot) if hot_words_are_on(robot) else {},
        "pacify": await pacifying(database, robot),
        "hot_questions": await hot_questions(database, robot),
    }


def hot_words_are_on(robot: Robot) -> bool:
    """Whether ``enable_hot_words`` is set, of the robot's own configuration."""
    place = CONFIG_OF.get(robot.app_type)
    return bool((robot.config(place) if place else robot.settings).get("enable_hot_words", False))


async def hot_words(database: Database, robot: Robot) -> dict[SpokenLanguage, list[str]]:
    """By language: the words of the robot's records, and those of the vocabulary groups that the records name."""
    found: dict[SpokenLanguage, dict[str, None]] = {}
    for record in await _of(database, robot, HOT_WORDS):
        language = _spoken(record)
        if language is None:
            continue
        words = found.setdefault(language, {})
        words.update(dict.fromkeys(record.document.get("words", [])))
        words.update(dict.fromkeys(await _group(database, robot, record.document["vocabulary_id"])))
    return {language: list(words)[:MOST_HOT_WORDS] for language, words in found.items() if words}


async def _group(database: Database, robot: Robot, group_id: str) -> list[str]:
    """The words of a vocabulary group that whoever has the robot may use."""
    group = await records.get(database, robot.project_id, GROUP, group_id)
    if group is None or group.app_user_id not in ("", robot.app_user_id):
        return []
    _, entries = await records.listing(database, robot.project_id, ENTRY, Filter(parent_id=group_id), limit=None)
    return [entry.document["key"] for entry in entries]


async def pacifying(database: Database, robot: Robot) -> dict[SpokenLanguage, PacifySpec]:
    """By language, where it is turned on and there is something to say."""
    there = await _of(database, robot, PACIFY_WORDS)
    found = {}
    for language in _LANGUAGES:
        name = published(language)
        if not await SWITCH.of(database, robot.project_id, robot.id, name):
            continue
        general: list[str] = []
        by_intent: dict[str, list[str]] = {}
        for record in there:
            if _spoken(record) != language:
                continue
            intent = record.document.get("intent", "")
            (by_intent.setdefault(intent, []) if intent else general).append(record.document["pacify_words"])
        if general or by_intent:
            trigger = await TRIGGER_TIME.of(database, robot.project_id, robot.id, name)
            found[language] = PacifySpec(trigger_ms=trigger, general=general, by_intent=by_intent)
    return found


async def hot_questions(database: Database, robot: Robot) -> dict[SpokenLanguage, list[str]]:
    """By language, oldest first."""
    found: dict[SpokenLanguage, list[str]] = {}
    for record in await _of(database, robot, HOT_QUESTION):
        language = _spoken(record)
        if language is not None and len(found.get(language, [])) < MOST_HOT_QUESTIONS:
            found.setdefault(language, []).append(record.document["hot_question"])
    return found


async def _of(database: Database, robot: Robot, kind: str) -> list[Record]:
    order: Any = "desc" if kind == HOT_WORDS else "asc"
    wanted = Filter(parent_id=robot.id)
    _, there = await records.listing(database, robot.project_id, kind, wanted, limit=None, order=order)
    return there


def _spoken(record: Record) -> SpokenLanguage | None:
    try:
        return spoken(record.document.get("language", "CN"))
    except ValueError:
        return None
