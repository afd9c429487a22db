"""Wake words: who sleeps wakes when it hears one of its phrases, and answers what follows in the same breath.

Recognisers write a name that they do not know as something they do know. So phrases are found by how they sound, roughly, in English
and in Chinese (without tones), not by how they are spelt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from visavis.errors import VisavisError
from visavis.speech.hot_words import difference, sounds
from visavis.speech.normalise import has_han

LEAST_SOUNDS: Final = 4
"""A phrase with fewer sounds would be heard in half of all sentences."""
FURTHEST: Final = {True: 0.12, False: 0.235}
"""Share of a phrase's sounds that may differ, of Chinese and of other phrases; measured with tests/session/test_waking.py."""

_TOKEN: Final = re.compile(r"[\u3400-\u9fff]|[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z]+)*|\d")
_BETWEEN: Final = re.compile(r"^[\s,.!?;:，。！？；：、…~～—-]+")


class PhraseTooShort(VisavisError):
    """The phrase has too few sounds to be told from other speech."""


@dataclass(frozen=True, slots=True)
class Call:
    """A phrase was heard. ``rest``: what followed it, empty if nothing did."""

    phrase: str
    rest: str


@dataclass(frozen=True, slots=True)
class _Place:
    distance: float
    end: int
    phrase: str


def check(phrase: str) -> None:
    """Raises PhraseTooShort."""
    if len(sounds(phrase)) < LEAST_SOUNDS:
        raise PhraseTooShort(f"the wake word {phrase!r} is too short: it would be heard in other words")


class WakeWords:
    """The phrases of one job. None of them: any speech wakes."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = [(phrase, sounds(phrase), FURTHEST[has_han(phrase)]) for phrase in phrases]

    def __bool__(self) -> bool:
        return bool(self._phrases)

    def find(self, text: str) -> Call | None:
        """The phrase in what was heard; None: there is none."""
        places = [place for phrase in self._phrases if (place := _nearest(text, *phrase)) is not None]
        if not places:
            return None
        best = min(places, key=lambda place: (place.distance, -place.end))
        rest = _BETWEEN.sub("", text[best.end :]).strip()
        # "Mira, Mira, what time is it": called twice.
        again = self.find(rest) if rest else None
        if again is not None and len(sounds(rest)) - len(sounds(again.rest)) <= 1.5 * len(sounds(again.phrase)):
            return Call(best.phrase, again.rest)
        return Call(best.phrase, rest)


def _nearest(text: str, phrase: str, wanted: str, furthest: float) -> _Place | None:
    """Where ``text`` sounds most like the phrase: the first such place."""
    tokens = [(found.end(), sounds(found[0])) for found in _TOKEN.finditer(text)]
    # Of Chinese the syllables are always told apart, whatever characters they become.
    syllables = len(phrase) if all(has_han(one) for one in phrase) else 0
    best: _Place | None = None
    for count, end, heard in _runs(tokens, len(wanted)):
        if syllables and count != syllables:
            continue
        distance = difference(wanted, heard) / len(wanted)
        if distance <= furthest and (best is None or distance < best.distance):
            best = _Place(distance, end, phrase)
    return best


def _runs(tokens: Sequence[tuple[int, str]], length: int) -> Iterator[tuple[int, int, str]]:
    """Runs of tokens with about ``length`` sounds: how many, where each ends in the text, its sounds."""
    for first in range(len(tokens)):
        heard = ""
        for count, (end, more) in enumerate(tokens[first:], 1):
            heard += more
            if len(heard) > 1.4 * length + 1:
                break
            if len(heard) >= 0.6 * length:
                yield count, end, heard
