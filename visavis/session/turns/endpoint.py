"""How long a silence ends a turn: what the words, the melody and this speaker's own pauses say about it.

The robot's ``tail_silence_time`` is the *usual* silence: that after words which may be all or not. A clearly finished sentence ends the
turn sooner, a dangling one later. Times are seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from visavis.session.turns.wording import Shape

USUAL_S: Final = 0.5
"""The published default of ``tail_silence_time``; another one scales all waits."""
FLOOR_S: Final = 0.3
"""No silence shorter than this ends a turn, whatever was said."""
CAP_S: Final = 2.0
"""No silence longer than this is waited for, unless the robot asks for it."""
REMEMBERED: Final = 8
"""Pauses inside turns that are remembered of a speaker."""
_MARGIN_S: Final = 0.15
_ADAPTED_S: Final = 1.2

_WAITS: Final[dict[tuple[Shape, str], float]] = {
    (Shape.FINISHED, "ends"): 0.3,
    (Shape.FINISHED, "unsure"): 0.45,
    (Shape.FINISHED, "goes on"): 0.5,
    (Shape.OPEN, "ends"): 0.5,
    (Shape.OPEN, "unsure"): 0.7,
    (Shape.OPEN, "goes on"): 1.0,
    (Shape.UNFINISHED, "ends"): 1.4,
    (Shape.UNFINISHED, "unsure"): 1.5,
    (Shape.UNFINISHED, "goes on"): 1.7,
}
"""Silence that ends a turn, by its words and its melody, where the usual one is USUAL_S."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a pause. ``melody``: how much it sounds like an end, 0..1; None: not known."""

    shape: Shape
    melody: float | None = None


def melody_says(finished: float | None) -> str:
    """The melody as a row of the table: it misses few ends, and takes many pauses for one."""
    if finished is None:
        return "unsure"
    return "ends" if finished >= 0.6 else "unsure" if finished >= 0.25 else "goes on"


class Endpointing:
    """The waits of one speaker."""

    def __init__(self, tail_silence_s: float) -> None:
        self.scale = max(tail_silence_s / USUAL_S, 0.1)
        """How much longer than usual this robot waits."""
        self._cap = CAP_S * max(1.0, self.scale)
        self._pauses: deque[float] = deque(maxlen=REMEMBERED)

    def went_on(self, pause_s: float) -> None:
        """The speaker paused for so long and went on with the same turn."""
        self._pauses.append(pause_s)

    @property
    def habit_s(self) -> float:
        """A silence that this speaker seldom makes inside a turn; 0 as long as he was not heard to pause."""
        if len(self._pauses) < 2:
            return 0.0
        pauses = sorted(self._pauses)
        return min(pauses[-2] + _MARGIN_S, _ADAPTED_S)

    def wait(self, evidence: Evidence) -> float:
        """The silence that ends the turn."""
        wait = _WAITS[evidence.shape, melody_says(evidence.melody)] * self.scale
        if evidence.shape is not Shape.FINISHED:
            wait = max(wait, self.habit_s)
        return min(max(wait, FLOOR_S), self._cap)
