"""Which pictures of the film become the base, the mouths and the eyes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.avatar.importing.environment import ImportRefused
from visavis.avatar.importing.landmarks import Floats
from visavis.avatar.importing.measure import Flags, Measures
from visavis.avatar.importing.survey import Survey
from visavis.motion.frame import ARKIT, ARKIT_INDEX

MOUTHS: Final = 120
MIN_MOUTHS: Final = 12
_NEAR: Final = 0.012
"""Mouths nearer than this (see :func:`_mouth_features`) look the same."""
_DEGREE: Final = math.radians(1)

# How visible a difference of each shape is; much as in visavis.avatar.choose, where the mouths will be chosen.
_WEIGHTS: Final = {
    "jawOpen": 1.3, "mouthClose": 0.7, "mouthFunnel": 1.0, "mouthPucker": 1.0, "mouthSmileLeft": 0.9, "mouthStretchLeft": 0.9,
    "mouthLowerDownLeft": 0.7, "mouthUpperUpLeft": 0.7, "mouthPressLeft": 0.8, "mouthRollLower": 0.8,
}  # fmt: skip
_APERTURE_WEIGHT: Final = 3.0
_LIDS: Final = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0)
_GAZES: Final = tuple((x, y) for y in (-0.9, 0.0, 0.9) for x in (-0.9, -0.45, 0.0, 0.45, 0.9) if (x, y) != (0.0, 0.0))
"""Directions to look for, in parts of the widest gaze seen."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Numbers of pictures. ``lids``: (picture, how far shut); ``gazes``: pictures of open eyes that look elsewhere."""

    base: int
    mouths: tuple[int, ...]
    lids: tuple[tuple[int, float], ...]
    gazes: tuple[int, ...]


def quality_cost(survey: Survey, base: int) -> Floats:
    """(n,): how badly a picture suits the base: head turned or sized otherwise, blurred. 0: like the base."""
    turn = np.abs(survey.turn - survey.turn[base]) / _DEGREE
    size = np.abs(np.log(np.maximum(survey.height, 1) / max(float(survey.height[base]), 1)))
    usual = float(np.median(survey.sharp[survey.found]))
    blur = np.maximum(0, 0.9 - survey.sharp / max(usual, 1e-3))
    cost = 0.05 * turn[:, 0] + 0.05 * turn[:, 1] + 0.015 * turn[:, 2] + 3 * size + 3 * blur
    return np.where(survey.found & (survey.other == 0), cost, np.inf).astype(np.float32)


def choose_base(survey: Survey, measures: Measures, among: Flags) -> int:
    """The picture of ``among`` that is neutral: mouth at rest, eyes open, looking at the camera, usual pose, sharp.

    ImportRefused: there is none.
    """
    usual = np.median(survey.turn[survey.found], axis=0)
    turn = np.abs(survey.turn - usual) / _DEGREE
    sharp = float(np.median(survey.sharp[survey.found]))
    cost = 0.1 * turn[:, :2].sum(axis=1) + 0.05 * turn[:, 2]
    cost += 2 * np.linalg.norm(measures.gaze, axis=1) + 3 * np.abs(measures.lids)
    cost += 2 * np.maximum(0, 1 - survey.sharp / max(sharp, 1e-3))
    # Cheeks and lips at ease: no smile, no press.
    cost += 3 * measures.shapes.sum(axis=1)
    for allowed in (among & measures.rest, measures.rest, measures.aperture == 0):
        fit = allowed & survey.found & (measures.lids < 0.25)
        if fit.any():
            return int(np.where(fit, cost, np.inf).argmin())
    raise ImportRefused("there is no picture with the mouth closed and the eyes open")


def _mouth_features(measures: Measures) -> Floats:
    columns = [weight * measures.shapes[:, ARKIT_INDEX[name]] for name, weight in _WEIGHTS.items()]
    return np.column_stack([*columns, _APERTURE_WEIGHT * measures.aperture]).astype(np.float32)


