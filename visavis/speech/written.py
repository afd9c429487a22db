"""What is written short and said long: addresses, telephone numbers, fractions, ranges, units and abbreviations, as words.

English: what hibari's converter does not know or reads in another way (it knows years, money, ordinals and most units).
Mandarin: what WeTextProcessing's grammars do not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from visavis.speech import say_as
from visavis.speech.types import Language

_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_EMAIL: Final = re.compile(r"(?<![\w.@])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", re.ASCII)
_DOMAIN: Final = re.compile(
    r"(?<![\w.@/-])(?:[A-Za-z0-9-]+\.)+(?:com|org|net|cn|io|ai|dev|edu|gov|co|uk|de|eu|info|app)(?![\w@-]|\.\w)",
    re.ASCII,
)
_NO_ENGLISH: Final = re.compile(r"[\u3400-\u9fff]")

_HALVES: Final = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅕": "1/5", "⅛": "1/8"}
_PARTS: Final = {
    2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth", 10: "tenth",
}  # fmt: skip
_DAYS: Final = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_MONEY: Final = {"USD": "US dollars", "EUR": "euros", "GBP": "pounds", "CNY": "yuan", "RMB": "yuan", "JPY": "yen"}
_LENGTHS: Final = {"mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer", "ft": "feet", "in": "inch"}
_POWERS: Final = {"²": "square", "³": "cubic", "^2": "square", "^3": "cubic"}


def _number(text: str) -> str:
    return say_as.as_text(text, "figure", "en")


def _fraction(whole: str, above: int, below: int) -> str:
    if whole and (above, below) == (1, 2):
        return f"{whole} and a half"
    part = _PARTS[below] if above == 1 else "halves" if below == 2 else f"{_PARTS[below]}s"
    said = f"{_number(str(above))} {part}"
    return f"{whole} and {said}" if whole else said


def _days(match: re.Match[str]) -> str:
    return f"{_DAYS[match[1]]} to {_DAYS[match[2]]}"


def _power(match: re.Match[str]) -> str:
    return f"{match[1]} {_POWERS[match[3]]} {_LENGTHS[match[2]]}s"


def _plural(match: re.Match[str], one: str) -> str:
    return f"{match[1]} {one}" if match[1] == "1" else f"{match[1]} {one}s"


_NOT_IN_NUMBER: Final = r"(?<![\w.,/:-])"
_ENGLISH: Final[tuple[_Rule, ...]] = (
    (
        re.compile(r"(?<![\w.])(?:\+\d{1,3}[\s.-]?(?:\(?\d{1,4}\)?[\s.-]?){2,4}\d{2,4}|(?:\(\d{3,4}\)\s?|\d{3}[.-])\d{3,4}[\s.-]\d{4})(?![\w])"),
        lambda match: say_as.as_text(match[0].strip("("), "telephone", "en"),
    ),
    (re.compile(r"(?<![\w/])24/7(?![\w/])"), lambda _: "twenty-four seven"),
    (
        re.compile(rf"(?:{_NOT_IN_NUMBER}(\d+)\s+)?{_NOT_IN_NUMBER}(\d{{1,2}})/([2-9]|10)(?![\w/]|[.,]\d)"),
        lambda match: _fraction(match[1] or "", int(match[2]), int(match[3])) if int(match[2]) < int(match[3]) else match[0],
    ),
    (re.compile(r"(?<=\d)\s*[–—~]\s*(?=\d)"), lambda _: " to "),
    (re.compile(rf"{_NOT_IN_NUMBER}(\d{{1,2}}):(\d)(?![\d:])"), lambda match: f"{match[1]} to {match[2]}"),
    (re.compile(r"(?<=\d)\s*[xX×*]\s*(?=\d)"), lambda _: " by "),
    (re.compile(r"(?<!\w)#\s?(?=\d)"), lambda _: "number "),
    (
        re.compile(rf"\b({'|'.join(_DAYS)})\.?\s*[-–—]\s*({'|'.join(_DAYS)})\b\.?"),
        _days,
    ),
    (re.compile(rf"(\d[\d,.]*)\s?({'|'.join(_MONEY)})\b"), lambda match: f"{match[1]} {_MONEY[match[2]]}"),
    (re.compile(r"(\d[\d,.]*)\s?(mm|cm|km|m)(²|³|\^2|\^3)"), _power),
    (re.compile(r"(\d+)\s?(?:ft|′|')\s?(\d+)\s?(?:in\b|″|\")\.?"), lambda match: f"{match[1]} feet {match[2]} inches"),
    (re.compile(r"(?<![\w.$€£¥])(\d[\d,.]*)\s?m\b(?![²³/’'.]\w)"), lambda match: _plural(match, "meter")),
    (re.compile(r"(?<=\ba )(\d[\d,.]*)\s?W\b"), lambda match: f"{match[1]} watt"),
    (re.compile(r"(?<![\w.])(\d[\d,.]*)\s?W\b"), lambda match: _plural(match, "watt")),
    (re.compile(r"\be\.\s?g\.(,?)", re.IGNORECASE), lambda _: "for example"),
    (re.compile(r"\bi\.\s?e\.(,?)", re.IGNORECASE), lambda _: "that is"),
    (re.compile(r"(?<=\w)(?:\s*\.{3,}|\s*…|\s+--+)(?=\s*\w)"), lambda _: ","),
)  # fmt: skip

_CALLED: Final = r"(?:拨打|致电|电话|热线|呼叫|手机号?|联系电话|打)[：:是为]?\s*"
_MANDARIN: Final[tuple[_Rule, ...]] = (
    (
        re.compile(
            r"(?<![\d.\w-])(?:(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|0\d{2,3}[- ]\d{7,8}"
            r"|[48]00[- ]\d{3,4}[- ]\d{3,4})(?![\d.]|-\d)",
            re.ASCII,
        ),
        lambda match: say_as.as_text(match[0], "telephone", "zh"),
    ),
    (
        re.compile(rf"({_CALLED})(\d{{3,8}})(?!\d|[.年月个块元次])"),
        lambda match: match[1] + say_as.as_text(match[2], "telephone", "zh"),
    ),
    (re.compile(r"(\d)\s*[~～–—]\s*(?=\d)"), lambda match: f"{match[1]}到"),
    (re.compile(r"(?<![\d.])(\d{3,4})(?=室|房间|号房)"), lambda match: say_as.as_text(match[1], "number", "zh")),
    (re.compile(r"°\s?C(?![A-Za-z])"), lambda _: "℃"),
    (re.compile(r"°\s?F(?![A-Za-z])"), lambda _: "℉"),
    (re.compile(r"(?<=\d)\s*(?:㎡|m²|m\^2)"), lambda _: "平方米"),
    (re.compile(r"(?<=\d)\s*(?:km²|km\^2)"), lambda _: "平方公里"),
    (re.compile(r"(?<=\d)\s*(?:m³|m\^3)"), lambda _: "立方米"),
    (
        re.compile(r"(?<![A-Za-z])([vV])(\d+(?:\.\d+)+)"),
        lambda match: match[1] + say_as.as_text(match[2], "number", "zh"),
    ),
    (re.compile(r"(?<![A-Za-z])No\.\s?(\d+)", re.IGNORECASE), lambda match: f"{match[1]}号"),
    (re.compile(r"(?<![A-Za-z])vs\.?(?![A-Za-z])", re.IGNORECASE), lambda _: "对"),
    (re.compile(r"(?<![A-Za-z])e\.g\.,?", re.IGNORECASE), lambda _: "例如"),
    (re.compile(r"(?<![A-Za-z])i\.e\.,?", re.IGNORECASE), lambda _: "也就是"),
    (re.compile(r"(?<![A-Za-z])etc\.", re.IGNORECASE), lambda _: "等等"),
)  # fmt: skip


def spelt_out(text: str, language: Language) -> str:
    """``text`` (without markup) with these things as words; the rest is left to what follows in that language."""
    mandarin = language == "zh"
    text = _EMAIL.sub(lambda match: _address(match[0], mandarin), text)
    text = _DOMAIN.sub(lambda match: _address(match[0], mandarin), text)
    if not mandarin:
        for sign, written in _HALVES.items():
            text = re.sub(rf"(?<=\d)\s*{sign}", f" {written}", text).replace(sign, written)
    for pattern, said in _MANDARIN if mandarin else _ENGLISH:
        text = pattern.sub(said, text)
    return text


def _address(written: str, mandarin: bool) -> str:
    names = {"@": "艾特", ".": "点", "-": "杠", "_": "下划线", "+": "加"} if mandarin else {
        "@": " at ", ".": " dot ", "-": " dash ", "_": " underscore ", "+": " plus ",
    }  # fmt: skip
    return " ".join(re.sub(r"[@._+-]", lambda sign: names[sign[0]], written).split())
