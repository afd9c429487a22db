"""The first clause of an answer leaves before its sentence ends, where that sentence is long."""

from __future__ import annotations

import re
from typing import Final

from visavis.dialogue.phrases import SentenceStream
from visavis.speech.types import Language

_MARK: Final[dict[Language, re.Pattern[str]]] = {
    # Behind a mark of English stands a blank, or it is one of "10,000" and "9:30".
    "en": re.compile(r"[,;:](?=\s)|\s[-–—](?=\s)"),
    "zh": re.compile(r"[，；：]|——"),
}
_SHORTEST: Final[dict[Language, int]] = {"en": 24, "zh": 8}
"""A clause that takes less time to say than the next one to make would only bring a pause."""
_REST: Final[dict[Language, int]] = {"en": 12, "zh": 4}
"""What must stand behind the mark, so that the clause is no sentence's end."""
_OPEN: Final = '“‘「（("*`'


class ClauseStream(SentenceStream):
    """As a SentenceStream; of the first sentence the first clause leaves alone when it is long enough, and more follows."""

    def __init__(self, language: Language) -> None:
        super().__init__(language)
        self._clause: Language | None = language

    def push(self, piece: str) -> list[str]:
        """Take a piece; what it completes."""
        complete = super().push(piece)
        if self._clause is None:
            return complete
        if complete:
            self._clause = None
            return complete
        cut = _first(self._rest, self._clause)
        if not cut:
            return []
        self._clause = None
        clause, self._rest = self._rest[:cut].strip(), self._rest[cut:]
        return [clause]


def _first(text: str, language: Language) -> int:
    """Where the first clause that is long enough ends; 0: there is none yet."""
    for mark in _MARK[language].finditer(text):
        head, rest = text[: mark.end()], text[mark.end() :]
        if len(head.strip()) < _SHORTEST[language]:
            continue
        if len(rest.strip()) < _REST[language]:
            return 0
        return 0 if any(sign in head for sign in _OPEN) else mark.end()
    return 0
