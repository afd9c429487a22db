"""Which syllables the head marks, from phonemes and their times alone.

Our synthesisers tell no stress, and Mandarin has none to tell. In both languages a prominent syllable is a long one
(length and loudness tell prominence better than pitch does: Kochanski, Grabe, Coleman & Rosner, "Loudness predicts
prominence", 2005). Marks that an engine does write (stress, a falling tone) count besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from visavis.motion.visemes import Viseme, visemes_of

_VOWELS: Final = frozenset((Viseme.aa, Viseme.E, Viseme.ih, Viseme.oh, Viseme.ou))
_GLIDES: Final = frozenset("jwɥ")
_REDUCED: Final = frozenset("əᵊɐɨᵻ")
_STRESSED: Final = 1.6
_SECONDARY: Final = 1.2
_FALLING: Final = 1.25  # a fourth tone is said with a push
_WEAK: Final = 0.75
_FINAL: Final = 0.72  # before a pause everything is long


@dataclass(frozen=True, slots=True)
class Syllable:
    """The vowels of one syllable: seconds; ``weight``: how prominent it is, about 1 on average."""

    start: float
    end: float
    weight: float


def syllables(phonemes: Sequence[tuple[str, float, float]]) -> list[Syllable]:
    """Nuclei of the syllables of a sentence in order: neighbouring vowels."""
    found: list[tuple[float, float, float]] = []  # start, end, factor
    open_, factor, marked = False, 1.0, 1.0
    for phoneme, start, end in phonemes:
        letters = phoneme.strip("ˈˌ")
        if "ˈ" in phoneme:
            marked = _STRESSED
        elif "ˌ" in phoneme:
            marked = _SECONDARY
        visemes = [viseme for viseme, _ in visemes_of(phoneme)]
        if not visemes:  # a mark of its own: stress before the syllable, a tone after it
            if "↘" in phoneme and found:
                found[-1] = (*found[-1][:2], found[-1][2] * _FALLING)
            continue
        if visemes[0] in _VOWELS and not set(letters) & _GLIDES:
            factor = marked * (_WEAK if set(letters) & _REDUCED else 1.0) * (_FALLING if "↘" in phoneme else 1.0)
            if open_:
                before = found[-1]
                found[-1] = (before[0], end, max(before[2], factor))
            else:
                found.append((start, end, factor))
            open_, marked = True, 1.0
        elif visemes[0] is Viseme.sil:
            if found:
                found[-1] = (*found[-1][:2], found[-1][2] * _FINAL)
            open_ = False
        else:
            open_ = False
    if not found:
        return []
    mean = sum(end - start for start, end, _ in found) / len(found) or 1.0
    return [Syllable(start, end, factor * (end - start) / mean) for start, end, factor in found]


def beats(phonemes: Sequence[tuple[str, float, float]], gap: float) -> list[tuple[float, float]]:
    """(seconds, strength 0.3..1) of the syllables to mark: more prominent than their neighbours, ``gap`` s apart."""
    spoken = syllables(phonemes)
    chosen: list[Syllable] = []
    for syllable in sorted(spoken, key=lambda each: -each.weight):
        near = any(abs(syllable.start - other.start) < gap for other in chosen)
        if syllable.weight > 1.1 and not near:
            chosen.append(syllable)
    chosen.sort(key=lambda each: each.start)
    return [((s.start + s.end) / 2, min(1.0, max(0.3, 0.6 * (s.weight - 0.6)))) for s in chosen]
