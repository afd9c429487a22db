"""Numbers, dates and letters read in a way that was asked for, as words of either language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from visavis.speech.types import Language

TEXTUAL: Final = ("date", "number", "figure", "telephone")
WAYS: Final = (*TEXTUAL, "spell", "english")
"""date; number: digit by digit; figure: its value; telephone; spell: letter by letter; english: as a word."""

_DIGITS: Final[dict[Language, tuple[str, ...]]] = {
    "zh": tuple("零一二三四五六七八九"),
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
}
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_TEENS: Final = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_LARGEST: Final = 10**16
_DATES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<y>\d{4})\s*[-/.年]\s*(?P<m>\d{1,2})\s*[-/.月]\s*(?P<d>\d{1,2})\s*[日号]?",
        r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
        r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
        r"(?P<y>\d{4})\s*[-/.年]\s*(?P<m>\d{1,2})\s*月?",
        r"(?P<m>\d{1,2})\s*[-/.月]\s*(?P<d>\d{1,2})\s*[日号]?",
        r"(?P<y>\d{4})(?P<mark>年)?",
    )
)
_NUMBER: Final = re.compile(
    r"(?P<sign>(?<![\w.])[-−])?(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<part>\d+))?(?P<percent>\s?%)?"
)
_DIGIT: Final = re.compile(r"[0-9.]|(?<=[0-9])[-/](?=[0-9])")
_CALLED: Final = re.compile(r"[0-9+]|[-\s()./]+")


def check(word: str, way: str) -> None:
    """Whether ``word`` can be read in that way.

    Raises:
        ValueError: it cannot; the message says why.
    """
    plain = unicodedata.normalize("NFKC", word)
    if way not in WAYS:
        raise ValueError(f"one of {', '.join(WAYS)} is needed")
    if way == "date":
        if _date(plain) is None:
            raise ValueError("a date such as 2024-03-05 is needed")
    elif way == "english":
        if re.search("[A-Za-z]", plain) is None:
            raise ValueError("letters are needed")
    elif way == "spell":
        if re.search("[A-Za-z0-9]", plain) is None:
            raise ValueError("letters or digits are needed")
    elif re.search("[0-9]", plain) is None:
        raise ValueError("digits are needed")


def as_text(word: str, way: str, language: Language) -> str:
    """The words for a number or a date (``way`` is of :data:`TEXTUAL`); what cannot be read so stays as it is."""
    return _READ[way](unicodedata.normalize("NFKC", word), language)


def _number(word: str, language: Language) -> str:
    names = {".": "点" if language == "zh" else "point", "-": "", "/": ""}
    return _joined(
        _DIGIT.sub(lambda sign: f" {_digit(sign[0], language) if sign[0].isdigit() else names[sign[0]]} ", word),
        language,
    )


def _telephone(word: str, language: Language) -> str:
    plus = "加" if language == "zh" else "plus"
    pause = "，" if language == "zh" else ", "

    def said(sign: re.Match[str]) -> str:
        if sign[0] == "+":
            return f" {plus} "
        if not sign[0].isdigit():
            return pause
        return "幺" if sign[0] == "1" and language == "zh" else f" {_digit(sign[0], language)} "

    return re.sub(r"\s+,", ",", _joined(_CALLED.sub(said, word.strip()), language)).strip("，, ")


def _figure(word: str, language: Language) -> str:
    return _NUMBER.sub(lambda number: _value(number, language), word)


def _value(number: re.Match[str], language: Language) -> str:
    whole = int(number["whole"].replace(",", ""))
    if whole >= _LARGEST:
        return _number(number[0], language)
    digits = [_digit(one, language) for one in number["part"] or ""]
    if language == "zh":
        said = _mandarin(whole) + (f"点{''.join(digits)}" if digits else "")
        return ("负" if number["sign"] else "") + ("百分之" if number["percent"] else "") + said
    said = _english(whole) + (f" point {' '.join(digits)}" if digits else "")
    return ("minus " if number["sign"] else "") + said + (" percent" if number["percent"] else "")


def _date_text(word: str, language: Language) -> str:
    found = _date(word)
    if found is None:
        return word
    year, month, day, mark = found
    if language == "zh":
        said = "".join(_DIGITS["zh"][int(one)] for one in year)
        said += ("年" if year and (month or mark) else "") + (f"{_mandarin(month)}月" if month else "")
        return said + (f"{_mandarin(day)}日" if day else "")
    named = _MONTHS[month - 1] if month else ""
    if day:
        named += f" {day}{_ordinal(day)}"
    return f"{named}, {year}" if named and day and year else f"{named} {year}".strip()


def _ordinal(day: int) -> str:
    return "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _date(word: str) -> tuple[str, int, int, bool] | None:
    """Year ("" if none), month, day (0 if none), whether the year has its word; None: it is no date."""
    for pattern in _DATES:
        if match := pattern.fullmatch(word.strip()):
            given = match.groupdict()
            month, day = int(given.get("m") or 0), int(given.get("d") or 0)
            if ("m" in given and not 1 <= month <= 12) or ("d" in given and not 1 <= day <= 31):
                continue
            return given.get("y") or "", month, day, bool(given.get("mark"))
    return None


def _mandarin(value: int) -> str:
    """A number's value in Mandarin, as it is said: 两千零五, 十二, 一万二千."""
    if value == 0:
        return "零"
    said, gap = "", False
    for unit, name in ((10**12, "万亿"), (10**8, "亿"), (10**4, "万"), (1, "")):
        part, value = divmod(value, unit)
        if not part:
            gap = bool(said)
            continue
        said += ("零" if said and (gap or part < 1000) else "") + _thousands(part, not said)
        if name and said.endswith("二") and part == 2:
            said = f"{said[:-1]}两"
        said += name
        gap = False
    return said


def _thousands(value: int, first: bool) -> str:
    said, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, unit)
        if not digit:
            gap = bool(said)
            continue
        name_of = (
            "两" if digit == 2 and unit == 1000 else "两" if digit == 2 and unit == 100 and first and not said else ""
        )
        digit_said = "" if digit == 1 and unit == 10 and not said and first else name_of or _DIGITS["zh"][digit]
        said += ("零" if gap else "") + digit_said + name
        gap = False
    return said


def _english(value: int) -> str:
    if value < 10:
        return _DIGITS["en"][value]
    if value < 20:
        return _TEENS[value - 10]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens - 2] + (f"-{_english(ones)}" if ones else "")
    for unit, name in (
        (10**12, "trillion"),
        (10**9, "billion"),
        (10**6, "million"),
        (1000, "thousand"),
        (100, "hundred"),
    ):
        if value >= unit:
            many, rest = divmod(value, unit)
            return f"{_english(many)} {name}" + (f" {_english(rest)}" if rest else "")
    raise AssertionError(value)


def _digit(character: str, language: Language) -> str:
    return _DIGITS[language][int(character)]


def _joined(words: str, language: Language) -> str:
    """One blank between English words, none between Chinese ones."""
    return "".join(words.split()) if language == "zh" else " ".join(words.split())


_READ: Final[dict[str, Callable[[str, Language], str]]] = {
    "date": _date_text,
    "number": _number,
    "figure": _figure,
    "telephone": _telephone,
}
