"""Answers by retrieval: the stored question nearest in meaning decides what is said.

Scores are cosines of sentence vectors, 0..1: an entry's score mixes its best and its second best question
(three to one, so that one chance hit weighs less), plus a small boost where an exact name or code of the entry
was said. Texts are compared in the form a recogniser could have written: lower case, no punctuation, one question
mark at the end; misspelt names are put right first. Measured figures are in docs/decisions/0005-retrieval.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.dialogue.encoder import Encoder, Vectors
from visavis.dialogue.knowledge import Entry, Knowledge
from visavis.dialogue.sounds import Names, Sounds
from visavis.speech.types import Language

_SECOND: Final = 0.25
_BOOST: Final = 0.08
_RESPELT: Final = 0.97
"""What the likeness of a question counts that was not written so, only sounds so."""
_CLAUSE: Final = 0.94
"""What the likeness of a clause counts, where more was said."""
_SHORTEST_CLAUSE: Final = 5
_MOST_CLAUSES: Final = 3
_ENDS: Final = " ,.;:?!，。；：？！"
_CLAUSE_END: Final = re.compile(r"[,;:?!，。；：？！]+|\.(?=\s|$)")
_UNIT: Final = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")

Encode = Callable[[Sequence[str]], Vectors]
"""Texts to unit vectors, a row each; blocks."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry and how well it fits, 0..1."""

    entry: Entry
    score: float
    index: int


def _clauses(text: str) -> list[str]:
    """The last clauses of a text that has several, each long enough to be a question: people explain before they ask."""
    clauses = [clause for clause in _CLAUSE_END.split(text) if len(_UNIT.findall(clause)) >= _SHORTEST_CLAUSE]
    return clauses[-_MOST_CLAUSES:] if len(_CLAUSE_END.split(text.strip(_ENDS))) > 1 else []


def _apart(spelling: str) -> str:
    return " ".join(re.split(r"[\s-]+", spelling.casefold()))


def _word(text: str) -> str:
    """A pattern that finds ``text`` as a whole word, with hyphens or without; Chinese has no word borders."""
    escaped = re.escape(text.casefold()).replace(r"\ ", r"[\s-]+")
    return rf"(?<![a-z0-9]){escaped}(?![a-z0-9])" if text.isascii() else escaped


class Normaliser:
    """Brings a question into the form that is compared."""

    def __init__(self, aliases: dict[str, str]) -> None:
        """``aliases``: misspelling -> name. A Chinese one stands for all that sounds like it, one of several words also for those
        with hyphens."""
        self._names = {_apart(spelling): name for spelling, name in aliases.items()}
        self._by_ear = Names(self._names)
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_word, longest_first))) if longest_first else None

    def names(self, text: str) -> str:
        """Case-folded, with misspelt names put right."""
        text = text.casefold()
        if self._pattern is None:
            return text
        return self._by_ear.put_right(self._pattern.sub(lambda match: self._names[_apart(match[0])], text))

    def question(self, text: str) -> str:
        """The form that is encoded; "" if nothing is left."""
        words = " ".join(re.sub(r"[^\w\s']", " ", self.names(text)).split())
        return f"{words}{'?' if words.isascii() else '？'}" if words else ""


