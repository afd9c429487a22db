"""Knowledge libraries as files: what the database holds of one, written by the server, read by whoever answers from it.

``{"format": "visavis-library", "version": 1, "name": ..., "items": [...]}``; an item is a question with its answer, or a segment of
a document::

    {"text": "From nine to five.", "question": "When are you open?", "similar": ["Opening hours?"]}
    {"text": "The museum has ...", "title": "Visitors", "file": "guide.pdf", "number": 3}
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from visavis.dialogue.documents.recall import question_wordings, segment_wordings
from visavis.dialogue.knowledge import KnowledgeError

MAX_BYTES: Final = 256 * 1024 * 1024
_MOST_WORDINGS: Final = 40_000
"""Of one library: 80 MiB of vectors, and 10 ms a question."""
_TITLE: Final = 80


class Item(BaseModel):
    """Something that may be recalled. ``number``: the segment's place in its document, from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    question: str = ""
    similar: tuple[str, ...] = ()
    title: str = ""
    file: str = ""
    number: int = 0

    def source(self, library: str) -> str:
        """What a person calls it, of a library of that name."""
        if self.question:
            return f"{library} / {self.question}"
        title = f" {self.title[:_TITLE]}" if self.title else ""
        return f"{library} / {self.file} #{self.number}{title}"


class LibraryContent(BaseModel):
    """All that a library has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["visavis-library"] = "visavis-library"
    version: Literal[1] = 1
    name: str
    items: tuple[Item, ...]

    def wordings(self) -> list[tuple[str, ...]]:
        """What a question is compared with, of each item; fewer of each, where there are very many."""
        most = max(2, _MOST_WORDINGS // max(1, len(self.items)))
        return [_wordings(item)[:most] for item in self.items]


def _wordings(item: Item) -> tuple[str, ...]:
    if item.question:
        return question_wordings(item.question, "\n".join(item.similar))
    return segment_wordings(item.title, item.text)


def packed(name: str, items: Iterable[dict[str, Any]]) -> bytes:
    """The file of a library. The same items make the same bytes."""
    whole = {"format": "visavis-library", "version": 1, "name": name, "items": list(items)}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def unpacked(path: Path) -> LibraryContent:
    """Read a library's file. Raises KnowledgeError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KnowledgeError(f"{path.name}: larger than {MAX_BYTES // 1024 // 1024} MiB")
        return LibraryContent.model_validate_json(path.read_bytes())
    except OSError as error:
        raise KnowledgeError(f"{path.name}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise KnowledgeError(f"{path.name}: {where}: {first['msg']}") from error
