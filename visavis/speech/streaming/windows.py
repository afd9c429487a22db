"""Into which pieces a clause is cut: a short one first, longer ones while that plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FRAME_SECONDS = 0.0125
_LONGEST = 160
"""Frames. Longer ones would gain no speed, and hold up another session for longer."""
CONTEXT = 7
"""Frames on either side that the generator hears but does not keep: as far as it can hear: the rest is 70 dB down."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``first``: frames that are spoken first, as few as give the next window time to be made while they sound.
    ``growth``: how much longer each window is than the one before. Both go by how fast the generator is. ``step``: lengths,
    with context, are multiples of it, for a runtime that prepares itself for each length it has not seen."""

    first: int
    growth: float
    step: int = 1


@dataclass(frozen=True, slots=True)
class Window:
    """Frames ``begin`` to ``end`` are kept of what is made of ``context_begin`` to ``context_end``."""

    begin: int
    end: int
    context_begin: int
    context_end: int


def plan(begin: int, end: int, total: int, borders: Sequence[int], pace: Pace) -> list[Window]:
    """Cut the frames ``begin`` to ``end`` of ``total`` at some of ``borders`` (frames where phonemes meet)."""
    cuts = [begin]
    inside = sorted({border for border in borders if begin < border < end})
    length = float(pace.first)
    while end - cuts[-1] > 1.5 * length:
        target = cuts[-1] + length
        later = [border for border in inside if border >= cuts[-1] + length / 2 and end - border >= pace.first / 2]
        if not later:
            break
        cuts.append(min(later, key=lambda border: abs(border - target)))
        length = min(length * pace.growth, _LONGEST)
    cuts.append(end)
    return [Window(a, b, *_context(a, b, total, pace.step)) for a, b in pairwise(cuts)]


def _context(begin: int, end: int, total: int, step: int) -> tuple[int, int]:
    first, last = max(0, begin - CONTEXT), min(total, end + CONTEXT)
    missing = (first - last) % step
    wider = min(total, last + missing)
    return max(0, first - (missing - (wider - last))), wider
