"""Pinyin as people write it, to syllables with tone numbers."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_FINALS: Final = {
    "": "a ai an ang ao e ei en eng er o ou ê m n ng r",
    "b": "a ai an ang ao ei en eng i ian iao ie in ing o u",
    "c": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "ch": "a ai an ang ao e en eng i ong ou u ua uai uan uang ui un uo",
    "d": "a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo",
    "f": "a an ang ei en eng o ou u",
    "g": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "h": "a ai an ang ao e ei en eng m ng ong ou u ua uai uan uang ui un uo",
    "j": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "k": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "l": "a ai an ang ao e ei eng i ia ian iang iao ie in ing iu o ong ou u uan un uo ü üe ue",
    "m": "a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u",
    "n": "a ai an ang ao e ei en eng i ia ian iang iao ie in ing iu ong ou u uan un uo ü üe ue",
    "p": "a ai an ang ao ei en eng i ian iao ie in ing o ou u",
    "q": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "r": "an ang ao e en eng i ong ou u ua uan ui un uo",
    "s": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "sh": "a ai an ang ao e ei en eng i ou u ua uai uan uang ui un uo",
    "t": "a ai an ang ao e ei eng i ian iao ie ing ong ou u uan ui un uo",
    "w": "a ai an ang ei en eng o u",
    "x": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "y": "a an ang ao e i in ing o ong ou u uan ue un",
    "z": "a ai an ang ao e ei en eng i ong ou u uan ui un uo",
    "zh": "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo",
}
SYLLABLES: Final = frozenset(initial + final for initial, finals in _FINALS.items() for final in finals.split())
"""Every syllable of Mandarin, without its tone; ü as such, and the r that colours the syllable before it."""

_LONGEST: Final = 6
_LONGEST_WORD: Final = 64
_NEUTRAL: Final = "5"
_ALONE: Final = frozenset({"m", "n", "ng"})
"""Syllables that are never a part of letters that stand together: "xian" is not "xia n"."""
_SAME: Final = {"lue": "lüe", "nue": "nüe", "r": "er"}
_MARKS: Final = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0306": "3", "\u0300": "4"}
_SEPARATORS: Final = re.compile(r"[\s'’·,，-]+")
_PARTS: Final = re.compile(r"([^0-9]+)([0-5]?)")


def syllables(written: str, count: int | None = None) -> list[str]:
    """The syllables of a text such as ``chong2 qing4``, ``lǚxíng`` or ``lv3 xing2``: each with its tone, 1 to 5.

    Syllables that have no tone have the neutral one, 5.

    Args:
        count: how many are wanted, where there is a choice ("xian" may be one or two).

    Raises:
        ValueError: it is no pinyin, or has another number of syllables; the message says which.
    """
    words: list[dict[int, list[str]]] = []
    plain = unicodedata.normalize("NFC", written.strip().lower()).replace("u:", "ü").replace("v", "ü")
    for word in filter(None, _SEPARATORS.split(plain)):
        parts = _PARTS.findall(word)
        if "".join(letters + tone for letters, tone in parts) != word:
            raise ValueError(f"{word!r} is no pinyin")
        for letters, tone in parts:
            cuts = _cuts(letters, tone)
            if not cuts:
                raise ValueError(f"{letters!r} is no syllable of pinyin")
            words.append(cuts)
    if not words:
        raise ValueError("there is no pinyin in it")
    more = 0 if count is None else count - sum(min(cuts) for cuts in words)
    chosen: list[str] = []
    for cuts in words:
        fewest = min(cuts)
        size = max((one for one in cuts if one - fewest <= max(0, more)), default=fewest)
        more -= size - fewest
        chosen += cuts[size]
    if more:
        raise ValueError(f"it has {len(chosen)} syllables, not {count}")
    return chosen


def _cuts(letters: str, tone: str) -> dict[int, list[str]]:
    """Ways to cut letters that stand together, by their number of syllables. ``tone``: of the last syllable."""
    if len(letters) > _LONGEST_WORD:
        return {}
    bare, tones = _without_marks(letters)
    ways: list[dict[int, list[str]]] = [{} for _ in range(len(bare) + 1)]
    ways[len(bare)] = {0: []}
    for at in range(len(bare) - 1, -1, -1):
        for end in range(min(len(bare), at + _LONGEST), at, -1):
            syllable = bare[at:end]
            if syllable not in SYLLABLES or not ways[end] or (syllable in _ALONE and syllable != bare):
                continue
            marks = [mark for mark in tones[at:end] if mark]
            if len(marks) > 1 or (marks and end == len(bare) and tone):
                continue
            own = marks[0] if marks else tone if end == len(bare) and tone else _NEUTRAL
            spelt = _SAME.get(syllable, syllable) + (own if own != "0" else _NEUTRAL)
            for size, rest in ways[end].items():
                ways[at].setdefault(size + 1, [spelt, *rest])
    return ways[0]


def _without_marks(letters: str) -> tuple[str, list[str]]:
    """The letters without marks of tone, and each letter's tone ("": none)."""
    bare: list[str] = []
    tones: list[str] = []
    for sign in unicodedata.normalize("NFD", letters):
        if sign in _MARKS and bare:
            tones[-1] = _MARKS[sign]
        elif unicodedata.combining(sign) and bare:
            bare[-1] = unicodedata.normalize("NFC", bare[-1] + sign)
        else:
            bare.append("g" if sign == "ɡ" else sign)
            tones.append("")
    return "".join(bare), tones
