"""A pose: the numbers of which life consists, before they become blendshapes.

Poses of two sources can be mixed, blendshapes of a face that blinks or looks aside cannot (half a blink is no blink), so
lids and gaze are kept apart from what moves smoothly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.motion.frame import ARKIT, ARKIT_INDEX, Head

Vector = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.float32]

YAW, PITCH, ROLL, SHIFT_X, SHIFT_Y, INNER, OUTER, DOWN, SQUINT, BREATH = range(10)
CHANNELS: Final = 10
"""Of :attr:`Pose.smooth`: head angles in degrees, shifts in heights of the face, brows (inner and outer up, down) and
squinting eyes as weights, breath 0..1."""

LOOK_FULL: Final = 30.0
"""Degrees of gaze for an eyeLook shape of 1."""
_DEG: Final = math.pi / 180.0
_LID_FOLLOWS: Final = 0.5  # how far the lids come down with a gaze that does


def _pair(name: str) -> list[int]:
    return [ARKIT_INDEX[f"{name}Left"], ARKIT_INDEX[f"{name}Right"]]


_INNER: Final = ARKIT_INDEX["browInnerUp"]
_OUTER, _DOWN, _SQUINT, _LIDS = (_pair(name) for name in ("browOuterUp", "browDown", "eyeSquint", "eyeBlink"))
# The viewer's right is the person's left.
_GAZE_RIGHT: Final = [ARKIT_INDEX["eyeLookOutLeft"], ARKIT_INDEX["eyeLookInRight"]]
_GAZE_LEFT: Final = [ARKIT_INDEX["eyeLookInLeft"], ARKIT_INDEX["eyeLookOutRight"]]
_GAZE_UP, _GAZE_DOWN = _pair("eyeLookUp"), _pair("eyeLookDown")


@dataclass(slots=True)
class Pose:
    """``smooth``: shape (CHANNELS,); ``gaze``: (yaw, pitch) in degrees, right and up positive as the viewer sees it;
    ``lids``: how far they are shut, 0..1."""

    smooth: Vector
    gaze: tuple[float, float]
    lids: float

    def head(self) -> Head:
        yaw, pitch, roll, x, y = (float(value) for value in self.smooth[:5])
        return Head(yaw * _DEG, pitch * _DEG, roll * _DEG, x, y)

    def breath(self) -> float:
        return min(1.0, max(0.0, float(self.smooth[BREATH])))

    def radians(self) -> tuple[float, float]:
        """The gaze in radians."""
        return self.gaze[0] * _DEG, self.gaze[1] * _DEG

    def shapes(self) -> Shapes:
        """Eyes and brows as a new array of blendshapes, shape (52,), 0..1."""
        shapes = np.zeros(len(ARKIT), np.float32)
        smooth = self.smooth
        shapes[_INNER], shapes[_OUTER], shapes[_DOWN], shapes[_SQUINT] = smooth[[INNER, OUTER, DOWN, SQUINT]]
        yaw, pitch = self.gaze
        shapes[_GAZE_RIGHT if yaw > 0 else _GAZE_LEFT] = abs(yaw) / LOOK_FULL
        down = abs(pitch) / LOOK_FULL
        shapes[_GAZE_UP if pitch > 0 else _GAZE_DOWN] = down
        shapes[_LIDS] = max(self.lids, _LID_FOLLOWS * down if pitch < 0 else 0.0)
        np.clip(shapes, 0.0, 1.0, out=shapes)
        return shapes