def choose_mouths(survey: Survey, measures: Measures, base: int, most: int = MOUTHS) -> tuple[int, ...]:
    """Up to ``most`` pictures, ``base`` first, that cover the mouth's shapes evenly.

    Farthest points first give the places; each place is then filled with the best picture near it (pose like the base's,
    sharp), so that a blurred or turned extreme does not win only because it is alone.
    """
    features, cost = _mouth_features(measures), quality_cost(survey, base)
    fit = np.flatnonzero((cost < 1.2) & (np.abs(measures.lids) <= 1))
    if len(fit) < MIN_MOUTHS:
        raise ImportRefused("the head moves too much: too few pictures show the face as the others do")
    table = features[fit]
    seeds = [int(np.linalg.norm(table - features[base], axis=1).argmin())]
    distance = ((table - features[base]) ** 2).sum(axis=1)
    # A bad picture counts as nearer than it is: it must add much to be taken.
    reluctance = 1 / (1 + 1.5 * cost[fit]) ** 2
    while len(seeds) < most:
        seed = int((distance * reluctance).argmax())
        if distance[seed] < _NEAR**2:
            break
        seeds.append(seed)
        distance = np.minimum(distance, ((table - table[seed]) ** 2).sum(axis=1))
    centres = table[seeds]
    squares = ((table[:, None, :] - centres[None]) ** 2).sum(axis=2)
    nearest = squares.argmin(axis=1)
    chosen = [base]
    for place in range(1, len(seeds)):
        members = np.flatnonzero(nearest == place)
        away = squares[members, place] + 0.01 * cost[fit[members]]
        chosen.append(int(fit[members[away.argmin()]]))
    return tuple(dict.fromkeys(chosen))


def choose_eyes(survey: Survey, measures: Measures, base: int) -> tuple[tuple[tuple[int, float], ...], tuple[int, ...]]:
    """(lids, gazes) of :class:`Chosen`; lids that the film does not show are left out, open eyes are the base's."""
    cost = quality_cost(survey, base)
    ahead = np.linalg.norm(measures.gaze, axis=1)
    lids: list[tuple[int, float]] = [(base, 0.0)]
    for wanted in _LIDS[1:]:
        away = np.abs(measures.lids - wanted)
        near = np.flatnonzero((away < 0.08) & (cost < 1.6))
        if len(near):
            best = near[(cost[near] + 4 * away[near] + np.where(measures.lids[near] < 0.5, ahead[near], 0)).argmin()]
            lids.append((int(best), float(measures.lids[best])))
    gazes: list[int] = []
    open_eyes = np.flatnonzero((np.abs(measures.lids) < 0.12) & (cost < 1.0))
    if len(open_eyes):
        seen = measures.gaze[open_eyes]
        reach = np.percentile(np.abs(seen), 97, axis=0)
        for x, y in _GAZES:
            target = np.array([x * reach[0], y * reach[1]])
            # Less than 4 degrees away from straight ahead is within the landmarks' noise.
            if np.linalg.norm(target) < 4 * _DEGREE:
                continue
            away = np.linalg.norm(seen - target, axis=1)
            best = int((away + 0.15 * cost[open_eyes]).argmin())
            if away[best] < 0.04:
                gazes.append(int(open_eyes[best]))
    return tuple(dict(lids).items()), tuple(dict.fromkeys(gazes))


def shapes_of(measures: Measures, picture: int, part: str) -> dict[str, float]:
    """The blendshapes of the picture's ``part`` ("mouth" or "eyes") by name, without those that are nothing."""
    prefixes = ("eye",) if part == "eyes" else ("mouth", "jaw")
    return {
        name: round(float(value), 3)
        for name, value in zip(ARKIT, measures.shapes[picture], strict=True)
        if name.startswith(prefixes) and value >= 0.01
    }
