"""Grapheme to phoneme: normalised text to strings in Kokoro's alphabet (``visavis.speech.phonemes``).

English through hibari's converter (lexicon, tagger and a small net for unknown words), Mandarin through misaki's
(jieba's words, pypinyin's readings, IPA with tone arrows). Both are plain Python that holds the interpreter lock for
about a millisecond a sentence.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from visavis.speech import ipa, pinyin
from visavis.speech.lexicon import SLOT, Reading, is_slot, number_of
from visavis.speech.normalise import has_han, script_runs

if TYPE_CHECKING:
    from hibari.g2p import G2P  # type: ignore[import-untyped]
    from misaki.zh import ZHG2P

_NAMES = {"visavis": "vˌizəvˈi"}
"""Words that the English converter cannot know, in lower case."""
_NAME = re.compile(rf"\b({'|'.join(_NAMES)})\b", re.IGNORECASE)
_BEFORE_MARK = re.compile(r" (?=[,.!?;:…])")
_SLOTS = re.compile(SLOT)
_SLOTS_TOO = re.compile(f"({SLOT})")
_SLOT_AND_TAIL = re.compile(rf"(?P<slot>{SLOT})(?P<owner>['’][sS](?![A-Za-z]))?(?P<hyphen>-(?=[A-Za-z]))?")
_NO_LETTER = re.compile(r"[^A-Za-z]+")
_PAUSING = re.compile(r"[^\w'’+#]+")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")

_DIGITS = ("ling2", "yi1", "er4", "san1", "si4", "wu3", "liu4", "qi1", "ba1", "jiu3")
_LETTERS = {
    "A": "ˈA", "B": "bˈi", "C": "sˈi", "D": "dˈi", "E": "ˈi", "F": "ˈɛf", "G": "ʤˈi", "H": "ˈAʧ", "I": "ˈI",
    "J": "ʤˈA", "K": "kˈA", "L": "ˈɛl", "M": "ˈɛm", "N": "ˈɛn", "O": "ˈO", "P": "pˈi", "Q": "kjˈu", "R": "ˈɑɹ",
    "S": "ˈɛs", "T": "tˈi", "U": "jˈu", "V": "vˈi", "W": "dˈʌbᵊljˌu", "X": "ˈɛks", "Y": "wˈI", "Z": "zˈi",
}  # fmt: skip

_WARM_EN = "Warm-up, 12 xyzzyish words."
_WARM_ZH = "预热。"


class Phonemiser:
    """Both converters and the alphabet's token numbers. Thread-safe."""

    def __init__(self) -> None:
        """Load everything now (1.4 s)."""
        self._lock = threading.Lock()
        alphabet = json.loads((files("hibari") / "assets" / "vocab.json").read_text("utf-8"))
        self._tokens: dict[str, int] = alphabet
        self._english: G2P = _load_english()
        self._mandarin: ZHG2P = _load_mandarin()
        self(_WARM_EN)
        self(_WARM_ZH)

    def __call__(self, text: str, readings: Sequence[Reading] = ()) -> str:
        """Phonemes of normalised text, each character with a token number; "" if none could be found.

        ``readings``: what the slots of the text are filled with, as they were given to ``normalise``.
        """
        with self._lock:
            mandarin = has_han(text) or any(in_mandarin(readings[number_of(one)]) for one in _SLOTS.findall(text))
            raw = self._mixed(text, readings) if mandarin else self._latin(text, readings)
        return "".join(character for character in raw if character in self._tokens).strip()

    def token(self, phoneme: str) -> int:
        """The engines' number of one character of a phoneme string."""
        return self._tokens[phoneme]

    def _latin(self, text: str, readings: Sequence[Reading] = ()) -> str:
        # hibari takes the pronunciation of a word in this form.
        named = _NAME.sub(lambda name: f"[{name[0]}](/{_NAMES[name[0].lower()]}/)", text)

        def filled(match: re.Match[str]) -> str:
            reading = readings[number_of(match["slot"])]
            said = self._filling(reading, mandarin=False)
            if match["owner"]:
                said += _possessive(said)
            # A hyphen behind a word in this form would be a dash.
            return f"[{_NO_LETTER.sub('', reading.word) or 'x'}](/{said}/){' ' if match['hyphen'] else ''}"

        return str(self._english(_SLOT_AND_TAIL.sub(filled, named)))

    def _mixed(self, text: str, readings: Sequence[Reading]) -> str:
        pieces: list[str] = []
        for language, run in _runs(text):
            if is_slot(run[0]):
                # A word of its own, whatever stands beside it.
                pieces.append(f" {self._filling(readings[number_of(run[0])], mandarin=True)} ")
            elif language == "en":
                # Spoken Mandarin sets no pause around a foreign word; the space only marks the word.
                pieces.append(f" {self._latin(run)} ")
            elif run.strip():
                pieces.append(self._mandarin(run)[0])
        return _BEFORE_MARK.sub("", " ".join("".join(pieces).split()))

    def _filling(self, reading: Reading, *, mandarin: bool) -> str:
        """The phonemes of a slot; of a value that is no reading (checked where it was given), those of the word."""
        word, value = reading.word, reading.value
        try:
            if reading.kind == "pinyin":
                return _syllables(pinyin.syllables(value))
            if reading.kind == "ipa":
                return ipa.to_phonemes(value)
        except ValueError:
            return self._in_one_go(word)
        if reading.kind == "linked":
            return self._in_one_go(word)
        return self._spelt(word, mandarin=mandarin) if value == "spell" else self._as_word(word)

    def _in_one_go(self, word: str) -> str:
        """As one word: whatever would be a pause in it is none."""
        pieces = []
        for language, run in script_runs(" ".join(_PAUSING.sub(" ", word).split())):
            if language == "en":
                pieces.append(f" {self._latin(run)} ")
            else:
                pieces += [self._mandarin.word2ipa(part) for part in run.split()]
        return " ".join("".join(pieces).split())

    def _spelt(self, word: str, *, mandarin: bool) -> str:
        said = []
        for sign in word.upper():
            if sign in _LETTERS:
                said.append(_LETTERS[sign])
            elif sign.isdecimal():
                said.append(_syllables([_DIGITS[int(sign)]]) if mandarin else self._latin(str(int(sign))))
        return " ".join(said)

    def _as_word(self, word: str) -> str:
        """As an English word, even if it looks like an abbreviation."""
        said = []
        for part in _WORD.findall(word):
            lower = part.lower()
            known = lower in self._english.lexicon.golds or lower in self._english.lexicon.silvers
            said.append(self._latin(lower) if known else str(self._english.oov(lower)))
        return " ".join(said)


