"""What knowledge libraries recall: their questions and segments, found by meaning."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from visavis.api.services.documents import DOCUMENT, QUESTION_ANSWER, SEGMENTS
from visavis.dialogue.assistant.tools import ToolLimits
from visavis.dialogue.documents.recall import (
    Passage,
    RememberingEncoder,
    Shelf,
    question_wordings,
    segment_wordings,
)
from visavis.dialogue.factory import DialogueFactory, ToolSettings
from visavis.dialogue.model import Patience
from visavis.settings import Settings
from visavis.store import records
from visavis.store.database import Database
from visavis.store.records import Filter, Record
from visavis.store.tables import records as table
from visavis.urlpolicy import UrlPolicy

_OFFER_S: Final = 5.0  # that an answer waits for the tools of servers: a conversation's first message connects to them
_SHELVES: Final = 32
_LONGEST_QUERY: Final = 1024

_Version = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a library can recall. Of a question: ``text`` is its answer."""

    key: str
    text: str
    wordings: tuple[str, ...]
    question_answer_id: str = ""
    document_id: str = ""
    file_name: str = ""
    file_type: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An item and how well it fits, 0..1."""

    item: Item
    score: float


class Recall:
    """One server's memory of the libraries that were asked. The encoder is loaded when the first one is."""

    def __init__(self, encoder: RememberingEncoder | None = None) -> None:
        self.encoder = encoder or RememberingEncoder()
        self._shelves: OrderedDict[tuple[str, str], tuple[_Version, dict[str, Item], Shelf]] = OrderedDict()
        self._building = asyncio.Lock()
        self._dialogues: DialogueFactory | None = None

    def dialogues(self, settings: Settings) -> DialogueFactory:
        """Makes the dialogues of those who are asked in writing, with what is recalled in memory already."""
        if self._dialogues is None:
            sure, likely = settings.answer_threshold, settings.clarify_threshold
            policy = UrlPolicy(settings.url_allow)
            patience = Patience(
                settings.llm_connect_s, settings.llm_first_token_s, settings.llm_next_token_s, settings.llm_retries
            )
            tools = ToolSettings(settings.mcp_stdio, ToolLimits(offer_s=_OFFER_S, call_s=settings.tool_s))
            self._dialogues = DialogueFactory(sure, likely, policy, self.encoder, patience, tools)
        return self._dialogues

    async def search(self, database: Database, project_id: str, library_id: str, query: str, count: int) -> list[Found]:
        """What the library has nearest to ``query`` (the first 1024 characters of it), best first."""
        items, shelf = await self._shelf(database, project_id, library_id)
        return [Found(items[one.key], one.score) for one in await shelf.search(query[:_LONGEST_QUERY], count)]

    async def _shelf(self, database: Database, project_id: str, library_id: str) -> tuple[dict[str, Item], Shelf]:
        async with self._building:
            key = (project_id, library_id)
            version = await _version(database, project_id, library_id)
            known = self._shelves.get(key)
            if known is None or known[0] != version:
                items = {item.key: item for item in await _items(database, project_id, library_id)}
                passages = [Passage(item.key, item.wordings) for item in items.values()]
                known = (version, items, await asyncio.to_thread(Shelf, passages, self.encoder))
                self._shelves[key] = known
            self._shelves.move_to_end(key)
            while len(self._shelves) > _SHELVES:
                self._shelves.popitem(last=False)
            return known[1], known[2]


async def _version(database: Database, project_id: str, library_id: str) -> _Version:
    """What changes whenever something that the library recalls does."""
    query = select(table.c.id, table.c.version).where(
        table.c.project_id == project_id,
        table.c.kind.in_((QUESTION_ANSWER, SEGMENTS)),
        table.c.parent_id == library_id,
    )
    async with database.read() as connection:
        return tuple(sorted((row.id, row.version) for row in await connection.execute(query)))


async def _items(database: Database, project_id: str, library_id: str) -> list[Item]:
    inside = Filter(parent_id=library_id)
    _, questions = await records.listing(database, project_id, QUESTION_ANSWER, inside, limit=None, order="asc")
    _, documents = await records.listing(database, project_id, DOCUMENT, inside, limit=None, order="asc")
    _, segmented = await records.listing(database, project_id, SEGMENTS, inside, limit=None)
    segments = {record.id: record.document["segments"] for record in segmented}
    return await asyncio.to_thread(_all, questions, documents, segments)


def _all(
    questions: Sequence[Record], documents: Sequence[Record], segments: dict[str, list[dict[str, str]]]
) -> list[Item]:
    items = [
        Item(
            record.id,
            record.document["answer"],
            question_wordings(record.document["question"], record.document.get("similar_questions", "")),
            question_answer_id=record.id,
        )
        for record in questions
    ]
    for record in documents:
        items += [
            Item(
                one["id"],
                one["text"],
                segment_wordings(one["title"], one["text"]),
                document_id=record.id,
                file_name=record.document["file_name"],
                file_type=record.document["file_type"],
            )
            for one in segments.get(record.id, [])
        ]
    return items
