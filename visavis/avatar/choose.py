"""Choosing the picture of a bank that fits a motion frame best.

Blendshapes are not compared one by one: what the eye sees is whether the lips are closed, how far
they are apart, how wide and how round. Each frame and each entry is turned into a few such features,
scaled by how visible a difference is; the nearest entry wins. Two pictures are never mixed.

Two things are added to that. Whether the lips touch (b, m, p) and whether the lower lip is at the teeth (f, v) is seen
best of all, so an entry of another contact costs extra. And what is seen of a change is the step from picture to picture:
each frame looks for the entry nearest to where it is *plus a part of the error of the picture before* (:data:`CARRY`), so that
steps of pictures are like steps of the motion, and a picture is not left for one about as near.

:func:`model` gives all numbers as data: the browser's chooser (``visavis/web/render/choose.js``) has none of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from visavis.avatar.manifest import BankEntry
from visavis.motion.frame import ARKIT, ARKIT_INDEX, MotionFrame

Vector = npt.NDArray[np.float32]

CLOSED: Final = 0.03
"""Lips less than this far apart (in units of jawOpen) touch."""
OPEN: Final = 0.045
"""Lips further apart than this are seen as open."""
TEETH: Final = 0.2
"""The lower lip is at the teeth when it is tucked in by more than this ..."""
TEETH_OPEN: Final = 0.1
"""... and the lips are no farther apart than this."""
WRONG_SIDE: Final = 4.0
"""What an entry of another contact than the frame's costs, in squared distances between features."""
CARRY: Final = 0.45
"""Part of the last picture's error that the next choice starts from: 0 none, 1 would never forget it."""
FULL_GAZE: Final = math.radians(30)
"""The gaze for which an eyeLook shape is 1."""

OTHER, APART, TOUCHING, BITTEN = range(4)
"""Contacts: lips neither clearly open nor closed, open, closed, the lower one at the teeth."""


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
    "mouthPressLeft": -0.03,
    "mouthPressRight": -0.03,
    "mouthRollLower": -0.14,
    "mouthRollUpper": -0.04,
    "mouthLowerDownLeft": 0.15,
    "mouthLowerDownRight": 0.15,
    "mouthUpperUpLeft": 0.15,
    "mouthUpperUpRight": 0.15,
    "mouthFunnel": 0.15,
}
"""How far the lips are apart. mouthClose closes them over an open jaw (ARKit); pressing and rolling them closes little (as
measured on the mesh of the studio, where a jawOpen of 1 parts them by 33 mm)."""
_TUCK: Final = {"mouthRollLower": 1.0, "mouthRollUpper": -0.5, "mouthPressLeft": -0.15, "mouthPressRight": -0.15}
"""How far the lower lip is drawn in under the teeth; pressed or both rolled in, lips close instead."""

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
_OPENING, _TUCKED = _rows([(1.0, _APERTURE), (1.0, _TUCK)])
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
_LIDS: Final = [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]


def model() -> dict[str, Any]:
    """All numbers by which entries are chosen, ready for JSON: rows are dense, in the order of ``names``."""
    return {
        "names": list(ARKIT),
        "carry": CARRY,
        "mouth": {
            "features": _MOUTH.tolist(),
            "opening": _OPENING.tolist(),
            "opening_weight": _OPENING_WEIGHT,
            "tuck": _TUCKED.tolist(),
            "closed": CLOSED,
            "open": OPEN,
            "teeth": TEETH,
            "teeth_open": TEETH_OPEN,
            "wrong_side": WRONG_SIDE,
        },
        "eyes": {
            "features": _EYES.tolist(),
            "look": _LOOK.tolist(),
            "look_weight": _LOOK_WEIGHT,
            "lids": list(_LIDS),
            "full_gaze": FULL_GAZE,
        },
    }


def opening(shapes: Vector) -> float:
    """How far the lips of ``shapes``, shape (52,), are apart, in units of jawOpen; below 0: pressed."""
    return float(_OPENING @ shapes)


def contact(shapes: Vector) -> int:
    """How the lips of ``shapes``, shape (52,), meet: APART, TOUCHING, BITTEN, or OTHER where that is not clear."""
    return _contact(opening(shapes), float(_TUCKED @ shapes))


def _contact(apart: float, tucked: float) -> int:
    if apart < TEETH_OPEN and tucked > TEETH:
        return BITTEN
    return TOUCHING if apart < CLOSED else APART if apart > OPEN else OTHER


def nearest(table: Vector, features: Vector, penalty: Vector | None, before: tuple[int, Vector] | None) -> int:
    """The row of ``table``, shape (entries, features), to show for ``features``, shape (features,).

    ``penalty``: what each row costs besides, shape (entries,). ``before``: the last row shown, and for which features.
    """
    wanted = features if before is None else features + np.float32(CARRY) * (table[before[0]] - before[1])
    difference = table - wanted
    distance = np.einsum("ij,ij->i", difference, difference)
    if penalty is not None:
        distance += penalty
    return int(distance.argmin())


