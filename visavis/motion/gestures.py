"""Named gestures: nod, shake, smile, greet. Smooth curves that are added to whatever life and speech do.

They move the head, brows and eyes, and draw the corners of the mouth apart. Nothing in them parts lips: a smile in the
middle of an m is a smile with closed lips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, get_args

import numpy as np

from visavis.motion.articulation import smootherstep
from visavis.motion.curves import Vector
from visavis.motion.frame import ARKIT, ARKIT_INDEX
from visavis.motion.pose import CHANNELS, INNER, OUTER, PITCH, ROLL, SHIFT_Y, SQUINT, YAW, Shapes

Gesture = Literal["nod", "shake", "smile", "greet"]
GESTURES: Final[tuple[Gesture, ...]] = get_args(Gesture)

Knots = tuple[tuple[float, float], ...]
"""(seconds, value): the curve rests at each knot and moves smoothly (C2) between them; 0 before and after."""

_SMILE: Final = CHANNELS
"""Channel of the smile, beside those of :mod:`visavis.motion.pose`."""

# Head in degrees (pitch up, yaw and roll as the viewer sees them), shifts in heights of the face, the rest as weights.
_CURVES: Final[Mapping[Gesture, Mapping[int, Knots]]] = {
    "nod": {
        PITCH: ((0, 0), (0.26, -4.0), (0.52, 0.6), (0.78, -2.4), (1.1, 0)),
        SHIFT_Y: ((0, 0), (0.26, 0.006), (0.52, 0), (0.78, 0.003), (1.1, 0)),
        OUTER: ((0, 0), (0.3, 0.05), (0.9, 0)),
    },
    "shake": {
        YAW: ((0, 0), (0.24, 4.2), (0.56, -4.4), (0.86, 3.0), (1.12, -1.2), (1.4, 0)),
        ROLL: ((0, 0), (0.24, 0.5), (0.56, -0.5), (0.86, 0.3), (1.2, 0)),
        PITCH: ((0, 0), (0.4, -0.8), (1.4, 0)),
    },
    "smile": {
        _SMILE: ((0, 0), (0.5, 0.28), (1.7, 0.26), (2.5, 0)),
        SQUINT: ((0, 0), (0.55, 0.24), (1.6, 0.2), (2.3, 0)),
        OUTER: ((0, 0), (0.5, 0.05), (1.6, 0.03), (2.4, 0)),
        ROLL: ((0, 0), (0.8, 1.2), (2.4, 0)),
    },
    "greet": {
        INNER: ((0, 0), (0.2, 0.24), (0.42, 0.2), (0.8, 0)),
        OUTER: ((0, 0), (0.2, 0.26), (0.42, 0.22), (0.8, 0.02), (1.6, 0)),
        PITCH: ((0, 0), (0.2, 1.2), (0.7, -4.6), (0.95, -4.2), (1.6, 0)),
        ROLL: ((0, 0), (0.75, 1.8), (1.1, 1.6), (1.9, 0)),
        SHIFT_Y: ((0, 0), (0.7, 0.007), (1.5, 0)),
        _SMILE: ((0, 0), (0.5, 0.28), (1.9, 0.25), (2.7, 0)),
        SQUINT: ((0, 0), (0.6, 0.22), (1.7, 0.2), (2.5, 0)),
    },
}
_LONGEST: Final = 4
"""Gestures that may overlap or wait; more are not taken."""

_CORNERS: Final = [ARKIT_INDEX[name] for name in ("mouthSmileLeft", "mouthSmileRight")]
_PUCKER, _FUNNEL = ARKIT_INDEX["mouthPucker"], ARKIT_INDEX["mouthFunnel"]


def duration(name: Gesture) -> float:
    """Seconds until it is over."""
    return max(knots[-1][0] for knots in _CURVES[name].values())


def curve(knots: Knots, x: float) -> float:
    """The value at ``x`` seconds."""
    if x <= knots[0][0] or x >= knots[-1][0]:
        return 0.0
    for (start, before), (end, after) in pairwise(knots):
        if x < end:
            return before + (after - before) * smootherstep((x - start) / (end - start))
    return 0.0


@dataclass(frozen=True, slots=True)
class _Playing:
    name: Gesture
    start: float


class Gestures:
    """Plays named gestures. One that is made again while it goes on does not begin anew."""

    def __init__(self) -> None:
        self._playing: list[_Playing] = []
        self._announced: set[_Playing] = set()

    def add(self, name: Gesture, t: float) -> None:
        """Begin ``name`` at ``t`` (may be to come). Raises ValueError for an unknown one."""
        if name not in _CURVES:
            raise ValueError(f"no gesture {name!r}; there are {', '.join(GESTURES)}")
        busy = any(p.name == name and abs(t - p.start) < duration(name) for p in self._playing)
        if not busy and len(self._playing) < _LONGEST:
            self._playing.append(_Playing(name, t))

    def forget(self, t: float) -> None:
        """Drop those that have not begun at ``t``."""
        self._playing = [p for p in self._playing if p.start <= t]

    def active(self, t: float) -> bool:
        """Whether one is going on at ``t``."""
        self._playing = [p for p in self._playing if t < p.start + duration(p.name)]
        return any(p.start <= t for p in self._playing)

    def begun(self, t: float) -> Gesture | None:
        """The gesture that has begun since the last call, if any."""
        self._announced &= set(self._playing)
        for playing in self._playing:
            if playing.start <= t and playing not in self._announced:
                self._announced.add(playing)
                return playing.name
        return None

    def sample(self, t: float) -> tuple[Vector, float]:
        """What they add at ``t``: to :attr:`Pose.smooth`, shape (CHANNELS,), and to the smile (0..1)."""
        out = np.zeros(CHANNELS + 1)
        for playing in self._playing:
            if playing.start <= t:
                for channel, knots in _CURVES[playing.name].items():
                    out[channel] += curve(knots, t - playing.start)
        return out[:CHANNELS], float(out[_SMILE])


def smile_into(shapes: Shapes, smile: float) -> None:
    """Draw the corners of the mouth in ``shapes``, shape (52,), apart; the less, the rounder the lips are."""
    assert shapes.shape == (len(ARKIT),)
    rounded = min(1.0, 2.2 * float(shapes[_PUCKER] + 0.7 * shapes[_FUNNEL]))
    shapes[_CORNERS] += np.float32(smile * (1.0 - 0.7 * rounded))
