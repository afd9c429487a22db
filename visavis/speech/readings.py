"""How English words are pronounced, in IPA as dictionaries print it, from the synthesisers' own lexicon.

The lexicon writes Kokoro's alphabet (``visavis.speech.phonemes``), which has one character for a diphthong or an affricate;
here they are spelt out.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hibari.g2p import G2P  # type: ignore[import-untyped]

WORD: Final = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*", re.ASCII)
"""What counts as one English word (with ``fullmatch``)."""

_IPA: Final = {
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "Q": "əʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "T": "ɾ",
    "ᵊ": "ə",
    "ᵻ": "ɪ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
}
_SPELT: Final = str.maketrans(_IPA)


class Readings:
    """Looks words up. Thread-safe; the lexicon is read (0.6 s, 100 MB) by the first look-up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._converter: G2P | None = None

    def __call__(self, word: str) -> list[str]:
        """American pronunciations of one word, the usual one first, stress marks before the vowel.

        A word that is pronounced by its part of speech ("record") has several; one that the lexicon lacks has the
        guess that the synthesiser would speak.

        Raises:
            ValueError: it is not one English word.
        """
        if WORD.fullmatch(word) is None:
            raise ValueError("not an English word")
        plain = word.replace("’", "'")
        with self._lock:
            if self._converter is None:
                from hibari.g2p import G2P

                self._converter = G2P()
            entry = self._converter.lexicon.golds.get(plain)
            if isinstance(entry, dict):
                # Some parts of speech have no reading of their own there.
                found = [entry["DEFAULT"], *(entry[part] for part in sorted(entry))]
            else:
                found = [entry or str(self._converter(plain))]
        return list(dict.fromkeys(one.strip().translate(_SPELT) for one in found if one and one.strip()))