_ALL_MOUTH: Final = np.vstack([_MOUTH, _OPENING[None], _TUCKED[None]])


def _mouth_features(shapes: Vector) -> Vector:
    return np.append(_MOUTH @ shapes, np.float32(_OPENING_WEIGHT * max(0.0, opening(shapes))))


def weights(named: Mapping[str, float]) -> Vector:
    """Blendshapes by name as a vector of all, shape (52,). Raises KeyError: no ARKit name."""
    shapes = np.zeros(len(ARKIT), np.float32)
    for name, weight in named.items():
        shapes[ARKIT_INDEX[name]] = weight
    return shapes


class _Nearest:
    """:func:`nearest` for frame after frame, in as few steps as numpy takes: ``|t - w|^2 = |t|^2 - 2 t w + |w|^2``, of which
    the last part is the same for all rows."""

    def __init__(self, table: Vector) -> None:
        self._table = table
        self._twice = np.ascontiguousarray(-2 * table)
        self._squares = np.asarray((table * table).sum(axis=1), np.float32)
        self._distance = np.empty(len(table), np.float32)
        self._wanted = np.empty(table.shape[1], np.float32)
        self._error = np.zeros(table.shape[1], np.float32)

    def costs(self, penalty: Vector) -> Vector:
        """What :meth:`pick` takes for a penalty of each row."""
        return self._squares + penalty

    def pick(self, features: Vector, costs: Vector | None = None) -> int:
        """The row to show for ``features``, which is remembered."""
        wanted, distance, error = self._wanted, self._distance, self._error
        np.add(features, error, out=wanted)
        np.dot(self._twice, wanted, out=distance)
        distance += self._squares if costs is None else costs
        index = int(distance.argmin())
        np.subtract(self._table[index], features, out=error)
        np.multiply(error, _CARRIED, out=error)
        return index


_CARRIED: Final = np.float32(CARRY)


class MouthChooser:
    """Chooses the mouth of each frame. Remembers the last one: one chooser serves one session."""

    def __init__(self, entries: Sequence[BankEntry]) -> None:
        shapes = np.stack([weights(entry.blendshapes) for entry in entries])
        self._nearest = _Nearest(np.stack([_mouth_features(each) for each in shapes]))
        contacts = np.array([contact(each) for each in shapes])
        # What an entry costs when the frame's lips are apart, closed, or at the teeth.
        self._costs: dict[int, Vector] = {
            APART: self._nearest.costs(np.where(contacts == TOUCHING, WRONG_SIDE, 0.0).astype(np.float32)),
            TOUCHING: self._nearest.costs(np.where(contacts != TOUCHING, WRONG_SIDE, 0.0).astype(np.float32)),
            BITTEN: self._nearest.costs(np.where(contacts != BITTEN, WRONG_SIDE, 0.0).astype(np.float32)),
        }
        self._measured = np.empty(len(_ALL_MOUTH), np.float32)

    def pick(self, motion: MotionFrame) -> int:
        """Index of the entry to show."""
        measured = self._measured
        np.dot(_ALL_MOUTH, motion.blendshapes, out=measured)
        apart, tucked = float(measured[-2]), float(measured[-1])
        features = measured[:-1]
        features[-1] = _OPENING_WEIGHT * max(0.0, apart)
        return self._nearest.pick(features, self._costs.get(_contact(apart, tucked)))


class EyesChooser:
    """Chooses the eyes of each frame: lids first, then gaze and brows."""

    def __init__(self, entries: Sequence[BankEntry]) -> None:
        shapes = [weights(entry.blendshapes) for entry in entries]
        self._nearest = _Nearest(np.stack([_eyes_features(each) for each in shapes]))
        self._measured = np.empty(len(_ALL_EYES), np.float32)

    def pick(self, motion: MotionFrame) -> int:
        """Index of the entry to show."""
        measured = self._measured
        np.dot(_ALL_EYES, motion.blendshapes, out=measured)
        # A source may fill the gaze, the eyeLook shapes, or both with the same meaning: the stronger one counts.
        for axis in (0, 1):
            gaze = max(-1.0, min(1.0, motion.gaze[axis] / FULL_GAZE))
            if abs(gaze) > abs(measured[axis - 3]):
                measured[axis - 3] = gaze
        # Where closed eyes look is not seen.
        measured[-3:-1] *= _LOOK_WEIGHT * max(0.0, 1.0 - float(measured[-1]))
        return self._nearest.pick(measured[:-1])


_LID_MEAN: Final = np.zeros((1, len(ARKIT)), np.float32)
_LID_MEAN[0, _LIDS] = 1 / len(_LIDS)
_ALL_EYES: Final = np.vstack([_EYES, _LOOK, _LID_MEAN])


def _eyes_features(shapes: Vector) -> Vector:
    seen = max(0.0, 1.0 - float(shapes[_LIDS].mean()))
    return np.concatenate([_EYES @ shapes, np.float32(_LOOK_WEIGHT * seen) * (_LOOK @ shapes)])
