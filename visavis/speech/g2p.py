"""Grapheme to phoneme: normalised text to strings in Kokoro's alphabet (``visavis.speech.phonemes``).

English through hibari's converter (lexicon, tagger and a small net for unknown words), Mandarin through misaki's
(jieba's words, pypinyin's readings, IPA with tone arrows). Both are plain Python that holds the interpreter lock for
about a millisecond a sentence.
"""

from __future__ import annotations

import json
import re
import threading
from importlib.resources import files
from typing import TYPE_CHECKING

from visavis.speech.normalise import has_han, script_runs

if TYPE_CHECKING:
    from hibari.g2p import G2P  # type: ignore[import-untyped]
    from misaki.zh import ZHG2P

_NAMES = {"visavis": "vˌizəvˈi"}
"""Words that the English converter cannot know, in lower case."""
_NAME = re.compile(rf"\b({'|'.join(_NAMES)})\b", re.IGNORECASE)
_BEFORE_MARK = re.compile(r" (?=[,.!?;:…])")

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

    def __call__(self, text: str) -> str:
        """Phonemes of normalised text, each character with a token number; "" if none could be found."""
        with self._lock:
            raw = self._mixed(text) if has_han(text) else self._latin(text)
        return "".join(character for character in raw if character in self._tokens).strip()

    def token(self, phoneme: str) -> int:
        """The engines' number of one character of a phoneme string."""
        return self._tokens[phoneme]

    def _latin(self, text: str) -> str:
        # hibari takes the pronunciation of a word in this form.
        return str(self._english(_NAME.sub(lambda name: f"[{name[0]}](/{_NAMES[name[0].lower()]}/)", text)))

    def _mixed(self, text: str) -> str:
        pieces: list[str] = []
        for language, run in script_runs(text):
            if language == "en":
                # Spoken Mandarin sets no pause around a foreign word; the space only marks the word.
                pieces.append(f" {self._latin(run)} ")
            elif run.strip():
                pieces.append(self._mandarin(run)[0])
        return _BEFORE_MARK.sub("", " ".join("".join(pieces).split()))


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
