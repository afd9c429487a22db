"""Mouths and eyes cut out of the film: brought to where the base's are, matched to its colours at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.importing.align import Matrix
from visavis.avatar.importing.landmarks import Floats, Picture
from visavis.avatar.importing.survey import OVAL

Mask = npt.NDArray[np.uint8]
Rectangle = tuple[int, int, int, int]
"""x, y, width, height."""

_EDGE: Final = 2
"""Pixels of a box's edge where a mask is 0."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the canvas and, of its size, where a patch replaces the base (255) or does not (0)."""

    box: Rectangle
    mask: Mask

    def of(self, picture: Picture) -> Picture:
        """The rectangle's part of ``picture``."""
        x, y, width, height = self.box
        return picture[y : y + height, x : x + width]


def _span(points: Floats) -> float:
    return float(np.linalg.norm(points[33, :2] - points[263, :2]))


def _region(hull: Floats, feather: float, canvas: tuple[int, int], solid: Mask | None) -> Region:
    """The inside of ``hull`` (n, 2), feathered inwards, kept away from where the person ends (``solid``: alpha)."""
    width, height = canvas
    low = np.floor(hull.min(axis=0)).astype(int) - _EDGE - 1
    high = np.ceil(hull.max(axis=0)).astype(int) + _EDGE + 1
    x, y = (int(max(0, value)) & ~1 for value in low)
    right, bottom = min(width, int(high[0]) + 1 & ~1), min(height, int(high[1]) + 1 & ~1)
    inside = np.zeros((bottom - y, right - x), np.uint8)
    cv2.fillConvexPoly(inside, np.round(cv2.convexHull(hull.astype(np.float32))[:, 0] - (x, y)).astype(np.int32), 255)
    inside[:_EDGE] = inside[-_EDGE:] = 0
    inside[:, :_EDGE] = inside[:, -_EDGE:] = 0
    if solid is not None:
        inside[cv2.erode(solid[y:bottom, x:right], np.ones((7, 7), np.uint8)) < 250] = 0
    depth = cv2.distanceTransform(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 5)
    depth = np.clip(depth[1:-1, 1:-1] / max(feather, 1.0), 0, 1)
    mask = np.round(255 * depth * depth * (3 - 2 * depth)).astype(np.uint8)
    return Region((x, y, right - x, bottom - y), mask)


def mouth_region(points: Floats, canvas: tuple[int, int], solid: Mask | None = None) -> Region:
    """Mouth, chin and lower cheeks of the base's landmarks (478, 3), with room for a jaw that opens."""
    span = _span(points)
    at = points[:, :2]
    down = at[152] - at[2]
    down = down / np.linalg.norm(down)
    across = np.array([-down[1], down[0]]) * -1
    middle = (at[61] + at[291]) / 2
    # The jaw's outline from below the ears to the chin, let down by what an open jaw adds.
    jaw = at[[132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361]]
    below = jaw + down * 0.17 * span
    top = np.stack([at[2] + down * 0.02 * span, at[205] - down * 0.02 * span, at[425] - down * 0.02 * span])
    limit = 0.66 * span
    hull = np.vstack([below, top, middle[None] - across * limit * 0.9, middle[None] + across * limit * 0.9])
    # Not wider than the face: beside it is hair, which must not shimmer while the person talks.
    side = (hull - middle) @ across
    hull = hull - np.outer(side - np.clip(side, -limit, limit), across)
    return _region(hull.astype(np.float32), 0.10 * span, canvas, solid)


def eyes_region(points: Floats, canvas: tuple[int, int], solid: Mask | None = None) -> Region:
    """Both eyes with lids and brows."""
    span = _span(points)
    at = points[:, :2]
    down = at[152] - at[10]
    down = down / np.linalg.norm(down)
    brows = at[[70, 63, 105, 66, 107, 336, 296, 334, 293, 300]] - down * 0.10 * span
    lower = at[[226, 31, 228, 229, 230, 231, 451, 450, 449, 448, 261, 446]] + down * 0.08 * span
    sides = at[[130, 359]] + np.array([[-0.12 * span, 0], [0.12 * span, 0]])
    return _region(np.vstack([brows, lower, sides]).astype(np.float32), 0.07 * span, canvas, solid)


