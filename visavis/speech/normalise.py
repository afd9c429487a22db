"""Written text to speakable text: numbers, dates, money and units in words; what nobody says is dropped.

English numbers are read by hibari's grapheme-to-phoneme step itself (it knows years, money, ordinals, fps and H.264);
Mandarin goes through WeTextProcessing's grammars (``wetext``). In a mixed sentence each script is read in its own
language, so Latin words keep their digits (GPT4, H.264) and bare numbers are Mandarin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from visavis.speech import markup, say_as, written
from visavis.speech.lexicon import MOST_SLOTS, SLOT, Reading, is_slot, slot
from visavis.speech.types import Language

if TYPE_CHECKING:
    from wetext import Normalizer

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_URL = re.compile(r"(?:https?://|www\.)[!-'*-~]+", re.IGNORECASE)  # text goes on behind it without a blank
_EMPHASIS = re.compile(r"[*`]+")
_MARKUP = re.compile(r"[_~#>|\\{}\[\]<]+")
_SPACES = re.compile(r"\s+")
# A Latin word with what belongs to it: digits (GPT4), versions (v1.2, H.264), inner marks (don't, text-to-speech, C++).
_LATIN = re.compile(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ0-9]*(?:[.'’&/-][A-Za-zÀ-ÿ0-9]+)*[+#]*")
_LATIN_RUN = re.compile(rf"{_LATIN.pattern}(?:[ ]+{_LATIN.pattern})*")
_DIMENSIONS = re.compile(r"(?<=\d)\s*[xX×*]\s*(?=\d)")
_VERSION = re.compile(r"\d+(?:\.\d+){2,}")
_UNITS = {
    "km/h": "公里每小时", "m/s": "米每秒", "kwh": "千瓦时", "kw·h": "千瓦时", "kw": "千瓦",
    "mbps": "兆比特每秒", "gbps": "吉比特每秒", "fps": "帧每秒", "rpm": "转每分",
    "ms": "毫秒", "khz": "千赫", "mhz": "兆赫", "ghz": "吉赫", "hz": "赫兹",
    "px": "像素", "db": "分贝", "kg": "千克", "mg": "毫克", "ml": "毫升", "min": "分钟",
    "km": "公里", "cm": "厘米", "mm": "毫米", "kv": "千伏", "mah": "毫安时",
}  # fmt: skip
_LETTERS = {"s": "秒", "m": "米", "g": "克", "h": "小时", "w": "瓦", "W": "瓦", "L": "升", "V": "伏"}
"""Units of one letter: 5G is none of weight, and a model 5S none of time."""
_UNIT = re.compile(
    rf"(?<=\d)\s*((?i:{'|'.join(map(re.escape, _UNITS))})|[{''.join(_LETTERS)}])(?![A-Za-z0-9·])"
    rf"|(?<=[元/每])((?i:{'|'.join(map(re.escape, _UNITS))})|[{''.join(_LETTERS)}])(?![A-Za-z0-9])"
)
_PER = re.compile(r"(?<=[克米升瓦时秒度比特])/(?=[\u3400-\u9fff])")
_SLOT = re.compile(SLOT)
_SLOT_OR_NOT = re.compile(f"({SLOT})")
_MANDARIN_DIGITS = str.maketrans("0123456789.", "零一二三四五六七八九点")


def has_han(text: str) -> bool:
    """Whether any Chinese character is in it."""
    return _HAN.search(text) is not None


def has_speech(text: str) -> bool:
    """Whether there is anything to say: a letter, a digit or a slot for phonemes."""
    return any(character.isalnum() or is_slot(character) for character in text)


def normalise(text: str, language: Language, readings: Sequence[Reading] = ()) -> str:
    """``text`` ready for grapheme-to-phoneme conversion; "" if there is nothing to say.

    Args:
        language: how numbers are read; English text with Chinese characters counts as Mandarin.
        readings: of places of ``text``. Those that are words are written out; for those that are phonemes there are slots
            (``visavis.speech.lexicon.slot``), each with the number of its reading.
    """
    mandarin = language == "zh" or has_han(text)
    text = _plain(_with_readings(text, "zh" if mandarin else "en", readings), "zh" if mandarin else "en")
    if not has_speech(text):
        return ""
    return _mandarin(text) if mandarin or has_han(text) else text


def _with_readings(text: str, language: Language, readings: Sequence[Reading]) -> str:
    if not readings:
        return _SLOT.sub(" ", text)
    pieces, at = [], 0
    for number, one in enumerate(readings[:MOST_SLOTS]):
        pieces.append(_SLOT.sub(" ", text[at : one.start]))  # a text's own private characters are no slots
        at = one.end
        if one.kind == "alias":
            pieces.append(_SLOT.sub(" ", one.value))
        elif one.kind == "say-as" and one.value in say_as.TEXTUAL:
            pieces.append(say_as.as_text(one.word, one.value, language))
        else:
            pieces.append(slot(number))
    return "".join([*pieces, _SLOT.sub(" ", text[at:])])


def script_runs(text: str) -> Iterator[tuple[Language, str]]:
    """Cut normalised Mandarin text into runs: ``en`` are Latin words, ``zh`` everything else, punctuation included."""
    at = 0
    for match in _LATIN_RUN.finditer(text):
        if match.start() > at:
            yield "zh", text[at : match.start()]
        yield "en", match.group()
        at = match.end()
    if at < len(text):
        yield "zh", text[at:]


def _plain(text: str, language: Language) -> str:
    """Without markup, links' addresses, emoji and control characters; in composed form with single spaces. What is written
    short in that language is written out."""
    text = markup.plain(unicodedata.normalize("NFC", text), "，" if language == "zh" else ", ")
    text = written.spelt_out(_URL.sub(" ", text), language)
    text = _MARKUP.sub(" ", _EMPHASIS.sub("", text))
    kept = (
        c
        for c in text
        if unicodedata.category(c) not in {"So", "Sk", "Cc", "Cf", "Co", "Cs", "Cn"} or c in "\n\t°℃℉" or is_slot(c)
    )
    return _SPACES.sub(" ", "".join(" " if c in "\n\t" else c for c in kept)).strip()


def _mandarin(text: str) -> str:
    text = _DIMENSIONS.sub("乘", text)
    text = _PER.sub("每", _UNIT.sub(_unit, text))
    pieces = []
    for language, run in script_runs(text):
        if language == "en":
            pieces.append(run)
        else:
            pieces += (part if is_slot(part) else _mandarin_numbers(part) for part in _SLOT_OR_NOT.split(run) if part)
    return "".join(pieces)


def _unit(match: re.Match[str]) -> str:
    written = match[1] or match[2]
    return _LETTERS.get(written) or _UNITS[written.lower()]


def _mandarin_numbers(run: str) -> str:
    run = _VERSION.sub(lambda match: match.group().translate(_MANDARIN_DIGITS), run)
    if not any(character.isdigit() for character in run):
        return run
    # The grammars drop blanks at the ends, which separate a Latin neighbour.
    head, tail = run[: len(run) - len(run.lstrip())], run[len(run.rstrip()) :]
    return f"{head}{_grammar().normalize(run.strip())}{tail}"


@lru_cache(maxsize=1)
def _grammar() -> Normalizer:
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn")


def load() -> None:
    """Load the grammars now rather than with the first number."""
    _grammar().normalize("1")
