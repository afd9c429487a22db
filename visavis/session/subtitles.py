"""When each word of a sentence sounds: the words laid over the sound's own phonemes.

Nobody tells which phoneme belongs to which word: what is synthesised is the text as it is read, with numbers in words and
readings of its own. But pauses stand where the text has its marks. So text and sound are cut there, and within a piece each word gets
as much of the sounding time as it has of the piece's sounds. Where marks and pauses do not fit, or an engine tells no
phonemes, the words share all of the time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from visavis.speech import say_as
from visavis.speech.hot_words import sounds
from visavis.speech.types import Language

Timing = tuple[str, float, float]
"""A phoneme ("" is silence) with its start and end, seconds from the beginning of the sentence's sound."""

PAUSE_S: Final = 0.09
"""A silence that is heard as one."""
_PACE_S: Final[dict[Language, float]] = {"zh": 0.085, "en": 0.075}
"""Seconds that one sound takes, until the sentence itself has told."""

_WORD: Final = re.compile(r"[\u3400-\u9fff][^\w\s]*\s*|[^\s\u3400-\u9fff]+\s*|\s+")
_MARK: Final = re.compile(r"[,.;:!?…—，。；：！？、]\W*$")
_DIGITS: Final = re.compile(r"\d[\d,]*(?:\.\d+)?%?")


@dataclass(frozen=True, slots=True)
class Word:
    """A word (or a character of Chinese) with what follows it in the text; seconds from the beginning of the sentence's sound."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """Words up to a mark: their texts and how many sounds each has."""

    words: tuple[str, ...]
    weights: tuple[float, ...]

    @property
    def weight(self) -> float:
        return sum(self.weights)


def timed(
    text: str, language: Language, timings: Sequence[Timing] | None, seconds: float, complete: bool
) -> list[Word]:
    """The words of ``text`` with their times.

    Args:
        timings: of the sound so far; None: nobody knows them.
        seconds: of the sound so far.
        complete: no more of it will come. Until then the times of what has not come are a guess.
    """
    pieces = _pieces(text, language)
    if not pieces:
        return []
    if timings is None or not any(name for name, _, _ in timings):
        whole = sum(piece.weight for piece in pieces)
        guess = whole * _PACE_S[language]
        return _shared(pieces, [(0.0, seconds if complete else max(seconds, guess))])
    spans = _spans(timings)
    if complete:
        if len(spans) == len(pieces):
            return [word for piece, span in zip(pieces, spans, strict=True) for word in _shared([piece], [span])]
        return _shared(pieces, spans)
    return _unfinished(pieces, spans, language)


def _unfinished(pieces: Sequence[_Piece], spans: Sequence[tuple[float, float]], language: Language) -> list[Word]:
    """Engines speak clause by clause: so many pieces have come as make the usual pace; the rest follows at that pace."""
    sounding = sum(end - begin for begin, end in spans)
    came = len(spans) if len(spans) < len(pieces) else len(pieces)
    weight = sum(piece.weight for piece in pieces[:came])
    pace = sounding / weight if weight else _PACE_S[language]
    if not 0.5 < pace / _PACE_S[language] < 2:  # the marks do not tell: a clause is longer than a piece, or shorter
        pace = _PACE_S[language]
        came = 0
        while came < len(pieces) and sum(piece.weight for piece in pieces[: came + 1]) * pace < 1.25 * sounding:
            came += 1
        came = max(1, came)
    words = _shared(pieces[:came], spans)
    at = spans[-1][1]
    for piece in pieces[came:]:
        at += PAUSE_S
        words += _shared([piece], [(at, at + piece.weight * pace)])
        at += piece.weight * pace
    return words


def _spans(timings: Sequence[Timing]) -> list[tuple[float, float]]:
    """The stretches of sound between pauses."""
    spans: list[tuple[float, float]] = []
    for name, start, end in timings:
        if not name:
            continue
        if spans and start - spans[-1][1] < PAUSE_S:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _shared(pieces: Sequence[_Piece], spans: Sequence[tuple[float, float]]) -> list[Word]:
    """All words, over all of the sounding time, by their sounds."""
    whole = sum(piece.weight for piece in pieces) or 1.0
    scale = sum(end - begin for begin, end in spans) / whole
    words, passed = [], 0.0
    for piece in pieces:
        for text, weight in zip(piece.words, piece.weights, strict=True):
            start, passed = passed, passed + weight * scale
            words.append(Word(text, _at(spans, start, opening=True), _at(spans, passed, opening=False)))
    return words


def _at(spans: Sequence[tuple[float, float]], sounding: float, *, opening: bool) -> float:
    """The time at which so many seconds have sounded; at a pause the time behind it (``opening``) or before it."""
    for begin, end in spans:
        length = end - begin
        if sounding < length - 1e-6 or (not opening and sounding <= length + 1e-6):
            return begin + max(0.0, sounding)
        sounding -= length
    return spans[-1][1]


@lru_cache(maxsize=256)
def _pieces(text: str, language: Language) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    words: list[str] = []
    weights: list[float] = []
    for word in _WORD.findall(text):
        words.append(word)
        weights.append(_weight(word, language))
        if _MARK.search(word) and any(weights):
            pieces.append(_Piece(tuple(words), tuple(weights)))
            words, weights = [], []
    if any(weights) or (words and not pieces):
        pieces.append(_Piece(tuple(words), tuple(weights)))
    elif words:  # what is never said hangs on to what was
        last = pieces[-1]
        pieces[-1] = _Piece(last.words + tuple(words), last.weights + tuple(weights))
    return tuple(pieces) if any(piece.weight for piece in pieces) else ()


def _weight(word: str, language: Language) -> float:
    said = _DIGITS.sub(lambda number: f" {say_as.as_text(number[0], 'figure', language)} ", word)
    return float(len(sounds(said)))


def said(words: Sequence[Word], seconds: float) -> int:
    """How many of the words have begun to sound by then."""
    return sum(word.start <= seconds for word in words)
