"""What a face shows, measured: how far the lips are apart, how wide and how round they are, lids and gaze.

MediaPipe's own blendshape scores are far from what they are called (a face at rest scores 0.5 for smiling, an open jaw
0.1), so the shapes are measured from the landmarks: distances in units of the outer corners' distance of the eyes, of the
face turned to the front, relative to the person's own closed mouth. How distances answer to ARKit shapes was
measured on the 60 mouths of the shipped character (least squares over the bank; docs/avatar-import.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.choose import CLOSED, FULL_GAZE
from visavis.avatar.importing.environment import ImportRefused
from visavis.avatar.importing.landmarks import Floats
from visavis.motion.frame import ARKIT, ARKIT_INDEX

EYE_CORNERS: Final = (33, 263)
GAP_PER_APERTURE: Final = 0.35
"""Lip distance for an aperture of 1 (units of jawOpen)."""
_WIDTH_ROUND, _WIDTH_STRETCH, _WIDTH_SMILE = -0.215, 0.133, 0.166
_CORNER_JAW, _CORNER_ROUND, _CORNER_SMILE = 0.127, 0.092, -0.162
_JAW_GAP, _JAW_CHIN = 1.30, 1.60
_FULL_APERTURE: Final = 0.30
"""What the widest vowels of speech have (visavis.motion.visemes)."""
_FULL_ROUND: Final = 0.60
GAZE: Final = (0.13, -0.05)
"""Movement of the irises for a radian of gaze, right and up."""
Flags = npt.NDArray[np.bool_]


def apart(points: Floats, one: int, other: int) -> Floats:
    """Distance of two landmarks in the picture, pixels; ``points``: shape (n, 478, 3)."""
    return np.asarray(np.linalg.norm(points[:, one, :2] - points[:, other, :2], axis=1), np.float32)


def smooth(values: Floats, sigma: float) -> Floats:
    """``values`` (n, ...) smoothed over time by a Gaussian of ``sigma`` pictures."""
    flat = np.ascontiguousarray(values.reshape(len(values), -1), np.float32)
    out = cv2.GaussianBlur(flat, (1, 0), sigmaX=0.1, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.float32).reshape(values.shape)


def frontal(points: Floats, rotation: Floats) -> Floats:
    """``points`` (n, 478, 3) as if the heads looked into the camera, in units of the eyes' distance."""
    centred = points - points[:, 168:169]
    turned = np.einsum("nij,nki->nkj", rotation, centred)
    size = np.linalg.norm(turned[:, EYE_CORNERS[0]] - turned[:, EYE_CORNERS[1]], axis=1)
    return np.asarray(turned / np.maximum(size, 1e-3)[:, None, None], np.float32)


@dataclass(frozen=True, slots=True)
class Measures:
    """Of ``n`` pictures. ``shapes``: (n, 52), ARKit blendshapes, calibrated; lips that touch measure closed
    (``visavis.avatar.choose``). ``aperture``: (n,), in units of jawOpen, 0: they touch. ``lids``: (n,), 0 open .. 1 shut.
    ``gaze``: (n, 2), radians right and up from the usual direction. ``rest``: (n,), mouth closed and at ease."""

    shapes: Floats
    aperture: Floats
    lids: Floats
    gaze: Floats
    rest: Flags


def _distances(at: Floats) -> dict[str, Floats]:
    def between(one: int, other: int) -> Floats:
        return np.asarray(np.linalg.norm(at[:, one, :2] - at[:, other, :2], axis=1), np.float32)

    return {
        "gap": between(13, 14),
        "width": between(61, 291),
        "chin": between(152, 2),
        "upper": between(0, 13),
        "lower": between(14, 17),
        "corner": np.asarray((at[:, 61, 1] + at[:, 291, 1]) / 2 - at[:, 2, 1], np.float32),
    }


def _runs(flags: Flags, least: int) -> Flags:
    """``flags`` where they hold for at least ``least`` pictures on end."""
    line = flags.astype(np.uint8)[:, None]
    kernel = np.ones((least, 1), np.uint8)
    return np.asarray(cv2.morphologyEx(line, cv2.MORPH_OPEN, kernel)[:, 0] > 0, np.bool_)


def measure(points: Floats, rotation: Floats, found: Flags, *, film: bool = True) -> Measures:
    """Measure faces; ``film``: they follow each other in time.

    Raises:
        ImportRefused: the lips never touch, so that nobody knows how this mouth looks when it is closed.
    """
    at = frontal(points, smooth(rotation, 2.0) if film else rotation)
    part = _distances(at)
    gap = part["gap"]
    least = float(np.percentile(gap[found], 4)) if film else 0.0
    if least > 0.05:
        raise ImportRefused("the lips are never closed in the film: pause now and then with the mouth closed")
    # The lips touch over a plateau of the smallest distances; its level is the landmarks' own thickness of a closed lip line.
    shut = float(np.median(gap[found & (gap < least + 0.01)]))
    touching = found & (gap - shut < CLOSED * GAP_PER_APERTURE)
    at_ease = _runs(touching, 6) if film else touching
    if at_ease.sum() < 5:
        at_ease = touching
    change = {name: values - np.median(values[at_ease]) for name, values in part.items() if name != "gap"}
    change["gap"] = np.maximum(gap - shut, 0)
    aperture = np.asarray(change["gap"] / GAP_PER_APERTURE, np.float32)
    if film:
        usual = float(np.percentile(aperture[found], 98))
        aperture *= np.clip(_FULL_APERTURE / max(usual, 1e-3), 0.75, 1.5)
    aperture[touching] = 0
    shapes = _mouth(change, aperture, touching, found if film else None)
    lids = _lids(at, found, film)
    gaze = _gaze(at, found & (lids < 0.3), film)
    _eyes(shapes, lids, gaze)
    quiet = np.abs(change["width"]) < 0.045
    rest = touching & quiet & (np.abs(change["chin"]) < 0.05)
    return Measures(shapes, aperture, lids, gaze, np.asarray(rest & (_runs(touching, 4) if film else touching)))


