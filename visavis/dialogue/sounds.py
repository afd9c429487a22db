"""Chinese by ear: what a recogniser wrote with other characters of the same sound is found again.

A recogniser writes what it heard with the likeliest characters of that sound, and those of a name or of a rare word are often others.
Meaning does not help then, sound does. Syllables are compared without their tones, and those that many speakers do not tell apart
(zh and z, n and l, ang and an) are one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from pypinyin import Style, lazy_pinyin

from visavis.dialogue.encoder import Vectors

_SHORTEST: Final = 4
"""Syllables of a question that is compared by sound: many short ones sound alike."""
_ALIKE: Final = 0.6
"""Likeness of sound from which it counts."""
_CERTAIN: Final = 0.85
"""What a question counts as that sounds the same."""
_SHORTEST_NAME: Final = 3
_LONGEST_WORD: Final = 6
_MOST_WORDS: Final = 200_000

_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_RUN: Final = re.compile(r"[\u4e00-\u9fff]+")
_PIECE: Final = re.compile(r"[\u4e00-\u9fff]+|[a-z0-9']+")
_MERGED: Final = (
    (re.compile(r"^([zcs])h"), r"\1"),
    (re.compile(r"^l"), "n"),
    (re.compile(r"^hu(?=.)"), "f"),
    (re.compile(r"(?<=[aei])ng$"), "n"),
)

_Sound = tuple[str, ...]


class Names:
    """Names that a recogniser writes with whatever characters have their sound: one spelling of each sound is enough."""

    def __init__(self, spellings: Mapping[str, str]) -> None:
        """``spellings``: misspelling -> name; those of at least three Chinese characters count here, less sounds like much."""
        self._names = {
            tuple(_syllables(spelling)): name
            for spelling, name in spellings.items()
            if len(spelling) >= _SHORTEST_NAME and _RUN.fullmatch(spelling)
        }
        self._lengths = sorted({len(sound) for sound in self._names}, reverse=True)

    def put_right(self, text: str) -> str:
        """``text`` with the names where something sounds like them."""
        return _RUN.sub(lambda run: self._named(run[0]), text) if self._names else text

    def _named(self, run: str) -> str:
        sounds = _syllables(run)
        if len(sounds) != len(run):
            return run
        out, begin = "", 0
        while begin < len(run):
            for length in self._lengths:
                name = self._names.get(tuple(sounds[begin : begin + length]))
                if name is not None:
                    out += name
                    begin += length
                    break
            else:
                out += run[begin]
                begin += 1
        return out


class Sounds:
    """How the questions of an index sound. Immutable."""

    def __init__(self, questions: Sequence[str]) -> None:
        """``questions``: in the form that is compared; those without Chinese are left out."""
        self._rows: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        self._sizes: dict[int, int] = {}
        self._words: dict[_Sound, str] = {}
        self._written: set[str] = set()
        for row, question in enumerate(questions):
            self._learn(question)
            if (pairs := _pairs(question)) is not None:
                self._sizes[row] = pairs.total()
                for pair, times in pairs.items():
                    self._rows[pair].append((row, times))

    def respelt(self, question: str) -> str:
        """The question with words of the stored ones in place of what only sounds like them."""
        if not self._words:
            return question
        return _RUN.sub(lambda run: self._respelt(run[0]), question)

    def lift(self, similarity: Vectors, question: str) -> None:
        """Raise the likeness (0..1, one a question) of those that sound like this one, in place."""
        pairs = _pairs(question)
        if pairs is None:
            return
        shared: Counter[int] = Counter()
        for pair, times in pairs.items():
            for row, theirs in self._rows.get(pair, ()):
                shared[row] += min(times, theirs)
        size = pairs.total()
        for row, common in shared.items():
            alike = 2 * common / (size + self._sizes[row])
            if alike >= _ALIKE:
                similarity[row] = max(similarity[row], _CERTAIN * alike)

    def _learn(self, question: str) -> None:
        """Remember every sequence of characters as a word: where words begin and end is not written."""
        for run in _RUN.findall(question):
            sounds = _syllables(run)
            for length in range(2, min(_LONGEST_WORD, len(run)) + 1):
                if len(self._written) > _MOST_WORDS:
                    return
                for begin in range(len(run) - length + 1):
                    self._written.add(run[begin : begin + length])
                    self._words.setdefault(tuple(sounds[begin : begin + length]), run[begin : begin + length])

    def _respelt(self, run: str) -> str:
        sounds = _syllables(run)
        if len(sounds) != len(run):
            return run
        out, begin = "", 0
        while begin < len(run):
            for length in range(min(_LONGEST_WORD, len(run) - begin), 1, -1):
                written = run[begin : begin + length]
                known = self._words.get(tuple(sounds[begin : begin + length]))
                if written in self._written or known is not None:
                    out += written if written in self._written or known is None else known
                    begin += length
                    break
            else:
                out += run[begin]
                begin += 1
        return out


def _pairs(question: str) -> Counter[tuple[str, str]] | None:
    """Pairs of neighbouring syllables; None: too little of it is Chinese."""
    if len(_HAN.findall(question)) < _SHORTEST:
        return None
    found: list[str] = []
    for piece in _PIECE.findall(question):
        found += _syllables(piece) if _HAN.match(piece) else [piece]
    return Counter(pairwise(["", *found, ""]))


def _syllables(run: str) -> list[str]:
    """The syllables of a run of Chinese characters, those that are hard to tell apart as one."""
    return [_merged(one) for one in lazy_pinyin(run, style=Style.NORMAL)]


@lru_cache(maxsize=1024)
def _merged(syllable: str) -> str:
    for pattern, instead in _MERGED:
        syllable = pattern.sub(instead, syllable)
    return syllable
