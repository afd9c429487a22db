"""What a voice reads in another way than by itself: a project's vocabularies, for texts and for conversations."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from visavis import log
from visavis.api.services.worker_files import kept
from visavis.session.spec import VoiceSpec
from visavis.speech import lexicon
from visavis.speech.lexicon import Entry, Kind, Lexicon
from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter, Record

_log = log.get(__name__)

GROUP: Final = "vocabulary_group"
ENTRY: Final = "vocabulary_entry"
SWITCH: Final = "vocabulary_switch"
"""Kinds of records."""

SWITCH_ID: Final = "vocabulary"
"""The project's switch has this id."""

KIND_OF: Final[dict[str, Kind]] = {
    "ALIAS": "alias",
    "CHINESE_G2P": "pinyin",
    "PHONETIC_SYMBOL": "ipa",
    "CONTINUUM": "linked",
    "SAY_AS": "say-as",
}
"""Published types of entries and what they are to the voices."""

MOST_WORDS: Final = 5000
"""Of one voice: the ones changed last."""

_FOLDER: Final = "lexicons"


async def are_wanted(database: Database, project_id: str, asked: bool | None) -> bool:
    """Whether vocabularies count: as a request says, else as the project's switch is."""
    if asked is not None:
        return asked
    switch = await records.get(database, project_id, SWITCH, SWITCH_ID)
    return switch is not None and switch.document["value"] == "true"


async def lexicon_of(database: Database, project_id: str, voice: str, app_user: str = "") -> Lexicon:
    """The words of a voice: of the groups that have it, and of no group.

    What the project has counts for everybody; what a third-party user has for that one only, and more than the project's.
    Of two groups' readings of a word the one counts that was changed last.
    """
    async with records.transaction(database) as steps:
        groups = await _own(steps, project_id, GROUP, None, app_user)
        parents = ["", *(one.id for one in groups if voice in one.document.get("asset_ids", []))]
        entries = await _own(steps, project_id, ENTRY, parents, app_user)
    entries.sort(key=lambda one: (bool(one.app_user_id), one.updated_at, one.id))
    if len(entries) > MOST_WORDS:
        _log.warning("vocabulary_too_large", project_id=project_id, voice=voice, words=len(entries), most=MOST_WORDS)
    return Lexicon(
        Entry(one.document["key"], KIND_OF[one.document["type"]], one.document["value"].strip())
        for one in entries[-MOST_WORDS:]
    )


async def _own(
    steps: records.Transaction, project_id: str, kind: str, parents: Sequence[str] | None, app_user: str
) -> list[Record]:
    found: list[Record] = []
    for user in dict.fromkeys(("", app_user)):
        _, there = await steps.listing(project_id, kind, Filter(parents=parents, app_user_id=user), limit=None)
        found += there
    return found


async def with_words(
    database: Database,
    data: Path,
    project_id: str,
    voices: Sequence[VoiceSpec],
    asked: bool | None = None,
    app_user: str = "",
) -> list[VoiceSpec]:
    """A room's voices with their words, which are written to a file of the data folder for the worker.

    Args:
        asked: what the room says of vocabularies; None: nothing.
        app_user: the third-party user that the job is started for; empty: nobody in particular.
    """
    if not await are_wanted(database, project_id, asked):
        return list(voices)
    known: dict[str, str] = {}
    for voice in {one.voice_id for one in voices}:
        words = await lexicon_of(database, project_id, voice, app_user)
        if words:
            name = hashlib.sha256(f"{project_id}\n{voice}\n{app_user}".encode()).hexdigest()[:32]
            known[voice] = str(
                await asyncio.to_thread(kept, data / _FOLDER / f"{name}.json", lexicon.to_json(words).encode())
            )
    return [one.model_copy(update={"lexicon": known.get(one.voice_id, "")}) for one in voices]
