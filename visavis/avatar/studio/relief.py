"""The depth picture of a pack: the studio's measured depth, made fit for warps."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.studio.pictures import Image

Map = npt.NDArray[np.float32]
SIDE = 480
"""Rows of the depth picture."""
_HOLES = 3  # cells: gaps between sampled hairs that are closed
_SMOOTH = 5.0  # cells: standard deviation of the low-pass filter


def filled(depth: Map, known: npt.NDArray[np.bool_]) -> Map:
    """``depth`` where ``known``; elsewhere what surrounds it, ever smoother with the distance.

    A pyramid of weighted means: each level halves the picture, and unknown cells take the value of the level above.
    """
    weight = known.astype(np.float32)
    levels = [(np.asarray(depth * weight, np.float32), weight)]
    while min(levels[-1][0].shape) > 1:
        value, weight = levels[-1]
        levels.append((np.asarray(cv2.pyrDown(value)), np.asarray(cv2.pyrDown(weight))))
    value, weight = levels[-1]
    out = value / np.maximum(weight, 1e-6)
    for value, weight in reversed(levels[:-1]):
        out = np.asarray(cv2.resize(out, value.shape[::-1], interpolation=cv2.INTER_LINEAR))
        share = np.clip(weight * 4, 0, 1)
        out = np.where(weight > 1e-4, value / np.maximum(weight, 1e-4) * share + out * (1 - share), out)
    return np.asarray(out, np.float32)


def picture(depth: Map, known: npt.NDArray[np.bool_], pixels_per_metre: float) -> tuple[Image, float, float]:
    """The grey picture, and what its levels 0 and 255 stand for (canvas pixels towards the viewer).

    ``depth``: metres before the axis of the head. Single hairs and seams are smoothed away: a warp by this map bends no outline.
    """
    kernel = np.ones((_HOLES, _HOLES), np.uint8)
    solid = cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    whole = filled(np.asarray(depth, np.float32), np.asarray(solid))
    low, high = float(np.percentile(whole[solid], 0.2)), float(np.percentile(whole[solid], 99.9))
    levels = np.clip((whole - low) / max(high - low, 1e-6), 0, 1)
    levels = cv2.medianBlur(np.round(levels * 255).astype(np.uint8), 5).astype(np.float32)
    soft = cv2.GaussianBlur(levels, (0, 0), _SMOOTH, borderType=cv2.BORDER_REPLICATE)
    return np.round(soft).astype(np.uint8), round(low * pixels_per_metre, 1), round(high * pixels_per_metre, 1)
