"""Finding what was stored: questions and segments, ranked as a conversation ranks its stored answers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.dialogue import phrases
from visavis.dialogue.encoder import Encoder, Vectors
from visavis.dialogue.knowledge import Entry, Knowledge
from visavis.dialogue.retrieval import Encode, Index

_SENTENCES: Final = 12
_WORDING: Final = 300
_BATCH: Final = 128


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that may be recalled. ``wordings``: what a question is compared with, at least one."""

    key: str
    wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recalled:
    """A passage's key and how well it fits, 0..1."""

    key: str
    score: float


class Shelf:
    """Passages that can be searched. Immutable; searches may run at the same time."""

    def __init__(self, passages: Sequence[Passage], encoder: Encoder, encode: Encode | None = None) -> None:
        """Encodes all wordings; blocks. ``encode``: does so instead of the encoder."""
        self._keys = [passage.key for passage in passages]
        # The wordings are of any language: an index only asks for the language when it words a question back.
        entries = tuple(
            Entry.model_construct(
                id=str(number), tags=(), keywords=(), questions={"en": list(one.wordings)}, answers={}
            )
            for number, one in enumerate(passages)
        )
        known = Knowledge.model_construct(entries=entries, aliases={})
        self._index = Index(known, encoder, encode) if entries else None

    def __len__(self) -> int:
        return len(self._keys)

    async def search(self, query: str, count: int) -> list[Recalled]:
        """The best passages, best first; none for a query without words."""
        if self._index is None:
            return []
        return [Recalled(self._keys[hit.index], hit.score) for hit in await self._index.search(query, count)]


def question_wordings(question: str, similar: str = "") -> tuple[str, ...]:
    """What a stored question is found by: itself and its similar ones, a line each."""
    return (question, *(line.strip() for line in similar.split("\n") if line.strip()))


def segment_wordings(title: str, text: str) -> tuple[str, ...]:
    """What a segment is found by: its title, each of its first sentences, and its beginning as a whole."""
    sentences = phrases.sentences(text[: _SENTENCES * _WORDING], phrases.language_of(text, "en"))[:_SENTENCES]
    found = [title[-_WORDING:], f"{title} {text}"[:_WORDING], *(one[:_WORDING] for one in sentences)]
    return tuple(dict.fromkeys(one for one in found if any(character.isalnum() for character in one))) or (text,)


class RememberingEncoder(Encoder):
    """An encoder that keeps the vectors of texts it met: a library that changed a little is soon searched again."""

    def __init__(self, most: int = 20_000) -> None:
        """``most``: texts that are kept, of 2 KiB each and their own size."""
        super().__init__()
        self._most = most
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._guard = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """As an encoder's: unit vectors, shape (len(texts), 512); blocks."""
        rows = np.empty((len(texts), self.DIMENSIONS), np.float32)
        missing: dict[str, list[int]] = {}
        with self._guard:
            for number, text in enumerate(texts):
                known = self._known.get(text)
                if known is None:
                    missing.setdefault(text, []).append(number)
                else:
                    self._known.move_to_end(text)
                    rows[number] = known
        new = list(missing)
        for begin in range(0, len(new), _BATCH):
            batch = new[begin : begin + _BATCH]
            for text, vector in zip(batch, super().encode(batch), strict=True):
                rows[missing[text]] = vector
                self._remember(text, vector)
        return rows

    def _remember(self, text: str, vector: Vectors) -> None:
        with self._guard:
            self._known[text] = vector.copy()
            while len(self._known) > self._most:
                self._known.popitem(last=False)
