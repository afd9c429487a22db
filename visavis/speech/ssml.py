"""The tags of SSML that change how a text is spoken, as far as the published definition has them.

``phoneme`` (ph), ``say-as`` (interpret-as), ``sub`` (alias), ``word`` (in one go), ``break`` (time, strength) and ``prosody`` (rate)
count; all others are left out, and what they enclose is spoken.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from visavis.errors import VisavisError
from visavis.speech import ipa, pinyin, say_as
from visavis.speech.lexicon import Kind, Reading, composed
from visavis.speech.normalise import has_han

_TAG: Final = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z-]*)(?P<rest>[^<>]*)>|<!--.*?-->|<[?!][^<>]*>", re.DOTALL
)
_ATTRIBUTE: Final = re.compile(r"([A-Za-z:-]{1,32})\s{0,8}=\s{0,8}(?:\"([^\"]*)\"|'([^']*)')")
_LONGEST_TAG: Final = 2048
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)", re.IGNORECASE)
_SHORTEST_BREAK_S: Final = 0.2
_LONGEST_BREAK_S: Final = 10.0
_STRENGTHS: Final = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.0}
_RATES: Final = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
_RATE: Final = re.compile(r"([+-]?)(\d+(?:\.\d+)?)(%?)")
_READ: Final = frozenset({"phoneme", "say-as", "sub", "word"})
_MOST_BREAKS: Final = 200


class SsmlError(VisavisError):
    """A tag says what cannot be done; the message may be shown to whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text without tags, and how places of it are read. ``rate``: factor on the speed."""

    text: str
    readings: tuple[Reading, ...] = ()
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Break:
    """Silence."""

    seconds: float


def parse(text: str) -> list[Piece | Break]:
    """The text in its order: pieces with words in them, and the breaks between.

    Raises:
        SsmlError: a tag's value cannot be read so.
    """
    script = _Script()
    at = 0
    tagged = _TAG.search(text) is not None
    for tag in _TAG.finditer(text):
        script.say(text[at : tag.start()], tagged)
        at = tag.end()
        if tag["name"]:
            script.tag(tag["name"].lower(), tag["rest"], closing=bool(tag["end"]))
    script.say(text[at:], tagged)
    return script.end()


def plain(text: str) -> str:
    """The text without its tags."""
    return " ".join(one.text for one in parse(text) if isinstance(one, Piece))


@dataclass(slots=True)
class _Open:
    """A tag that reads what it encloses, not closed yet."""

    name: str
    start: int
    kind: Kind
    value: str


@dataclass(slots=True)
class _Script:
    done: list[Piece | Break] = field(default_factory=list)
    text: str = ""
    readings: list[Reading] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    open: _Open | None = None
    breaks: int = 0

    def say(self, text: str, tagged: bool) -> None:
        self.text += composed(html.unescape(text) if tagged else text)

    def tag(self, name: str, rest: str, *, closing: bool) -> None:
        if len(rest) > _LONGEST_TAG:
            raise SsmlError(f"<{name}>: it is longer than {_LONGEST_TAG} characters")
        given = {one[1].lower(): html.unescape(one[2] or one[3] or "") for one in _ATTRIBUTE.finditer(rest)}
        empty = rest.rstrip().endswith("/")
        if name == "break" and not closing:
            self._cut(_break(given))
        elif name == "prosody" and closing:
            if self.rates:
                self._cut(None)
                self.rates.pop()
        elif name == "prosody" and not empty:
            rate = _rate(given)
            self._cut(None)
            self.rates.append(rate)
        elif closing and self.open is not None and self.open.name == name:
            self._close(self.open)
        elif name in _READ and not closing and not empty and self.open is None:
            # Of tags inside one another the outer one says it all.
            self.open = _reads(name, given, len(self.text))

    def end(self) -> list[Piece | Break]:
        self.open = None
        self._cut(None)
        return self.done

    def _close(self, tag: _Open) -> None:
        self.open = None
        whole = self.text[tag.start :]
        word = whole.strip()
        if word:
            start = tag.start + whole.index(word)
            _check(tag, word)
            kind: Kind = tag.kind
            if tag.name == "phoneme":
                kind = "pinyin" if has_han(word) else "ipa"
            self.readings.append(Reading(start, start + len(word), word, kind, tag.value))

    def _cut(self, seconds: float | None) -> None:
        """End the piece, perhaps with silence; a word that is being read ends here as well."""
        self.open = None
        if self.text.strip():
            rate = 1.0
            for one in self.rates:
                rate *= one
            self.done.append(Piece(self.text, tuple(self.readings), rate))
        self.text, self.readings = "", []
        if seconds:
            self.breaks += 1
            if self.breaks > _MOST_BREAKS:
                raise SsmlError(f"<break>: at most {_MOST_BREAKS} in one text")
            self.done.append(Break(seconds))


def _reads(name: str, given: Mapping[str, str], start: int) -> _Open:
    attribute, kind = {
        "phoneme": ("ph", "pinyin"),
        "say-as": ("interpret-as", "say-as"),
        "sub": ("alias", "alias"),
        "word": ("", "linked"),
    }[name]
    value = given.get(attribute, "").strip()
    if attribute and not value:
        raise SsmlError(f"<{name}>: {attribute} is needed")
    return _Open(name, start, kind, value)  # type: ignore[arg-type]


def _check(tag: _Open, word: str) -> None:
    try:
        if tag.name == "phoneme" and has_han(word):
            pinyin.syllables(tag.value)
        elif tag.name == "phoneme":
            ipa.to_phonemes(tag.value)
        elif tag.name == "say-as":
            say_as.check(word, tag.value)
    except ValueError as error:
        raise SsmlError(f"<{tag.name}>: {error}") from None


def _break(given: Mapping[str, str]) -> float:
    if "time" in given:
        match = _TIME.fullmatch(given["time"].strip())
        seconds = float(match[1]) / (1000 if match[2].lower() == "ms" else 1) if match else 0.0
        if not _SHORTEST_BREAK_S <= seconds <= _LONGEST_BREAK_S:
            raise SsmlError("<break>: time is 200ms to 10s")
        return seconds
    strength = given.get("strength", "medium")
    if strength not in _STRENGTHS:
        raise SsmlError(f"<break>: strength is one of {', '.join(_STRENGTHS)}")
    return _STRENGTHS[strength]


def _rate(given: Mapping[str, str]) -> float:
    """0.5 to 2; a tag that says nothing of the speed leaves it."""
    said = given.get("rate", "default").strip().lower()
    if said in _RATES:
        return _RATES[said]
    match = _RATE.fullmatch(said)
    if match is None:
        raise SsmlError("<prosody>: rate is a factor, a percentage, or one of " + ", ".join(_RATES))
    value = float(match[2]) / (100 if match[3] else 1)
    if match[1]:
        value = 1 + value if match[1] == "+" else 1 - value
    if not 0.5 <= value <= 2:
        raise SsmlError("<prosody>: rate is from half to twice the speed")
    return value
