"""What is said instead of a sentence whose sound does not come: the voice that fails cannot say so itself, but it did before.

The phrases are those that are synthesised ahead of time. One that is not there is shown as a subtitle for a while.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from visavis.dialogue import phrases
from visavis.session.script import STAGE_RATE, TurnRecord, Utterance
from visavis.session.services import Ready, ReadyMade

SHOWN_S: Final = 2.0
"""For so long a phrase is shown that nobody can say."""


async def nothing_ready(text: str) -> ReadyMade | None:
    """Nothing was made ahead of time."""
    return None


def for_late(turn: TurnRecord, utterance: Utterance) -> Utterance | None:
    """What is said while the first sound of ``utterance``, which is of that turn, is waited for. It is written into the turn.

    None: nothing. Never two fillers in a row, and not in the midst of a sentence.
    """
    place = turn.utterances.index(utterance)
    fillers = [one for one in turn.utterances[max(0, place - 1) : place + 1] if one.purpose == "filler"]
    if utterance.samples or fillers:
        return None
    return _written(turn, utterance, phrases.MOMENT[utterance.language], "filler", place)


def for_failed(turn: TurnRecord, utterance: Utterance) -> Utterance | None:
    """What is said when ``utterance``, which is of that turn, broke off or never came. It is written into the turn.

    None: nothing. Once in a turn, and not for what has no sound anyway.
    """
    others = [one for one in turn.utterances if one is not utterance]
    if any(one.purpose == "error" for one in others) or not any(sign.isalnum() for sign in utterance.text):
        return None
    broken = any(one.samples and one.purpose != "filler" for one in turn.utterances)
    words = phrases.BROKEN if broken else phrases.FAILED
    return _written(turn, utterance, words[utterance.language], "error", turn.utterances.index(utterance) + 1)


def _written(turn: TurnRecord, utterance: Utterance, text: str, purpose: str, place: int) -> Utterance:
    excuse = Utterance(text, utterance.language, utterance.chat_id, purpose)
    turn.utterances.insert(place, excuse)
    return excuse


async def sound(ready: Ready, text: str) -> tuple[npt.NDArray[np.int16], list[tuple[str, float, float]]]:
    """How an excuse sounds, mono at the stage's rate, and its phonemes with their times in seconds; silence if nobody has made it."""
    made = await ready(text)
    if made is None:
        return np.zeros(round(SHOWN_S * STAGE_RATE), np.int16), []
    return soxr.resample(made.pcm, made.rate, STAGE_RATE).astype(np.int16), list(made.phonemes)
