"""The sentences of a passage that answer a question: what is read out where no language model puts it into words."""

from __future__ import annotations

import asyncio
from typing import Final

import numpy as np

from visavis.dialogue import phrases
from visavis.dialogue.encoder import Encoder
from visavis.dialogue.retrieval import Normaliser
from visavis.speech.types import Language

_LOOKED_AT: Final = 24
_READ: Final = 2
_LONGEST: Final = 240
"""Characters that are read out at most: half a minute of Chinese is too much already, so that Chinese gets a third of it."""
_HAN_SHARE: Final = 3
_NEAR: Final = 0.05
_NORMAL: Final = Normaliser({})


async def fitting(text: str, question: str, language: Language, encoder: Encoder) -> str:
    """One or two sentences of ``text``, in its order, which fit ``question`` best; "" if none can be spoken.

    Args:
        language: of a text that does not tell its language.
    """
    spoken = phrases.language_of(text, language)
    sentences = [
        one
        for line in text.split("\n")
        for one in phrases.sentences(line, spoken)
        if any(character.isalnum() for character in one)
    ][:_LOOKED_AT]
    if not sentences:
        return ""
    best = await asyncio.to_thread(_best, sentences, question, encoder) if len(sentences) > 1 else [0]
    longest = _LONGEST // _HAN_SHARE if spoken == "zh" else _LONGEST
    taken: list[int] = []
    for number in best:
        if taken and sum(len(sentences[one]) for one in taken) + len(sentences[number]) > longest:
            break
        taken.append(number)
    joiner = "" if spoken == "zh" else " "
    return joiner.join(sentences[number] for number in sorted(taken))


def _best(sentences: list[str], question: str, encoder: Encoder) -> list[int]:
    """The best sentence, then the better one of its neighbours, if it fits nearly as well; by number."""
    vectors = encoder.encode([_NORMAL.question(one) for one in (question, *sentences)])
    scores = vectors[1:] @ vectors[0]
    first = int(np.argmax(scores))
    beside = [number for number in (first - 1, first + 1) if 0 <= number < len(sentences)]
    second = max(beside, key=lambda number: float(scores[number]))
    near = float(scores[second]) >= float(scores[first]) - _NEAR
    # What follows explains what was said; what stands before only counts where it fits as well.
    return [first, second][:_READ] if near or second == first + 1 else [first]
