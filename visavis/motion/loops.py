"""Loops: what a face does while nothing happens, the same for ever and without a seam.

Their frames are constants: whoever has drawn and encoded them once may send them again and again, to everybody.
Everything in them is periodic by construction (Fourier series over whole multiples of the loop's own frequency, a whole
number of breaths, blinks and saccades that begin and end inside), so the frame after the last is the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from visavis.motion.articulation import smootherstep
from visavis.motion.curves import fourier, periodic
from visavis.motion.eyes import saccade, shut
from visavis.motion.frame import MotionFrame
from visavis.motion.pose import (
    BREATH,
    CHANNELS,
    INNER,
    OUTER,
    PITCH,
    ROLL,
    SHIFT_X,
    SHIFT_Y,
    YAW,
    Pose,
)

IDLE: Final = "idle"
ASLEEP: Final = "asleep"


@dataclass(frozen=True, slots=True)
class _Score:
    """What happens in a loop of ``seconds``.

    Attributes:
        breaths: whole number of them.
        lean: (from, to) seconds within which the weight is on the other foot.
        blinks: (start, duration), seconds.
        looks: (start, yaw, pitch): where the eyes turn to, seconds and degrees; the last one lasts over the seam.
        sway: amplitudes of the slow noise: yaw, pitch, roll (degrees), shift x, shift y (heights of the face).
        rest: (pitch, roll) about which it moves, degrees.
        shut: whether the eyes are shut throughout.
    """

    seconds: float
    breaths: int
    lean: tuple[float, float] | None
    blinks: tuple[tuple[float, float], ...]
    looks: tuple[tuple[float, float, float], ...]
    sway: tuple[float, float, float, float, float]
    rest: tuple[float, float] = (0.0, 0.0)
    shut: bool = False


_SCORES: Final = {
    IDLE: _Score(
        seconds=16.0,
        breaths=4,
        lean=(4.6, 11.9),
        blinks=((1.9, 0.13), (5.24, 0.14), (8.4, 0.12), (8.76, 0.13), (12.6, 0.14), (14.84, 0.13)),
        looks=(
            (0.9, 0.4, -0.3), (1.98, -0.5, 0.2), (3.1, 0.3, 0.4), (4.5, 5.2, -1.4), (5.3, -0.2, 0.1),
            (6.7, 0.6, -0.4), (8.48, -0.4, -0.2), (10.2, -4.1, 1.1), (10.8, 0.2, 0.3), (12.68, -0.6, -0.1),
            (13.9, 0.3, 0.5), (15.3, 0.0, 0.0),
        ),
        sway=(2.4, 1.5, 1.1, 0.012, 0.006),
    ),
    ASLEEP: _Score(
        seconds=6.0, breaths=1, lean=None, blinks=(), looks=(), sway=(0.12, 0.15, 0.15, 0.001, 0.001),
        rest=(-5.0, 1.0), shut=True,
    ),
}  # fmt: skip
_SEED: Final = 20

_LEAN: Final = 2.6  # seconds a change of weight takes
_LEAN_SHIFT, _LEAN_ROLL = 0.014, 0.7
_BREATH_PITCH: Final = 0.35  # degrees the head rises with a full breath
_ASLEEP_SHIFT: Final = 0.01  # the head of a sleeper has sunk that far


class Loop:
    """One loop at a frame rate; get it from :func:`loop`. Frame ``k`` follows ``k - 1`` for any whole ``k``, also beyond
    the end (modulo :attr:`frames`)."""

    def __init__(self, name: str, fps: float) -> None:
        """Raises KeyError for an unknown name, ValueError for a rate that does not divide it into whole frames."""
        self.name, self.fps = name, fps
        self._score = _SCORES[name]
        self.frames = round(self._score.seconds * fps)
        if self.frames < 2 or not math.isclose(self.frames, self._score.seconds * fps):
            raise ValueError(f"{self._score.seconds} s are no whole number of frames at {fps} a second")
        rng = np.random.default_rng(_SEED)
        # Nothing faster than 0.45 Hz: a head that stands still sways, it does not shake.
        self._sway = fourier(rng, 5, 1, max(1, int(0.45 * self.seconds)))
        self._brow = fourier(rng, 1, 1, max(1, int(0.3 * self.seconds)))
        self._poses = [self._make(k / fps) for k in range(self.frames)]
        self._shapes = []
        for pose in self._poses:
            shapes = pose.shapes()
            shapes.setflags(write=False)
            self._shapes.append(shapes)

    @property
    def seconds(self) -> float:
        return self._score.seconds

    def frame(self, k: int) -> MotionFrame:
        """Frame ``k`` (modulo the loop): a constant, but for ``pts`` (``k / fps``). Its blendshapes cannot be written to."""
        k %= self.frames
        pose = self._poses[k]
        return MotionFrame(
            pts=k / self.fps,
            blendshapes=self._shapes[k],
            head=pose.head(),
            gaze=pose.radians(),
            breath=pose.breath(),
            loop=(self.name, k),
        )

    def pose(self, k: int) -> Pose:
        """The pose of frame ``k``; not to be changed."""
        return self._poses[k % self.frames]

    def blinking(self, k: int) -> bool:
        """Whether the lids are on the move in frame ``k``."""
        return not self._score.shut and self._poses[k % self.frames].lids > 0.0

    def _make(self, t: float) -> Pose:
        score, x = self._score, t / self.seconds
        sway = periodic(self._sway, x) * score.sway
        breath = self._breath(x)
        lean = self._leaning(t)
        smooth = np.zeros(CHANNELS)
        smooth[YAW] = sway[0]
        smooth[PITCH] = score.rest[0] + sway[1] + _BREATH_PITCH * (breath - 0.5)
        smooth[ROLL] = score.rest[1] + sway[2] + _LEAN_ROLL * lean
        smooth[SHIFT_X] = sway[3] + _LEAN_SHIFT * lean
        smooth[SHIFT_Y] = sway[4] + (_ASLEEP_SHIFT if score.shut else 0.0)
        if not score.shut:
            smooth[[INNER, OUTER]] = 0.025 * (1.0 + periodic(self._brow, x)[0])
        smooth[BREATH] = breath
        lids = 1.0 if score.shut else max((shut((t - start) / length) for start, length in score.blinks), default=0.0)
        return Pose(smooth, (0.0, -5.0) if score.shut else self._looking(t), lids)

    def _breath(self, x: float) -> float:
        """0..1; one breathes in faster than out, and not every breath takes as long as the one before."""
        turns = self._score.breaths * x + (0.06 * math.sin(2 * math.pi * x) if self._score.breaths > 1 else 0.0)
        angle = 2 * math.pi * turns
        return 0.5 * (1.0 - math.cos(angle - 0.35 * math.sin(angle)))

    def _leaning(self, t: float) -> float:
        """-0.5 on one foot, 0.5 on the other."""
        if self._score.lean is None:
            return 0.0
        there, back = self._score.lean
        return smootherstep((t - there) / _LEAN) - smootherstep((t - back) / _LEAN) - 0.5

    def _looking(self, t: float) -> tuple[float, float]:
        looks = self._score.looks
        index = max((i for i, look in enumerate(looks) if look[0] <= t), default=-1)
        before, (start, yaw, pitch) = looks[index - 1], looks[index]
        return saccade((before[1], before[2]), (yaw, pitch), t - start if index >= 0 else self.seconds)


@lru_cache(maxsize=16)
def loop(name: str, fps: float) -> Loop:
    """The loop ``name`` ("idle", "asleep") at ``fps``: made once a process."""
    return Loop(name, fps)
