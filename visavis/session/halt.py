"""A halt of the stage: what sounded last, so that the voice can go on a little before the place where it stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.session.script import STAGE_RATE, Utterance

FADE: Final = STAGE_RATE // 100
"""Samples over which sound fades at a halt and comes back: 10 ms."""
REACH: Final = round(0.7 * STAGE_RATE)
"""Samples that are remembered: a long word."""
NEAREST: Final = round(0.06 * STAGE_RATE)
"""The voice goes back at least so far: what it said just before a halt was masked by what caused it."""

_STEP: Final = STAGE_RATE // 100
_DIP: Final = 0.2

Timing = tuple[str, float, float]
"""A phoneme with its start and end, seconds of the stage clock."""


class Recent:
    """The last sound of one utterance, without a gap, with its phonemes."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing that sounded may come back."""
        self._utterance: Utterance | None = None
        self._blocks: deque[npt.NDArray[np.int16]] = deque()
        self._kept = 0
        self._end = -1
        self._timings: deque[Timing] = deque(maxlen=1024)
        self._timed = True

    def speaks(self, utterance: Utterance, timings: Sequence[Timing] | None, position: int) -> None:
        """A piece of ``utterance`` begins to sound at ``position``, with its phonemes; None: nobody knows them."""
        if utterance is not self._utterance or position != self._end:
            self.forget()
            self._utterance, self._end = utterance, position
        if timings is None:
            self._timed = False
        else:
            self._timings.extend(timings)

    def sounded(self, pcm: npt.NDArray[np.int16]) -> None:
        """``pcm`` of that utterance goes out; the array may be used again."""
        self._blocks.append(pcm.copy())
        self._kept += len(pcm)
        self._end += len(pcm)
        while self._kept - len(self._blocks[0]) >= REACH:
            self._kept -= len(self._blocks.popleft())

    def since(self, utterance: Utterance | None) -> tuple[npt.NDArray[np.int16], list[Timing] | None]:
        """What ``utterance`` says again: from a quiet place in what is remembered to its end, with its phonemes where it sounded.
        Empty if the utterance is over."""
        if utterance is None or utterance is not self._utterance or utterance.ended or not self._kept:
            return np.zeros(0, np.int16), []
        sound = np.concatenate(list(self._blocks))
        again = sound[quiet_place(sound) :].copy()
        if len(again) < len(sound):
            ramp = np.linspace(0, 1, min(FADE, len(again)))
            again[: len(ramp)] = (again[: len(ramp)] * ramp).astype(np.int16)
        if not self._timed:
            return again, None
        begin, end = (self._end - len(again)) / STAGE_RATE, self._end / STAGE_RATE
        return again, [(name, max(a, begin), min(b, end)) for name, a, b in self._timings if b > begin and a < end]


def quiet_place(sound: npt.NDArray[np.int16]) -> int:
    """Where to begin again in ``sound`` (mono, 48 kHz), which was cut at its end: the last dip of loudness, else its quietest
    place; its beginning if it is short."""
    steps = (len(sound) - NEAREST) // _STEP
    if steps < 2:
        return 0
    loud = np.sqrt((sound[: steps * _STEP].reshape(steps, _STEP).astype(np.float64) ** 2).mean(1))
    dips = np.flatnonzero(loud < _DIP * loud.max()) if loud.max() > 0 else np.arange(steps)
    return int(dips[-1] if len(dips) else loud.argmin()) * _STEP
