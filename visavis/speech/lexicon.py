"""How a text's words are to be read where that differs from what a voice would do by itself.

A :class:`Lexicon` holds a voice's words. What it finds in one text are :class:`Reading` s, which travel with the text to the
synthesiser (``VoiceSettings.readings``): there ``visavis.speech.normalise`` puts another text in the place of a word, or a slot
that ``visavis.speech.g2p`` fills with phonemes. What is shown of the text, such as subtitles, never changes.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from visavis.errors import VisavisError

Kind = Literal["alias", "pinyin", "ipa", "linked", "say-as"]
"""alias: as another text; pinyin: as these syllables; ipa: as these symbols; linked: in one go, without a pause;
say-as: as one of ``visavis.speech.say_as.WAYS``."""

_KINDS: Final = frozenset(get_args(Kind))


class Reading(NamedTuple):
    """How the characters ``start`` to ``end`` (``word``) of one text are read."""

    start: int
    end: int
    word: str
    kind: Kind
    value: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """How a word is read wherever it stands."""

    word: str
    kind: Kind
    value: str = ""


class Lexicon:
    """A voice's words. Immutable; searches may run at the same time.

    Of words that overlap in a text the one that begins first wins, then the longer one. Latin words and numbers are found whole
    only ("art" is not in "start", "5" not in "2.5"). Upper and lower case are the same, but not for words of capitals alone:
    "IT" is not "it". Of two entries for one word the later one counts.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """``entries``: the ones that count before those that count more; those without a word are left out."""
        latest = {word: one for one in entries if (word := composed(one.word).strip())}
        self.entries: Final = tuple(Entry(word, one.kind, one.value) for word, one in latest.items())
        self._words: dict[str, list[Entry]] = {}
        lengths: dict[str, set[int]] = {}
        for one in self.entries:
            folded = _folded(one.word)
            self._words.setdefault(folded, []).insert(0, one)
            lengths.setdefault(folded[0], set()).add(len(folded))
        self._lengths = {first: sorted(known, reverse=True) for first, known in lengths.items()}

    def __bool__(self) -> bool:
        return bool(self.entries)

    def find(self, text: str, taken: Sequence[Reading] = ()) -> tuple[Reading, ...]:
        """The readings of a text (:func:`composed`) in its order, without overlaps, ``taken`` among them.

        ``taken``: readings that the text has already, in its order; no word is looked for there.
        """
        return tuple(
            one if isinstance(one, Reading) else Reading(start, end, text[start:end], one.kind, one.value)
            for start, end, one in self._matches(text, taken)
        )

    def within(self, text: str) -> Lexicon:
        """Only the words that are found in ``text``."""
        found = {id(one) for _, _, one in self._matches(composed(text), ())}
        return Lexicon(one for one in self.entries if id(one) in found)

    def _matches(self, text: str, taken: Sequence[Reading]) -> Iterator[tuple[int, int, Entry | Reading]]:
        folded = _folded(text)
        at = 0
        for one in (*taken, None):
            limit = len(text) if one is None else one.start
            while at < limit:
                entry, end = self._longest(text, folded, at, limit)
                if entry is not None:
                    yield at, end, entry
                at = end
            if one is not None:
                yield one.start, one.end, one
                at = one.end

    def _longest(self, text: str, folded: str, start: int, limit: int) -> tuple[Entry | None, int]:
        """The longest entry at ``start`` and where it ends; none: where to look next."""
        for length in self._lengths.get(folded[start], ()):
            end = start + length
            entries = self._words.get(folded[start:end]) if end <= limit else None
            if entries and _whole(text, start, end):
                entry = _fitting(entries, text[start:end])
                if entry is not None:
                    return entry, end
        return None, start + 1


NOTHING: Final = Lexicon()


def composed(text: str) -> str:
    """The text in the form in which readings count its characters."""
    return unicodedata.normalize("NFC", text)


def moved(readings: Iterable[Reading], begin: int, end: int) -> tuple[Reading, ...]:
    """The readings inside ``begin`` to ``end`` of a text, as those of that part alone."""
    return tuple(
        one._replace(start=one.start - begin, end=one.end - begin)
        for one in readings
        if begin <= one.start and one.end <= end
    )