class Index:
    """The questions of a knowledge as one matrix. Immutable, shared by sessions."""

    def __init__(self, knowledge: Knowledge, encoder: Encoder, encode: Encode | None = None) -> None:
        """Encodes all questions, a millisecond or two each; blocks.

        Args:
            encode: does so instead of the encoder, which still encodes what is asked.
        """
        self._entries = knowledge.entries
        self._encoder = encoder
        self._normaliser = Normaliser(knowledge.aliases)
        self.names = tuple(dict.fromkeys(knowledge.aliases.values()))
        """Names that recognisers misspell: who listens should expect them."""
        rows = [
            (number, language, question)
            for number, entry in enumerate(self._entries)
            for language, questions in entry.questions.items()
            for question in questions
        ]
        self._languages = [language for _, language, _ in rows]
        self._questions = [question for _, _, question in rows]
        self._owners = np.array([number for number, _, _ in rows])
        self._first = np.searchsorted(self._owners, np.arange(len(self._entries) + 1))
        normal = [self._normaliser.question(question) for question in self._questions]
        self._matrix = (encode or encoder.encode)(normal)
        self._sounds = Sounds(normal)
        self._keywords = [
            (number, re.compile("|".join(map(_word, entry.keywords))))
            for number, entry in enumerate(self._entries)
            if entry.keywords
        ]

    def __len__(self) -> int:
        return len(self._entries)

    async def search(self, text: str, count: int = 3) -> list[Hit]:
        """The best entries for a question, best first; none for a text without words."""
        question = self._normaliser.question(text)
        if not question:
            return []
        clauses = [self._normaliser.question(clause) for clause in _clauses(text)]
        return await asyncio.to_thread(self._found, question, clauses, self._normaliser.names(text), count)

    def wording(self, hit: Hit, language: Language) -> str:
        """The entry's first stored question in ``language`` (else in another), for asking back."""
        span = range(int(self._first[hit.index]), int(self._first[hit.index + 1]))
        row = next((row for row in span if self._languages[row] == language), span[0])
        return self._questions[row]

    def _found(self, question: str, clauses: Sequence[str], said: str, count: int) -> list[Hit]:
        similarity = self._similarity(question, clauses)
        starts = self._first[:-1]
        best = np.maximum.reduceat(similarity, starts)
        # Each entry's best row is put aside, so that what is best now was second.
        _, rows = np.unique(self._owners[similarity == best[self._owners]], return_index=True)
        similarity[np.flatnonzero(similarity == best[self._owners])[rows]] = -np.inf
        second = np.maximum.reduceat(similarity, starts)
        scores = np.where(np.isfinite(second), (1 - _SECOND) * best + _SECOND * second, best)
        for number, pattern in self._keywords:
            if pattern.search(said):
                scores[number] += _BOOST
        order = np.argsort(-scores, kind="stable")[:count]
        return [Hit(self._entries[i], float(np.clip(scores[i], 0.0, 1.0)), int(i)) for i in order]

    def _similarity(self, question: str, clauses: Sequence[str]) -> Vectors:
        """How near each stored question is: to what was asked, to a clause of it, to what it sounds like."""
        weights = {question: 1.0}
        for clause in clauses:
            weights.setdefault(clause, _CLAUSE)
        for text, weight in list(weights.items()):
            weights.setdefault(self._sounds.respelt(text), weight * _RESPELT)
        vectors = self._encoder.encode(list(weights)) * np.array(list(weights.values()), np.float32)[:, None]
        similarity: Vectors = (self._matrix @ vectors.T).max(axis=1)
        self._sounds.lift(similarity, question)
        return similarity


_YES: Final = re.compile(
    r"^(?:yes|yeah|yep|yup|sure|right|correct|exactly|ok|okay|of course|yes please|yes i do|that's right|that one"
    r"|是|是的|对|对的|对啊|对呀|没错|好|好的|嗯|嗯嗯|可以|正是|是啊|是呀)$"
)
_NO: Final = re.compile(
    r"^(?:no|nope|nah|no thanks|no thank you|neither|none|not really|no i don't|none of them"
    r"|不|不是|不是的|不对|都不是|没有|不用|不要|算了)$"
)
_EN_BEFORE: Final = r"^(?:i mean |i meant |it's |it is )?(?:the )?"
_EN_AFTER: Final = r"(?: one| question)?(?: please)?$"
_ZH_BEFORE: Final = r"^(?:是|我是说|我说的是|就是|选)?"
_ZH_AFTER: Final = r"(?:个|一个|种)?(?:问题)?(?:吧|的)?$"
_FIRST: Final = re.compile(
    rf"{_EN_BEFORE}(?:first|former|number one|one|1|1st){_EN_AFTER}"
    rf"|{_ZH_BEFORE}(?:第一|第1|前|头一|前面那){_ZH_AFTER}"
)
_SECOND_ONE: Final = re.compile(
    rf"{_EN_BEFORE}(?:second|latter|last|other|number two|two|2|2nd){_EN_AFTER}"
    rf"|{_ZH_BEFORE}(?:第二|第2|后|后面那){_ZH_AFTER}"
)


def choice(reply: str, options: int) -> int | None:
    """Which of the options offered a reply means: its number, -1 for "none of them", None if it is no such reply."""
    said = " ".join(re.sub(r"[^\w\s']", " ", reply.casefold()).split())
    if _NO.match(said):
        return -1
    leading = re.sub(r"^(?:yes|yeah|no|ok|okay|um|uh|well) ", "", said)
    if _YES.match(said) or _FIRST.match(leading):
        return 0
    if options > 1 and _SECOND_ONE.match(leading):
        return 1
    return None


def near(hits: Sequence[Hit], threshold: float, gap: float = 0.06) -> list[Hit]:
    """The best one or two hits that may have been meant: at least ``threshold``, not far behind the best."""
    return [hit for hit in hits[:2] if hit.score >= threshold and hits[0].score - hit.score <= gap]
