"""Where the head of one picture lies in another: an affine map, first from landmarks, then to a fraction of a pixel."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.importing.landmarks import Floats, Picture

Matrix = npt.NDArray[np.float64]
"""Shape (2, 3): x' = m00 x + m01 y + m02, y' = m10 x + m11 y + m12; pixels of one picture to pixels of the other."""

# Landmarks that neither speech nor lids move: forehead, bridge and sides of the nose, corners of the eyes, temples, cheekbones.
STABLE: Final = (
    10, 67, 109, 103, 297, 338, 332, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 2, 48, 278, 64, 294, 98, 327,
    33, 133, 263, 362, 21, 251, 54, 284, 162, 389, 127, 356, 117, 346, 123, 352, 116, 345,
)  # fmt: skip
# What moves by itself and must not pull the map: mouth and chin, and each eye with its brow.
_EYES: Final = ((46, 53, 52, 65, 55, 133, 153, 145, 144, 33), (276, 283, 282, 295, 285, 362, 380, 374, 373, 263))
_SIDE: Final = 300
"""Pixels of the face in the picture that is aligned finely."""


def identity() -> Matrix:
    """The map of a picture to itself."""
    return np.array([[1.0, 0, 0], [0, 1.0, 0]])


def inverse(matrix: Matrix) -> Matrix:
    """The map back."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def product(second: Matrix, first: Matrix) -> Matrix:
    """``first``, then ``second``."""
    whole = np.vstack([second, [0, 0, 1]]) @ np.vstack([first, [0, 0, 1]])
    return np.asarray(whole[:2], np.float64)


def moved(matrix: Matrix, points: Floats | npt.NDArray[np.float64]) -> Floats:
    """``points`` (n, 2) under ``matrix``."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def from_landmarks(base: Floats, other: Floats) -> Matrix:
    """The map of the head at the landmarks ``base`` to that at ``other``, both (478, 3): least squares, robust."""
    source = base[list(STABLE), :2].astype(np.float64)
    target = other[list(STABLE), :2].astype(np.float64)
    centre = source.mean(axis=0)
    design = np.column_stack([source - centre, np.ones(len(source))])
    weights = np.ones(len(source))
    solution: npt.NDArray[np.float64] = np.zeros((3, 2))
    for _ in range(4):
        solution = np.asarray(
            np.linalg.lstsq(design * weights[:, None], target * weights[:, None], rcond=None)[0], np.float64
        )
        error = np.linalg.norm(design @ solution - target, axis=1)
        weights = 1 / np.sqrt(1 + (error / (1.5 * np.median(error) + 1e-6)) ** 2)
    matrix = np.column_stack([solution[:2].T, solution[2] - solution[:2].T @ centre])
    return np.asarray(matrix, np.float64)


class Aligner:
    """Aligns heads to one base picture."""

    def __init__(self, base: Picture, points: Floats) -> None:
        """``base``: BGR; ``points``: its landmarks, (478, 3)."""
        self._points = points
        outline = points[list(STABLE), :2]
        low, high = outline.min(axis=0), outline.max(axis=0)
        size = float(high[1] - low[1])
        low, high = low - 0.1 * size, high + np.array([0.1, 0.04]) * size
        low = np.asarray(np.maximum(low, 0), np.float32)
        high = np.asarray(np.minimum(high, (base.shape[1] - 1, base.shape[0] - 1)), np.float32)
        self._scale = min(1.0, _SIDE / float(max(high - low)))
        self._low = low
        width, height = (np.ceil((high - low) * self._scale)).astype(int)
        # Small picture -> base picture.
        self._up = np.array([[1 / self._scale, 0, low[0]], [0, 1 / self._scale, low[1]]])
        self._size = int(width), int(height)
        self._face = self._small(base, identity())
        self._mask = self._still(points)

    def _small(self, picture: Picture, matrix: Matrix) -> Floats:
        """The part of ``picture`` that ``matrix`` puts the base's face at, as the small base lies; grey."""
        grey = cv2.warpAffine(
            picture, product(matrix, self._up), self._size, flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(cv2.GaussianBlur(cv2.cvtColor(grey, cv2.COLOR_BGR2GRAY), (0, 0), 1.0), np.float32)

    def _still(self, points: Floats) -> npt.NDArray[np.uint8]:
        at = (points[:, :2] - self._low) * self._scale
        mask = np.full((self._size[1], self._size[0]), 255, np.uint8)
        for eye in _EYES:
            hull = cv2.convexHull(at[list(eye)].astype(np.float32)).astype(np.int32)
            cv2.fillConvexPoly(mask, hull, 0)
            cv2.polylines(mask, [hull], True, 0, 9)
        # Below the nose's tip only the nose itself stays.
        mask[int(max(0, at[2, 1])) :] = 0
        return mask

    def align(self, picture: Picture, points: Floats) -> Matrix:
        """The map of the base's head to that of ``picture``, whose landmarks are ``points``."""
        rough = from_landmarks(self._points, points)
        return self.refine(picture, rough)

    def refine(self, picture: Picture, rough: Matrix) -> Matrix:
        """``rough`` made finer; ``rough`` itself where the pictures do not allow it."""
        small = self._small(picture, rough)
        warp = np.eye(2, 3, dtype=np.float32)
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
        try:
            _, fitted = cv2.findTransformECC(self._face, small, warp, cv2.MOTION_AFFINE, criteria, self._mask, 3)
        except cv2.error:
            return rough
        up, down = self._up, inverse(self._up)
        fine = product(rough, product(up, product(np.asarray(fitted, np.float64), down)))
        # A correction of more than a few pixels is a mistake: the landmarks are not that far off.
        corners = np.array([self._low, self._low + np.array(self._size) / self._scale], np.float32)
        off = np.abs(moved(fine, corners) - moved(rough, corners)).max()
        return fine if off < 0.05 * np.ptp(corners[:, 1]) + 2 else rough
