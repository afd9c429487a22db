"""Where a sentence may be cut so that its first part can sound while the rest is still being synthesised."""

from __future__ import annotations

import re
from dataclasses import dataclass

from visavis.speech.lexicon import SLOT, is_slot
from visavis.speech.normalise import has_han, has_speech

_CLOSING = r"[”’\"')）」』】]*"
_CUT = re.compile(
    rf"[，、；：—…。！？]+{_CLOSING}\s*"
    rf"|[,;:]{_CLOSING}(?![0-9A-Za-z])\s*"  # not in 1,250 or 7:30
    rf"|[!?]+{_CLOSING}\s+|(?:(?<=[a-z]{{3}})|(?<={SLOT}))\.{_CLOSING}\s+"  # nor after Dr. or No.
)
_PAUSES = {"、": 0.10, "，": 0.16, ",": 0.16}
_LONG_PAUSE = 0.22
END_PAUSE = 0.15
"""After a sentence."""
_SHORTEST = 5
"""Weight (see ``_weight``) below which a clause is joined to its neighbour: its prosody would be odd."""
_SHORTEST_FIRST = 2
"""The same for the first clause, for which a person waits. It is spoken as if it were a sentence: before a comma Kokoro
draws out so short a clause until a syllable too many is heard."""
_SLOT_WEIGHT = 3
"""Of a word whose phonemes are given: a guess."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence and the pause after it, in seconds at normal speed."""

    text: str
    pause: float


def split(text: str) -> list[Clause]:
    """Cut ``text`` after its punctuation; nothing that can be spoken is lost."""
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
    spoken = [piece.strip() for piece in pieces if has_speech(piece)]
    last = len(spoken) - 1
    return [
        Clause(_as_sentence(piece) if i < last else piece, _pause(piece) if i < last else END_PAUSE)
        for i, piece in enumerate(spoken)
    ]


def _as_sentence(clause: str) -> str:
    """A short clause with a full stop instead of its comma."""
    if _weight(clause) >= _SHORTEST or clause[-1] not in _PAUSES:
        return clause
    return clause[:-1] + ("." if clause[-1] == "," else "。")


def _weight(text: str) -> int:
    """About how many syllables: Chinese characters, and a third of the Latin letters."""
    letters = sum(character.isalnum() for character in text)
    han = sum(has_han(character) for character in text)
    return han + (letters - han) // 3 + _SLOT_WEIGHT * sum(map(is_slot, text))


def _pause(clause: str) -> float:
    marks = [one for one in clause if not (one.isalnum() or one.isspace() or is_slot(one))]
    return _PAUSES.get(marks[-1], _LONG_PAUSE) if marks else END_PAUSE
