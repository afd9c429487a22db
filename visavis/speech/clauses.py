"""Where a sentence may be cut so that its first part can sound while the rest is still being synthesised."""

from __future__ import annotations

import re
from dataclasses import dataclass

from visavis.speech.normalise import has_han, has_speech

_CUT = re.compile(r"[，、；：,;:—…]+[”’\"')）」』】]*\s*|[。！？.!?]+[”’\"')）」』】]*(?:\s+|(?<=[。！？])|$)")
_PAUSES = {"、": 0.10, "，": 0.16, ",": 0.16}
_LONG_PAUSE = 0.22
END_PAUSE = 0.15
"""After a sentence."""
_SHORTEST = 5
"""Weight (see ``_weight``) below which a clause is joined to its neighbour: its prosody would be odd."""
_SHORTEST_FIRST = 2
"""The same for the first clause, for which a person waits."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence and the pause after it, in seconds at normal speed."""

    text: str
    pause: float


def split(text: str) -> list[Clause]:
    """Cut ``text`` after its punctuation. The texts of the clauses, joined, are ``text`` without outer blanks."""
    pieces: list[str] = []
    at = 0
    for match in _CUT.finditer(text):
        piece = text[at : match.end()]
        if _weight(piece) >= (_SHORTEST if pieces else _SHORTEST_FIRST):
            pieces.append(piece)
            at = match.end()
    rest = text[at:]
    if rest.strip():
        if pieces and _weight(rest) < _SHORTEST_FIRST:
            pieces[-1] += rest
        else:
            pieces.append(rest)
    spoken = [piece for piece in pieces if has_speech(piece)]
    return [
        Clause(piece.strip(), END_PAUSE if i + 1 == len(spoken) else _pause(piece)) for i, piece in enumerate(spoken)
    ]


def _weight(text: str) -> int:
    """About how many syllables: Chinese characters, and a third of the Latin letters."""
    letters = sum(character.isalnum() for character in text)
    han = sum(has_han(character) for character in text)
    return han + (letters - han) // 3


def _pause(clause: str) -> float:
    marks = [character for character in clause if not character.isalnum() and not character.isspace()]
    return _PAUSES.get(marks[-1], _LONG_PAUSE) if marks else END_PAUSE
