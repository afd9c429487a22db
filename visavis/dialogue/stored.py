"""The dialogue of stored answers: verbatim when sure, a question back when not quite, else an honest "I don't know"."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from visavis import log
from visavis.dialogue import phrases
from visavis.dialogue.knowledge import Entry, Knowledge
from visavis.dialogue.retrieval import Hit, Index, choice, near
from visavis.dialogue.types import Purpose, Sentence, Turn
from visavis.speech.types import Language

_LOG = log.get(__name__)

_CERTAIN: Final = 0.1
"""A score so far above the threshold is certain; below it, half of a question may have been heard ("Does it also work?")."""


class StoredAnswers:
    """Answers from an index. One per session: it remembers what it asked back, for one turn."""

    def __init__(self, index: Index, answer_threshold: float, clarify_threshold: float) -> None:
        """``answer_threshold``: score from which the stored answer is spoken; ``clarify_threshold``: from which
        it asks which stored question was meant. Raises ValueError if the second is above the first."""
        if clarify_threshold > answer_threshold:
            raise ValueError(f"clarify_threshold {clarify_threshold} is above answer_threshold {answer_threshold}")
        self._index = index
        self._answer_threshold = answer_threshold
        self._clarify_threshold = clarify_threshold
        self._offered: list[Hit] = []

    async def answer(self, turn: Turn) -> AsyncGenerator[Sentence, None]:
        """The sentences of the answer, in the turn's language where it is stored in it."""
        sentences, offered = await self._found(turn)
        for index, sentence in enumerate(sentences):
            yield sentence
            if not index:  # taken: what is remembered changes only now, for the answer may have been a guess
                self._offered = offered

    async def _found(self, turn: Turn) -> tuple[list[Sentence], list[Hit]]:
        """The answer, and what it offers to choose from."""
        if self._offered:
            chosen = choice(turn.text, len(self._offered))
            if chosen == -1:
                return [Sentence(phrases.DECLINED[turn.language], turn.language, "clarify")], []
            if chosen is not None:
                return _stored(self._offered[chosen], turn.language), []
        hits = await self._index.search(turn.text)
        _LOG.info("retrieval", best=hits[0].entry.id if hits else None, score=round(hits[0].score, 3) if hits else None)
        if not hits:
            return [Sentence(phrases.NOT_HEARD[turn.language], turn.language, "unknown")], []
        if hits[0].score >= self._answer_threshold:
            return self._doubted(_stored(hits[0], turn.language), hits[0].score), []
        if hits[0].score >= self._clarify_threshold:
            offered = near(hits, self._clarify_threshold)
            wordings = [self._index.wording(hit, turn.language) for hit in offered]
            asked = Sentence(phrases.ask_back(wordings, turn.language), turn.language, "clarify", tentative=True)
            return [asked], offered
        return [Sentence(phrases.UNKNOWN[turn.language], turn.language, "unknown", tentative=True)], []

    def _doubted(self, sentences: list[Sentence], score: float) -> list[Sentence]:
        """The answer, tentative where the score is no more than sufficient."""
        if score >= self._answer_threshold + _CERTAIN:
            return sentences
        return [replace(sentence, tentative=True) for sentence in sentences]

    async def aclose(self) -> None:
        """Nothing is held."""


def stored_sentences(knowledge: Knowledge) -> list[Sentence]:
    """Every sentence that answers from ``knowledge`` are made of, in both languages: what may be synthesised ahead."""
    return [
        sentence
        for entry in knowledge.entries
        for language in entry.answers
        for sentence in _sentences(entry, language, "answer")
    ]


def _stored(hit: Hit, language: Language, purpose: Purpose = "answer") -> list[Sentence]:
    return _sentences(hit.entry, language, purpose)


def _sentences(entry: Entry, language: Language, purpose: Purpose) -> list[Sentence]:
    text, spoken_in = entry.answer(language)
    return [Sentence(part, spoken_in, purpose) for part in phrases.sentences(text, spoken_in)]
