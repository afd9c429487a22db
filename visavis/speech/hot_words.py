"""Hot words: what was heard, put right where it sounds like a name or a term that was to be expected.

Recognisers write a name that they do not know as something they do know and that sounds alike. Here the hot words are laid
beside what was heard, by their sound. What comes near enough is a *proposal*: the same text with the word in that place.
Who decides is the recogniser (``visavis.speech.whisper``), which weighs both against the sound itself. A sentence in which
nothing sounds like a hot word has no proposals, costs next to nothing, and cannot be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from visavis.speech.normalise import has_han

MOST: Final = 500
"""Hot words that count; more of them would only be mistaken for each other."""
LONGEST: Final = 40
"""Characters of a hot word; what is longer is a sentence."""
FURTHEST: Final = 0.35
"""Sounds that may differ, of those a hot word has, for it to be proposed."""
_FURTHEST_HAN: Final = 0.2
"""The same of Chinese, whose syllables are so few that much is alike by chance, and of a word in the other script."""
_PROPOSALS: Final = 3
_AT_ONCE: Final = 0.15
"""Nearer than this the sound is as good as the same: nothing but the spelling differs."""
_GRACE: Final = {True: 8.5, False: 3.0}
"""How much less likely (logarithm) a word may be that sounds the same, Chinese or not: homophones are spelt by what is
usual, and the sound cannot tell them apart. Measured with ``tests/speech/test_hot_words.py``."""

_TOKEN: Final = re.compile(r"[\u3400-\u9fff]|[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z]+)*|\d")
_VOWELS: Final = frozenset("aeiouü")

# Spelling to sounds, one letter each: C as in cheese, S as in she, J as in judge, T as in thin, N as in sing.
_SPELT: Final = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^x", "z"), (r"^(?:kn|gn|pn)", "n"), (r"^wr", "r"), (r"^ps", "s"), (r"^wh", "w"), (r"^sio(?=b)", "Si"),
        (r"tch|ch", "C"), (r"sch|sh", "S"), (r"(?<=[aeiou])(?:ti|ci|si)(?=on|an|ou)", "S"), (r"ph", "f"), (r"th", "T"),
        (r"(?<=[aeiou])gh", ""), (r"gh", "g"), (r"ck", "k"), (r"dge?(?=[ei])", "J"), (r"qu", "kw"), (r"q", "k"),
        (r"x", "ks"), (r"c(?=[eiy])", "s"), (r"c", "k"), (r"j", "J"), (r"zh", "J"), (r"ng", "N"), (r"(?<=.)h(?![aeiou])", ""),
        (r"(?<=[^aeiou])e$", ""), (r"(?<=[^aeiou])es$", "s"), (r"ee|ea|ie|ei", "i"), (r"oo|ou|ow", "u"),
        (r"ai|ay|ey", "e"), (r"au|aw", "o"), (r"^y|(?<=[aeiou])y(?=[aeiou])", "j"), (r"y", "i"),
        (r"([bdfgklmnprstvz])\1", r"\1"),
    )
]  # fmt: skip
_LETTERS: Final = {
    "a": "e", "b": "bi", "c": "si", "d": "di", "e": "i", "f": "ef", "g": "Ji", "h": "eC", "i": "ai", "j": "Je",
    "k": "ke", "l": "el", "m": "em", "n": "en", "o": "o", "p": "pi", "q": "kju", "r": "ar", "s": "es", "t": "ti",
    "u": "ju", "v": "vi", "w": "dabju", "x": "eks", "y": "wai", "z": "zi",
}  # fmt: skip
_DIGITS: Final = ("ziro", "wan", "tu", "Tri", "for", "faiv", "siks", "seven", "et", "nain")
# Pinyin to the same sounds.
_INITIALS: Final = {"zh": "J", "ch": "C", "sh": "S", "q": "C", "x": "S", "j": "J", "z": "D", "c": "c", "y": "j"}
_HAN_DIGITS: Final = "零一二三四五六七八九"

_NEAR: Final[dict[frozenset[str], float]] = {
    frozenset(pair): cost
    for cost, pairs in (
        (0.25, "sz sS zJ zS CJ JS cC Dz DJ cD cs Ds fv td kg bp nN TsTdTf wv iüjilnuüwuJrjJhfgh"),
        (0.4, "kh mn lr Tt gJ kC ks cJ CS DC jw sC nm vb wf dT zT tc kT tk"),
    )
    for group in pairs.split()
    for pair in (group[at : at + 2] for at in range(0, len(group), 2))
}
_VOWEL_FOR_VOWEL: Final = 0.35
_VOWEL_MORE: Final = 0.5
"""A vowel too many or too few, against 1 for a consonant."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """``word`` in the place of ``text[start:end]``; ``distance``: 0 sounds the same, up to ``FURTHEST``."""

    word: str
    start: int
    end: int
    distance: float

    @property
    def needed(self) -> float:
        """How much more likely the text must be with the word, as a difference of logarithms; below 0: less will do."""
        if self.distance >= _AT_ONCE:
            return 0.5
        return -_GRACE[has_han(self.word)] * (1 - self.distance / _AT_ONCE)

    def put_into(self, text: str) -> str:
        """The text as it would be."""
        before, after = text[: self.start], text[self.end :]
        # Letters do not run together; Chinese characters do.
        gap = " " if before[-1:].isascii() and before[-1:].isalnum() and self.word[:1].isascii() else ""
        tail = " " if after[:1].isascii() and after[:1].isalnum() and self.word[-1:].isascii() else ""
        return before + gap + self.word + tail + after


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    sounds: str


@lru_cache(maxsize=64)
def clean(words: tuple[str, ...]) -> tuple[str, ...]:
    """Hot words as they count: without doubles, without what is no word, at most ``MOST``."""
    kept: dict[str, str] = {}
    for word in words:
        text = " ".join(word.split())
        if text and len(text) <= LONGEST and len(sounds(text)) >= 2:
            kept.setdefault(text.casefold(), text)
        if len(kept) >= MOST:
            break
    return tuple(kept.values())


def proposals(text: str, words: Sequence[str]) -> list[Proposal]:
    """Places of ``text`` that sound like one of ``words`` (cleaned) and are written in another way; nearest first."""
    pieces = [_Piece(one.start(), one.end(), _token_sounds(one[0])) for one in _TOKEN.finditer(text)]
    folded = text.casefold()
    found = [
        best for word in words if word.casefold() not in folded and (best := _best(text, pieces, word)) is not None
    ]
    return sorted(found, key=lambda one: (one.distance, -len(one.word)))[:_PROPOSALS]


def put_together(text: str, chosen: Sequence[Proposal]) -> str:
    """The text with all of ``chosen``; of two for the same place the first counts."""
    apart: list[Proposal] = []
    for one in chosen:
        if all(one.end <= other.start or one.start >= other.end for other in apart):
            apart.append(one)
    for one in sorted(apart, key=lambda one: -one.start):
        text = one.put_into(text)
    return text


def _best(text: str, pieces: Sequence[_Piece], word: str) -> Proposal | None:
    wanted = sounds(word)
    # Short words need to come nearer: two sounds of four are soon alike by chance.
    limit = FURTHEST if len(wanted) > 4 else 0.3
    han = has_han(word)
    least: tuple[float, int, int] | None = None
    for first, last in _windows(pieces, len(wanted)):
        heard = "".join(piece.sounds for piece in pieces[first:last])
        distance = difference(wanted, heard) / len(wanted)
        mixed = any(has_han(text[piece.start : piece.end]) != han for piece in pieces[first:last])
        if distance <= (_FURTHEST_HAN if han or mixed else limit) and (
            least is None or (distance, last - first) < (least[0], least[2] - least[1])
        ):
            least = (distance, first, last)
    if least is None:
        return None
    distance, first, last = least
    start, end = pieces[first].start, pieces[last - 1].end
    return Proposal(word, start, end, distance) if text[start:end].casefold() != word.casefold() else None


def _windows(pieces: Sequence[_Piece], length: int) -> Iterator[tuple[int, int]]:
    """Runs of pieces with about ``length`` sounds."""
    for first in range(len(pieces)):
        total = 0
        for last in range(first, len(pieces)):
            total += len(pieces[last].sounds)
            if total > 1.5 * length + 1:
                break
            if total >= 0.6 * length:
                yield first, last + 1


def difference(wanted: str, heard: str) -> float:
    """How far two rows of sounds are apart: a weighted edit distance, 1 for each consonant that differs."""
    row = [0.0]
    for sound in heard:
        row.append(row[-1] + _cost_of_more(sound))
    for one in wanted:
        before, row[0] = row[0], row[0] + _cost_of_more(one)
        for at, other in enumerate(heard, 1):
            change = min(row[at] + _cost_of_more(one), row[at - 1] + _cost_of_more(other), before + _cost(one, other))
            before, row[at] = row[at], change
    return row[-1]


def _cost_of_more(sound: str) -> float:
    return _VOWEL_MORE if sound in _VOWELS else 0.6 if sound in "hwjN" else 1.0


def _cost(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if one in _VOWELS and other in _VOWELS:
        return _VOWEL_FOR_VOWEL
    return _NEAR.get(frozenset((one, other)), 1.0)


@lru_cache(maxsize=4096)
def sounds(text: str) -> str:
    """The sounds of a text, one letter each, roughly as an English or a Chinese speaker would say it."""
    return "".join(_token_sounds(one[0]) for one in _TOKEN.finditer(text))


@lru_cache(maxsize=4096)
def _token_sounds(token: str) -> str:
    if has_han(token):
        return _han_sounds(token)
    if token.isdecimal():
        return _DIGITS[int(token)]
    letters = token.lower().replace("’", "").replace("'", "")
    if len(letters) <= 5 and (token.isupper() or not _VOWELS & set(letters + ("u" if "y" in letters else ""))):
        return "".join(_LETTERS.get(letter, "") for letter in letters)  # an abbreviation, spelt
    for pattern, sound in _SPELT:
        letters = pattern.sub(sound, letters)
    return re.sub(r"[^a-zA-Z]|(?<=[aeiou])[aeiou]", "", letters)


def _han_sounds(character: str) -> str:
    from pypinyin import Style, lazy_pinyin

    (syllable,) = lazy_pinyin(character, style=Style.NORMAL, v_to_u=True)
    for initial, sound in _INITIALS.items():
        if syllable.startswith(initial):
            syllable = sound + syllable[len(initial) :]
            break
    syllable = syllable.replace("ng", "N")
    # Of a diphthong the first two vowels tell.
    return re.sub(r"(?<=[aeiouü]{2})[aeiouü]", "", syllable)