def in_mandarin(reading: Reading) -> bool:
    """Whether the phonemes of such a reading are those of Mandarin."""
    return reading.kind == "pinyin" or (reading.kind == "linked" and has_han(reading.word))


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """As ``script_runs``, and each slot by itself."""
    for part in _SLOTS_TOO.split(text):
        if part and is_slot(part):
            yield "", part
        else:
            yield from script_runs(part)


def _syllables(found: Sequence[str]) -> str:
    from misaki.zh import ZHG2P

    # The mark that joins the two halves of a diphthong has no token.
    return "".join(ZHG2P.py2ipa(one.replace("ü", "v")) for one in found).replace("\u032f", "")


def _possessive(said: str) -> str:
    """The sound of 's behind these phonemes."""
    last = said[-1:]
    return "ᵻz" if last in "szʃʒʧʤ" else "s" if last in "ptkfθ" else "z"


def _load_english() -> G2P:
    from hibari.g2p import G2P

    return G2P()


def _load_mandarin() -> ZHG2P:
    import jieba
    from misaki.zh import ZHG2P

    # Built here rather than by jieba itself, which would read a compiled dictionary from a file with a fixed name in
    # the shared temporary folder, where anybody could have put one. Building it takes as long as reading it (0.5 s).
    dictionary = jieba.dt
    dictionary.FREQ, dictionary.total = dictionary.gen_pfdict(dictionary.get_dict_file())
    dictionary.initialized = True
    return ZHG2P()
