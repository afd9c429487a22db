"""Phonetic symbols as English dictionaries print them, to the synthesisers' alphabet (``visavis.speech.phonemes``)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from visavis.speech.phonemes import ENGLISH_VOWELS

_DROPPED: Final = str.maketrans("", "", "/[](){}.-‿|\u0361\u035c\u0303\u032f\u200d")
_STRESS: Final = str.maketrans({"'": "ˈ", "’": "ˈ", "‘": "ˈ", "ʼ": "ˈ", "´": "ˈ", "`": "ˈ", ",": "ˌ", ":": "ː"})
# The voices are American: what only British speech has is said as American speech has it.
_SYMBOLS: Final = {
    "tʃ": "ʧ", "dʒ": "ʤ", "eɪ": "A", "ei": "A", "aɪ": "I", "ai": "I", "ɔɪ": "Y", "ɔi": "Y", "oi": "Y",
    "oʊ": "O", "ou": "O", "əʊ": "O", "əu": "O", "aʊ": "W", "au": "W",
    "iː": "i", "uː": "u", "ɑː": "ɑ", "ɔː": "ɔ", "æː": "æ",
    "ɜːr": "ɜɹ", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɜr": "ɜɹ", "ɜɹ": "ɜɹ", "ɜ": "ɜɹ", "əːr": "ɜɹ", "əː": "ɜɹ",
    "ɝːr": "ɜɹ", "ɝː": "ɜɹ", "ɝr": "ɜɹ", "ɝ": "ɜɹ", "ɚːr": "əɹ", "ɚr": "əɹ", "ɚ": "əɹ",
    "ɪər": "ɪɹ", "iər": "ɪɹ", "ɪə": "iə", "eər": "ɛɹ", "ɛər": "ɛɹ", "eə": "ɛə", "ɛːr": "ɛɹ", "ʊər": "ʊɹ",
    "r": "ɹ", "ɻ": "ɹ", "ɹ": "ɹ", "g": "ɡ", "ɡ": "ɡ", "e": "ɛ", "ɛ": "ɛ", "a": "æ", "æ": "æ", "ɑ": "ɑ", "ɒ": "ɑ",
    "ʌ": "ʌ", "ɐ": "ɐ", "ə": "ə", "ɪ": "ɪ", "i": "i", "ʊ": "ʊ", "u": "u", "ɔ": "ɔ", "o": "O", "ᵊ": "ᵊ", "ᵻ": "ᵻ",
    "b": "b", "d": "d", "f": "f", "h": "h", "j": "j", "k": "k", "l": "l", "ɫ": "l", "m": "m", "n": "n", "ŋ": "ŋ",
    "ɲ": "nj", "p": "p", "s": "s", "ʃ": "ʃ", "t": "t", "ɾ": "T", "ʔ": "t", "v": "v", "w": "w", "ʍ": "w", "x": "k",
    "z": "z", "ʒ": "ʒ", "θ": "θ", "ð": "ð", "ʧ": "ʧ", "ʤ": "ʤ",
    "ː": "", "ˈ": "ˈ", "ˌ": "ˌ", " ": " ",
}  # fmt: skip
_SYMBOL: Final = re.compile("|".join(sorted(map(re.escape, _SYMBOLS), key=len, reverse=True)))
_VOWELS: Final = "".join(ENGLISH_VOWELS)
_EARLY: Final = re.compile(rf"([ˈˌ])([^{_VOWELS}ˈˌ ]+)(?=[{_VOWELS}])")
_FIRST: Final = re.compile(f"[{_VOWELS}]")
_SYLLABIC: Final = re.compile("(.)\u0329")


def to_phonemes(written: str) -> str:
    """The phonemes of a word's phonetic symbols, such as ``/ˈrekərd/``. Stress is written before the vowel then.

    Raises:
        ValueError: it has a symbol that is none of English, or no vowel; the message says which.
    """
    text = _SYLLABIC.sub(r"ᵊ\1", unicodedata.normalize("NFD", written.split(";")[0]))
    text = " ".join(text.translate(_DROPPED).translate(_STRESS).split())
    phonemes, at = [], 0
    while at < len(text):
        match = _SYMBOL.match(text, at)
        if match is None:
            raise ValueError(f"{text[at]!r} is no phonetic symbol of English")
        phonemes.append(_SYMBOLS[match[0]])
        at = match.end()
    said = _EARLY.sub(r"\2\1", "".join(phonemes)).strip()
    if _FIRST.search(said) is None:
        raise ValueError("there is no vowel in it")
    if "ˈ" not in said and "ˌ" not in said:
        # Words of one syllable are printed without stress.
        said = _FIRST.sub(lambda vowel: f"ˈ{vowel[0]}", said, count=1)
    return said
