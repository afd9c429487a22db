"""Choosing the picture of a bank that fits a motion frame best.

Blendshapes are not compared one by one: what the eye sees is whether the lips are closed, how far
they are apart, how wide and how round. Each frame and each entry is turned into a few such features,
scaled by how visible a difference is; the nearest entry wins. Whether the lips touch (b, m, p) and
whether the lower lip is at the teeth is seen best of all, so an entry on the wrong side of "closed" costs extra.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.avatar.manifest import BankEntry
from visavis.motion.frame import ARKIT, ARKIT_INDEX, MotionFrame

Vector = npt.NDArray[np.float32]

CLOSED: Final = 0.03
"""Lips less than this far apart (in units of jawOpen) touch."""
OPEN: Final = 0.045
"""Lips further apart than this are seen as open."""
WRONG_SIDE: Final = 4.0
KEEP: Final = 0.65
"""The shown entry is kept until another one's squared distance is below this part of its own ..."""
KEEP_MARGIN: Final = 0.0015
"""... and smaller by this: two entries about equally near must not flicker."""
FULL_GAZE: Final = math.radians(30)
"""The gaze for which an eyeLook shape is 1."""


def _rows(spec: Sequence[tuple[float, dict[str, float]]]) -> Vector:
    """A matrix (features, 52): each feature a weight times a sum of blendshapes."""
    matrix = np.zeros((len(spec), len(ARKIT)), np.float32)
    for row, (weight, parts) in enumerate(spec):
        for name, share in parts.items():
            matrix[row, ARKIT_INDEX[name]] = weight * share
    return matrix


def _both(name: str) -> dict[str, float]:
    return {f"{name}Left": 0.5, f"{name}Right": 0.5}


def _sides(name: str) -> dict[str, float]:
    return {f"{name}Left": 1.0, f"{name}Right": -1.0}


_APERTURE: Final = {
    "jawOpen": 1.0,
    "mouthClose": -1.0,
    "mouthPressLeft": -0.25,
    "mouthPressRight": -0.25,
    "mouthRollLower": -0.15,
    "mouthRollUpper": -0.15,
    "mouthLowerDownLeft": 0.15,
    "mouthLowerDownRight": 0.15,
    "mouthUpperUpLeft": 0.15,
    "mouthUpperUpRight": 0.15,
    "mouthFunnel": 0.15,
}
"""How far the lips are apart. mouthClose closes them over an open jaw (ARKit), pressed or rolled lips stay shut."""

_MOUTH: Final = _rows(
    [
        (1.3, {"jawOpen": 1.0}),
        (0.7, {"mouthClose": 1.0}),
        (0.7, _both("mouthPress")),
        (1.0, {"mouthFunnel": 1.0}),
        (1.0, {"mouthPucker": 1.0}),
        (0.9, _both("mouthStretch")),
        (0.9, _both("mouthSmile")),
        (0.7, _both("mouthFrown")),
        (0.4, _both("mouthDimple")),
        (0.7, _both("mouthLowerDown")),
        (0.7, _both("mouthUpperUp")),
        (0.8, {"mouthRollLower": 1.0}),
        (0.6, {"mouthRollUpper": 1.0}),
        (0.4, {"mouthShrugLower": 1.0}),
        (0.4, {"mouthShrugUpper": 1.0}),
        (0.6, {"mouthRight": 1.0, "mouthLeft": -1.0}),
        (0.6, {"jawRight": 1.0, "jawLeft": -1.0}),
        (0.3, {"jawForward": 1.0}),
        (0.7, {"tongueOut": 1.0}),
        (0.5, {"cheekPuff": 1.0}),
        (0.3, _both("noseSneer")),
        (0.35, _sides("mouthSmile")),
        (0.35, _sides("mouthStretch")),
    ]
)
_OPENING: Final = _rows([(1.0, _APERTURE)])[0]
_OPENING_WEIGHT: Final = 3.0

