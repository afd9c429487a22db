"""What a robot says, unasked, to whoever comes: its welcome speeches and their switch, as they are stored.

There is one switch for each language of a robot, and one for all of them: what was set for a language counts before what was
set for all. A speech without a language suits every language. Languages go by their present names (CN, EN, ...).
"""

from __future__ import annotations

from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter

SPEECH, SWITCH = "welcome_speech", "welcome_speech_switch"
"""Kinds of records; both have the robot as parent."""

FIELD = "enable_welcome_speech"
"""Of a switch."""

Switches = dict[str, bool]
"""Language ("" for all) -> whether it is on."""


async def to_speak(database: Database, project_id: str, robot_id: str, language: str) -> str:
    """What the robot says first in a conversation that begins in that language; empty: nothing.

    Of several speeches the newest; one of the language rather than one that suits every language.
    """
    known = await switches(database, project_id, robot_id)
    if not any(known.values()):
        return ""
    _, speeches = await records.listing(database, project_id, SPEECH, Filter(parent_id=robot_id), limit=None)
    for wanted in (language, ""):
        for speech in speeches:
            if speech.document.get("language", "") == wanted and is_on(known, wanted):
                return str(speech.document["welcome_speech"])
    return ""


async def switches(database: Database, project_id: str, robot_id: str) -> Switches:
    """All that were set for a robot."""
    _, there = await records.listing(database, project_id, SWITCH, Filter(parent_id=robot_id), limit=None)
    return {record.document["language"]: record.document[FIELD] for record in there}


def is_on(known: Switches, language: str) -> bool:
    """Whether speeches of that language ("": that suit every language) are spoken; not until somebody turned them on."""
    return known.get(language, known.get("", False))