def _folded(text: str) -> str:
    """The text, as long as it was, with one character for all that are the same."""
    return "".join(map(_fold, text))


def _fold(character: str) -> str:
    """One character for all that are the same: case, kinds of blanks, apostrophes and hyphens, full and half width."""
    if "\uff01" <= character <= "\uff5e":
        character = chr(ord(character) - 0xFEE0)
    if character.isspace():
        return " "
    if character in "’‘ʼ":
        return "'"
    if character in "‐‑":
        return "-"
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _fitting(entries: Sequence[Entry], written: str) -> Entry | None:
    for entry in entries:
        if entry.word == written:
            return entry
    return next((entry for entry in entries if not _capitals(entry.word) or _capitals(written)), None)


def _capitals(word: str) -> bool:
    """Whether it has letters with a case, and all of them are capitals: such a word is another one in small letters."""
    return word.isupper()


def _whole(text: str, start: int, end: int) -> bool:
    """Whether no Latin word and no number goes on at either end."""
    first, last = text[start], text[end - 1]
    before, after = text[start - 1 : start], text[end : end + 1]
    if _alnum(first) and _alnum(before):
        return False
    if _alnum(last) and _alnum(after):
        return False
    if first.isdigit() and before in (".", ",") and text[start - 2 : start - 1].isdigit():
        return False
    if last.isdigit() and after in (".", ",") and text[end + 1 : end + 2].isdigit():
        return False
    if last.isalpha() and after in ("'", "’"):
        # "don" is not in "don't", but "NASA" is in "NASA's".
        tail = text[end + 1 : end + 3]
        return not _alnum(tail[:1]) or (tail[:1] in "sS" and not _alnum(tail[1:]))
    return True


def _alnum(character: str) -> bool:
    """A letter of the Latin, Greek or Cyrillic alphabet, or a digit: of what words and numbers are spelt with."""
    return character.isalnum() and ord(character) < 0x0530


# --- as a file, for workers -------------------------------------------------------------------------------

_FORMAT: Final = "visavis-lexicon"


def to_json(lexicon: Lexicon) -> str:
    """The lexicon as a text that :func:`from_json` takes."""
    entries = [[one.word, one.kind, one.value] for one in lexicon.entries]
    return json.dumps({"format": _FORMAT, "version": 1, "entries": entries}, ensure_ascii=False)


def from_json(text: str) -> Lexicon:
    """What :func:`to_json` wrote.

    Raises:
        VisavisError: it is something else.
    """
    try:
        whole = json.loads(text)
        if (whole["format"], whole["version"]) != (_FORMAT, 1):
            raise ValueError("another format")
        entries = [Entry(str(word), kind, str(value)) for word, kind, value in whole["entries"]]
        if any(one.kind not in _KINDS for one in entries):
            raise ValueError("an unknown kind of reading")
    except (ValueError, KeyError, TypeError) as error:
        raise VisavisError(f"no lexicon: {error}") from None
    return Lexicon(entries)


def load(path: Path) -> Lexicon:
    """The lexicon of a file (blocking); a file that has not changed is read once.

    Raises:
        VisavisError: it cannot be read.
    """
    try:
        return _loaded(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise VisavisError(f"no lexicon: {error.strerror or error}") from None


@lru_cache(maxsize=32)
def _loaded(path: Path, _: int) -> Lexicon:
    return from_json(path.read_text("utf-8"))


# --- slots ------------------------------------------------------------------------------------------------

_FIRST_SLOT: Final = 0xF0000
MOST_SLOTS: Final = 0xFFFE
SLOT: Final = "[\U000f0000-\U000ffffd]"
"""A character (as a pattern) that stands in normalised text for the reading of that number: it is to be filled with phonemes."""


def slot(number: int) -> str:
    """The slot of the reading with that number."""
    return chr(_FIRST_SLOT + number)


def is_slot(character: str) -> bool:
    """Whether that character is a slot."""
    return "\U000f0000" <= character <= "\U000ffffd"


def number_of(character: str) -> int:
    """Which reading a slot is to be filled with."""
    return ord(character) - _FIRST_SLOT