def _set(shapes: Floats, name: str, values: Floats) -> None:
    clipped = np.round(np.clip(values, 0, 1), 3)
    for full in (name,) if name in ARKIT_INDEX else (f"{name}Left", f"{name}Right"):
        shapes[:, ARKIT_INDEX[full]] = clipped


def _mouth(change: dict[str, Floats], aperture: Floats, touching: Flags, found: Flags | None) -> Floats:
    """ARKit shapes of mouths from distances relative to the mouth at rest."""
    shapes = np.zeros((len(aperture), len(ARKIT)), np.float32)
    width = change["width"]
    rounding = np.maximum(width / _WIDTH_ROUND, 0)
    if found is not None:
        usual = float(np.percentile(rounding[found], 98))
        rounding = np.minimum(rounding * np.clip(_FULL_ROUND / max(usual, 1e-3), 0.7, 1.3), 0.8)
    jaw = np.clip(_JAW_GAP * change["gap"] + _JAW_CHIN * change["chin"], 0, 0.6)
    corner = change["corner"] - _CORNER_JAW * jaw - _CORNER_ROUND * rounding
    smile = np.clip((corner / _CORNER_SMILE - 0.04), 0, 0.7)
    stretch = np.clip((np.maximum(width, 0) - _WIDTH_SMILE * smile) / _WIDTH_STRETCH, 0, 0.6)
    # Round and open is a funnel (o), round and nearly closed a pucker (u).
    funnel = rounding * np.clip(0.38 + aperture / 0.75, 0.38, 0.68)
    pucker = rounding - funnel
    jaw[touching] = np.minimum(jaw[touching], 0.02)
    # What the jaw does not explain of the aperture, the lips do (the sum is that of visavis.avatar.choose).
    left = aperture - jaw - 0.15 * funnel
    lifted = np.where(touching, 0, np.maximum(left, 0) / 0.3)
    _set(shapes, "jawOpen", jaw)
    _set(shapes, "mouthClose", np.where(touching, jaw + 0.15 * funnel, np.maximum(-left, 0)))
    _set(shapes, "mouthLowerDown", np.minimum(0.65 * lifted, 0.5))
    _set(shapes, "mouthUpperUp", np.minimum(0.35 * lifted, 0.4))
    _set(shapes, "mouthFunnel", funnel)
    _set(shapes, "mouthPucker", pucker)
    _set(shapes, "mouthSmile", smile)
    _set(shapes, "mouthStretch", stretch)
    thin = np.maximum(-(change["upper"] + change["lower"]) - 0.008, 0)
    _set(shapes, "mouthPress", np.where(touching, np.minimum(thin / 0.022, 1) * 0.4, 0))
    # The lower lip under the teeth: nearly closed, the lower lip thin, the upper not.
    tucked = np.clip((-change["lower"] - 0.012 + np.minimum(change["upper"], 0)) / 0.035, 0, 1)
    _set(shapes, "mouthRollLower", np.where(aperture < 0.14, 0.38 * tucked, 0))
    return shapes


def _lids(at: Floats, found: Flags, film: bool) -> Floats:
    def opening(upper: int, lower: int) -> Floats:
        return np.asarray(np.linalg.norm(at[:, upper, :2] - at[:, lower, :2], axis=1), np.float32)

    open_by = (opening(159, 145) + opening(386, 374)) / 2
    usual = float(np.median(open_by[found]))
    shut = 0.14 * usual
    if film:
        least = float(np.percentile(open_by[found], 0.3))
        shut = least if least < 0.4 * usual else shut
    return np.asarray(np.clip((usual - open_by) / max(usual - shut, 1e-3), 0, 1), np.float32)


def _gaze(at: Floats, seen: Flags, film: bool) -> Floats:
    irises = (at[:, 468, :2] + at[:, 473, :2]) / 2
    corners = at[:, (33, 133, 362, 263), :2].mean(axis=1)
    moved = irises - corners
    if film and seen.any():
        moved = moved - np.median(moved[seen], axis=0)
    return np.asarray(moved / np.array(GAZE), np.float32)


def _eyes(shapes: Floats, lids: Floats, gaze: Floats) -> None:
    _set(shapes, "eyeBlink", np.where(lids < 0.06, 0, lids))
    side, up = gaze[:, 0] / FULL_GAZE, gaze[:, 1] / FULL_GAZE
    for name, values in (
        ("eyeLookOutLeft", side), ("eyeLookInRight", side), ("eyeLookInLeft", -side), ("eyeLookOutRight", -side),
        ("eyeLookUp", up), ("eyeLookDown", -up),
    ):  # fmt: skip
        _set(shapes, name, np.where(lids < 0.5, np.where(np.abs(values) < 0.03, 0, values), 0))
