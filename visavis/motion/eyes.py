"""Blinks and gaze: events drawn from a random generator as time passes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from visavis.motion.articulation import smootherstep


def shut(x: float) -> float:
    """How far the lids are shut, 0..1, when the part ``x`` of a blink is over: they close fast and open slowly."""
    if x <= 0.0 or x >= 1.0:
        return 0.0
    if x < 0.32:
        return smootherstep(x / 0.32)
    return 1.0 if x < 0.5 else smootherstep((1.0 - x) / 0.5)


def saccade(start: tuple[float, float], end: tuple[float, float], age: float) -> tuple[float, float]:
    """Where the eyes look (degrees) ``age`` seconds after they began to turn from ``start`` to ``end``.

    A saccade lasts 21 ms + 2.2 ms per degree (Bahill, Clark & Stark, "The main sequence", 1975).
    """
    done = smootherstep(age / (0.021 + 0.0022 * math.dist(start, end)))
    return start[0] + done * (end[0] - start[0]), start[1] + done * (end[1] - start[1])


class Blinks:
    """Blinks at random moments, on average every four seconds, sometimes two in a row.

    A blink lasts 110..150 ms: it closes fast and opens slowly.
    """

    _SHORTEST: Final = 1.2
    _LONGEST: Final = 9.0
    _DOUBLE: Final = 0.12  # part of the blinks that are followed by a second one at once

    def __init__(self, rng: np.random.Generator, mean: float = 4.0) -> None:
        self._rng = rng
        self._mean = mean
        self._duration = 0.13
        self._doubled = False
        self._start = rng.uniform(0.8, 3.0)

    def value(self, t: float, pace: float = 1.0) -> float:
        """How far the lids are closed at ``t``, 0..1. ``pace`` below 1: more often."""
        while t > self._start + self._duration:
            self._schedule(t, pace)
        return shut((t - self._start) / self._duration)

    def postpone(self, start: float) -> None:
        """Let the next blink begin at ``start``."""
        self._start = start
        self._doubled = False

    def _schedule(self, t: float, pace: float) -> None:
        rng = self._rng
        if not self._doubled and rng.random() < self._DOUBLE:
            self._doubled = True
            wait = self._duration + rng.uniform(0.08, 0.2)
        else:
            self._doubled = False
            wait = self._SHORTEST + rng.exponential(self._mean - self._SHORTEST)
            wait = min(wait, self._LONGEST) * pace
        # After a time without frames the blinks missed are not made up for.
        self._start = self._start + wait if self._start + wait > t - 1.0 else t + wait
        self._duration = rng.uniform(0.11, 0.15)


class Gaze:
    """Where the eyes look: mostly at the camera with tiny shifts, at times elsewhere; in saccades."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._from = (0.0, 0.0)
        self._to = (0.0, 0.0)
        self._start = 0.0
        self._next = rng.uniform(0.3, 1.0)
        self.side = 1.0
        """To which side one looks who thinks: 1 right, -1 left, as the viewer sees it."""

    def value(self, t: float, glances: float, away: bool) -> tuple[float, float]:
        """(yaw, pitch) in degrees at ``t``.

        ``glances``: part of the shifts that leave the camera; ``away``: look aside and up, as one who thinks.
        """
        if t >= self._next:
            self._shift(t, glances, away)
        return saccade(self._from, self._to, t - self._start)

    def react(self, t: float) -> None:
        """Choose anew soon after ``t``: something has changed."""
        self._next = min(self._next, t + self._rng.uniform(0.05, 0.15))
        self.side = 1.0 if self._rng.random() < 0.5 else -1.0

    def hold(self, t: float, gaze: tuple[float, float]) -> None:
        """Look at ``gaze`` (degrees) at ``t``, until something is chosen."""
        self._from = self._to = gaze
        self._start = t
        self._next = t + self._rng.uniform(0.3, 1.0)

    def _shift(self, t: float, glances: float, away: bool) -> None:
        rng = self._rng
        at = self._next if t - self._next < 0.1 else t
        here = saccade(self._from, self._to, at - self._start)
        if away:
            there = (self.side * rng.uniform(7.0, 11.0), rng.uniform(4.0, 8.0))
            dwell = rng.uniform(0.8, 1.6)
        elif rng.random() < glances:
            there = (rng.choice((-1.0, 1.0)) * rng.uniform(3.0, 7.0), rng.uniform(-3.0, 2.0))
            dwell = rng.uniform(0.4, 0.9)
        else:
            there = (rng.normal(0.0, 0.5), rng.normal(0.0, 0.4))
            dwell = rng.uniform(0.6, 2.2)
        self._from, self._to, self._start = here, (float(there[0]), float(there[1])), at
        self._next = at + dwell
