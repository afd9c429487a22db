"""Word lists: questions with one of these words are refused.

A file is UTF-8 text with a word or phrase a line; empty lines and those that begin with ``#`` count for nothing. Whoever wants to get
round a list writes ``b a d``, ``b-a-d``, ``ＢＡＤ`` or ``坏。词``: width, case, and what stands between characters are ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from visavis.errors import VisavisError
from visavis.speech.types import Language

_MAX_BYTES: Final = 4 * 1024 * 1024
_MOST: Final = 100_000
_HAN: Final = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_SPELT: Final = re.compile(r"(?<![^\W_])[^\W_](?:[\W_]+[^\W_](?![^\W_])){2,}")
"""Single letters with something between them, three or more: a word that is spelt out."""


class WordListError(VisavisError):
    """A word list cannot be used; the message names the file."""


class WordList:
    """Words that are refused. Immutable.

    A word with Chinese characters is found wherever its characters follow each other, blanks and punctuation aside; any other only as
    whole words: "ass" is not in "class".
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._parts: set[str] = set()
        self._whole: set[str] = set()
        for word in words:
            plain = _plain(word)
            if _HAN.search(plain):
                self._parts.add(_joined(plain))
            elif whole := " ".join(_pieces(plain)):
                self._whole.add(whole)
        self._part_lengths = sorted({len(part) for part in self._parts})
        self._whole_lengths = sorted({len(whole.split()) for whole in self._whole})

    def __len__(self) -> int:
        return len(self._parts) + len(self._whole)

    def finds(self, text: str) -> str:
        """The first word of the list that ``text`` has; "" if it has none."""
        plain = _plain(text)
        joined = _joined(plain)
        for length in self._part_lengths:
            for begin in range(len(joined) - length + 1):
                if joined[begin : begin + length] in self._parts:
                    return joined[begin : begin + length]
        for wording in (plain, _SPELT.sub(lambda match: f" {_joined(match[0])} ", plain)):
            pieces = _pieces(wording)
            for length in self._whole_lengths:
                for begin in range(len(pieces) - length + 1):
                    if (whole := " ".join(pieces[begin : begin + length])) in self._whole:
                        return whole
        return ""


def load(files: Mapping[Language, Path]) -> WordList:
    """The lists of all languages as one: people mix them. Raises WordListError."""
    words: list[str] = []
    for path in files.values():
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise WordListError(f"{path.name}: larger than {_MAX_BYTES // 1024 // 1024} MiB")
            text = path.read_text("utf-8-sig")
        except OSError as error:
            raise WordListError(f"{path.name}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise WordListError(f"{path.name}: not UTF-8") from error
        words += [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(words) > _MOST:
        raise WordListError(f"{len(words)} words; at most {_MOST} are taken")
    return WordList(words)


def _plain(text: str) -> str:
    """One width, one case, no accents, no characters that are not seen."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in apart if unicodedata.category(one) not in ("Mn", "Cf"))


def _joined(plain: str) -> str:
    return "".join(one for one in plain if one.isalnum())


def _pieces(plain: str) -> list[str]:
    """Words, as far as there are borders between them; Chinese is a border."""
    return re.findall(r"[^\W_]+", _HAN.sub(" ", plain.replace("'", "").replace("’", "")))