_EYES: Final = _rows(
    [
        (2.0, {"eyeBlinkLeft": 1.0}),
        (2.0, {"eyeBlinkRight": 1.0}),
        (0.4, _both("eyeSquint")),
        (0.5, _both("eyeWide")),
        (0.3, _both("cheekSquint")),
        (0.8, {"browInnerUp": 1.0}),
        (0.8, _both("browOuterUp")),
        (0.8, _both("browDown")),
        (0.3, _sides("browDown")),
        (0.3, _sides("browOuterUp")),
    ]
)
# The viewer's right is the person's left.
_LOOK: Final = _rows(
    [
        (0.5, {"eyeLookOutLeft": 1, "eyeLookInRight": 1, "eyeLookInLeft": -1, "eyeLookOutRight": -1}),
        (0.5, {"eyeLookUpLeft": 1, "eyeLookUpRight": 1, "eyeLookDownLeft": -1, "eyeLookDownRight": -1}),
    ]
)
_LOOK_WEIGHT: Final = 1.2


def _shapes(entry: BankEntry) -> Vector:
    shapes = np.zeros(len(ARKIT), np.float32)
    for name, weight in entry.blendshapes.items():
        shapes[ARKIT_INDEX[name]] = weight
    return shapes


class _Nearest:
    """The nearest row of a table of features, reluctant to leave the last one. No allocation of size per call."""

    def __init__(self, table: Vector) -> None:
        self._table = table
        self._difference = np.empty_like(table)
        self._distance = np.empty(len(table), np.float32)
        self.current = -1

    def pick(self, features: Vector, penalty: Vector | None = None) -> int:
        difference, distance = self._difference, self._distance
        np.subtract(self._table, features, out=difference)
        np.einsum("ij,ij->i", difference, difference, out=distance)
        if penalty is not None:
            distance += penalty
        best, current = int(distance.argmin()), self.current
        if current < 0 or distance[best] < KEEP * distance[current] - KEEP_MARGIN:
            self.current = best
        return self.current


class MouthChooser:
    """Chooses the mouth of each frame. Remembers the last one: one chooser serves one session."""

    def __init__(self, entries: Sequence[BankEntry]) -> None:
        shapes = np.stack([_shapes(entry) for entry in entries])
        opening = np.maximum(shapes @ _OPENING, 0.0)
        self._nearest = _Nearest(np.column_stack([shapes @ _MOUTH.T, _OPENING_WEIGHT * opening]))
        # What an entry costs when the lips are to be closed, or clearly open.
        self._when_closed = np.where(opening > OPEN, WRONG_SIDE, 0.0).astype(np.float32)
        self._when_open = np.where(opening < CLOSED, WRONG_SIDE, 0.0).astype(np.float32)
        self._features = np.empty(len(_MOUTH) + 1, np.float32)

    def pick(self, motion: MotionFrame) -> int:
        """Index of the entry to show."""
        shapes, features = motion.blendshapes, self._features
        opening = max(0.0, float(_OPENING @ shapes))
        np.dot(_MOUTH, shapes, out=features[:-1])
        features[-1] = _OPENING_WEIGHT * opening
        penalty = self._when_closed if opening < CLOSED else self._when_open if opening > OPEN else None
        return self._nearest.pick(features, penalty)


class EyesChooser:
    """Chooses the eyes of each frame: lids first, then gaze and brows."""

    def __init__(self, entries: Sequence[BankEntry]) -> None:
        shapes = np.stack([_shapes(entry) for entry in entries])
        lids = np.clip(shapes[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]].mean(axis=1), 0, 1)
        look = _LOOK_WEIGHT * (shapes @ _LOOK.T) * (1 - lids)[:, None]
        self._nearest = _Nearest(np.column_stack([shapes @ _EYES.T, look]))
        self._features = np.empty(len(_EYES) + 2, np.float32)

    def pick(self, motion: MotionFrame) -> int:
        """Index of the entry to show."""
        shapes, features = motion.blendshapes, self._features
        np.dot(_EYES, shapes, out=features[:-2])
        np.dot(_LOOK, shapes, out=features[-2:])
        # A source may fill the gaze, the eyeLook shapes, or both with the same meaning: the stronger one counts.
        for axis in (0, 1):
            gaze = max(-1.0, min(1.0, motion.gaze[axis] / FULL_GAZE))
            if abs(gaze) > abs(features[axis - 2]):
                features[axis - 2] = gaze
        # Where closed eyes look is not seen.
        lids = 0.5 * (float(features[0]) + float(features[1])) / 2.0
        features[-2:] *= _LOOK_WEIGHT * max(0.0, 1.0 - lids)
        return self._nearest.pick(features)