def brought(picture: Picture, matrix: Matrix, box: Rectangle) -> Picture:
    """The part of ``picture`` that shows the base's ``box``; ``matrix``: base to picture."""
    x, y, width, height = box
    shifted = matrix.copy()
    shifted[:, 2] = matrix[:, :2] @ (x, y) + matrix[:, 2]
    # Cubic: the patch is sampled once more when it is shown, and must not get soft.
    out = cv2.warpAffine(
        picture, shifted, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(out, np.uint8)


def settled(patch: Picture, base: Picture, mask: Mask) -> Picture:
    """``patch`` moved by a little at its edge so that it continues ``base`` there: an affine map does not catch a head that turns.

    The movement found by optical flow where the mask falls off is spread smoothly, and fades out towards the middle.
    """
    flow_finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (base, patch)]
    flow = np.asarray(flow_finder.calc(grey[0], grey[1], np.zeros((*grey[0].shape, 2), np.float32)), np.float32)
    weight = _rim(mask)
    limit = 0.03 * mask.shape[1]
    weight = weight * (np.linalg.norm(flow, axis=2) < limit)
    spread = _spread(flow, weight, 0.06 * mask.shape[1])
    # Full at the edge, nothing where the patch counts wholly: there it shows what this mouth does.
    hold = 1 - cv2.GaussianBlur(_inner(mask), (0, 0), max(1.0, 0.03 * mask.shape[1]))
    spread *= hold[..., None]
    rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]].astype(np.float32)
    out = cv2.remap(
        patch, columns + spread[..., 0], rows + spread[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(out, np.uint8)


def _rim(mask: Mask) -> Floats:
    """1 where the mask falls off and outside it, 0 well inside."""
    return np.asarray(np.clip((200 - mask.astype(np.float32)) / 120, 0, 1), np.float32)


def _inner(mask: Mask) -> Floats:
    return np.asarray(np.clip((mask.astype(np.float32) - 120) / 135, 0, 1), np.float32)


def _spread(values: Floats, weight: Floats, sigma: float) -> Floats:
    """``values`` where ``weight`` counts, carried on smoothly everywhere else: sums over ever wider surroundings."""
    height, width = weight.shape
    # What is as smooth as this needs few pixels.
    scale = min(1.0, 2.5 / sigma)
    size = max(4, round(width * scale)), max(4, round(height * scale))
    weighed = np.asarray(cv2.resize(values * weight[..., None], size, interpolation=cv2.INTER_AREA), np.float32)
    small = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)
    out = np.zeros_like(weighed)
    missing = np.ones(small.shape, np.float32)
    mean: Floats = out
    for wider in (1.0, 2.5, 6.0):
        total = cv2.GaussianBlur(small, (0, 0), 2.5 * wider)
        blurred = cv2.GaussianBlur(weighed, (0, 0), 2.5 * wider)
        mean = np.asarray(blurred / np.maximum(total, 1e-6)[..., None], np.float32)
        trust = np.clip(total / 0.15, 0, 1) * missing
        out = np.asarray(out + mean * trust[..., None], np.float32)
        missing = missing - trust
    out = out + mean * missing[..., None]
    return np.asarray(cv2.resize(out, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def matched(patch: Picture, base: Picture, mask: Mask) -> Picture:
    """``patch`` with the colours of ``base`` at its edge: their smooth difference there is carried inwards and added."""
    difference = base.astype(np.float32) - patch
    weight = _rim(mask)
    # Edges that do not lie upon each other (hair, collar) are no difference of light.
    weight = weight * np.exp(-((np.abs(difference).max(axis=2) / 25) ** 2))
    light = _spread(difference, np.asarray(weight, np.float32), 0.06 * mask.shape[1])
    return np.clip(np.round(patch + light), 0, 255).astype(np.uint8)


def blended(patch: Picture, base: Picture, mask: Mask) -> Picture:
    """``patch`` over ``base`` by ``mask``."""
    weight = mask.astype(np.float32)[..., None] / 255
    return np.round(patch * weight + base * (1 - weight)).astype(np.uint8)


def edge_error(patch: Picture, base: Picture, mask: Mask) -> float:
    """How much a patch differs from the base where its mask begins to count, mean grey levels: what is seen as a seam."""
    rim = (mask > 20) & (mask < 110)
    return float(np.abs(patch[rim].astype(np.int16) - base[rim]).mean()) if rim.any() else 0.0


def face_outline(points: Floats) -> Floats:
    """The face's outline of landmarks (478, 3): (36, 2)."""
    return np.asarray(points[list(OVAL), :2], np.float32)
