"""The idle loop's place in the film: the stretch whose end continues best into its beginning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from visavis.avatar.importing.landmarks import Floats, Picture
from visavis.avatar.importing.measure import EYE_CORNERS, Flags, Measures, apart, smooth
from visavis.avatar.importing.survey import Survey

LONGEST: Final = 16.0
SHORTEST: Final = 4.0
"""Seconds; a film that has no fit stretch of this length gives a shorter one, of a second or more."""
LEAST: Final = 26
"""Pictures: fewer make no loop (visavis.avatar.manifest.Loop)."""
BRIDGE: Final = 10
"""Pictures before the end that are bent towards the beginning."""
_WANTED: Final = 12.0
_GRID: Final = 24


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pictures ``first`` up to and without ``end``; picture ``end`` would look like ``first``.

    ``pose``: how far the head's landmarks at the seam lie apart, pixels on average; ``change``: how much the small pictures there differ,
    levels; ``resting``: the part of the stretch in which the mouth is at rest.
    """

    first: int
    end: int
    pose: float
    change: float
    resting: float

    def __len__(self) -> int:
        return self.end - self.first


def find_stretch(survey: Survey, measures: Measures) -> Stretch | None:
    """The best loop; None if the film has no stretch of a second with the face seen throughout."""
    count, rate = len(survey), survey.film.fps
    eyes = float(np.median(apart(survey.points, *EYE_CORNERS)[survey.found]))
    where = _places(survey) / max(eyes, 1e-3)
    looks = _looks(survey.thumbs)
    speed = np.gradient(where, axis=0) * 3
    table = np.column_stack([where * 2.0, speed * 2.0, looks, 2.5 * measures.gaze]).astype(np.float32)
    bad = ~survey.found | (survey.other > 0) | _jumps(survey)
    before_bad = np.concatenate([[0], np.cumsum(bad)])
    usual = np.median(survey.turn[survey.found], axis=0)
    turned = np.abs(survey.turn - usual).max(axis=1) / math.radians(8)
    uneasy = (~measures.rest).astype(np.float64) * 0.05 + np.maximum(turned - 0.5, 0) * 0.08
    before_uneasy = np.concatenate([[0], np.cumsum(uneasy)])
    blinking = 0.2 * (np.abs(measures.lids) > 0.25)
    bridge = min(BRIDGE, LEAST // 2)
    shortest = max(LEAST, round(SHORTEST * rate))
    longest = min(round(LONGEST * rate), count - 2)
    best: tuple[float, int, int] | None = None
    for least in (shortest, LEAST):
        for lag in range(least, longest + 1):
            starts = np.arange(bridge, count - lag)
            if not len(starts):
                break
            ends = starts + lag
            whole = before_bad[ends + 1] == before_bad[starts]
            if not whole.any():
                continue
            apart_by = table[ends[0] : ends[-1] + 1] - table[starts[0] : starts[-1] + 1]
            cost = np.sqrt(np.einsum("ij,ij->i", apart_by, apart_by)) + blinking[ends] + blinking[starts]
            cost = cost + (before_uneasy[ends] - before_uneasy[starts]) / lag
            # A loop that comes round too often is noticed.
            cost = cost + 0.20 * max(0.0, math.log(_WANTED * rate / lag))
            cost[~whole] = np.inf
            place = int(cost.argmin())
            if best is None or cost[place] < best[0]:
                best = float(cost[place]), int(starts[place]), int(ends[place])
        if best is not None:
            break
    if best is None:
        return None
    _, first, end = best
    pose = float(np.linalg.norm((where[end] - where[first]).reshape(-1, 2), axis=1).mean() * eyes)
    change = float(np.abs(survey.thumbs[end].astype(np.int16) - survey.thumbs[first]).mean())
    return Stretch(first, end, pose, change, float(measures.rest[first:end].mean()))


def _places(survey: Survey) -> Floats:
    """(n, 8): where eyes, nose and chin are, pixels, without the landmarks' jitter."""
    points = survey.points[:, (33, 263, 1, 168), :2].reshape(len(survey), -1)
    return smooth(np.ascontiguousarray(points), 1.0)


def _looks(thumbs: Picture) -> Floats:
    """(n, 24): the small pictures' main components, scaled so that a distance of 1 is a difference of 12 levels a pixel."""
    flat = np.stack([cv2.GaussianBlur(cv2.cvtColor(t, cv2.COLOR_BGR2GRAY), (0, 0), 1.0) for t in thumbs])
    values = flat.reshape(len(flat), -1).astype(np.float32)
    values -= values.mean(axis=0)
    some = values[:: max(1, len(values) // 400)]
    _, _, axes = np.linalg.svd(some, full_matrices=False)
    return np.asarray(values @ axes[:_GRID].T / (12 * math.sqrt(values.shape[1])) * 4, np.float32)


def _jumps(survey: Survey) -> Flags:
    """Pictures that differ much more from the one before than usual: edits too small to be called cuts."""
    change = np.abs(np.diff(survey.thumbs.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
    usual = float(np.median(change)) + 0.2
    return np.concatenate([[False], change > 8 * usual])


def bent(picture: Picture, flow: Floats, part: float) -> Picture:
    """``picture`` moved by ``part`` (0..1) of ``flow`` (height, width, 2): where each of its points goes, pixels."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    # Sampling goes against the movement; the flow changes slowly enough that it may be read at the target.
    at = columns - part * flow[..., 0], rows - part * flow[..., 1]
    return np.asarray(cv2.remap(picture, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def seam_flow(end: Picture, first: Picture) -> tuple[Floats, Floats]:
    """How picture ``end`` has to move, and what has to be added to its colours, to become ``first``.

    (height, width, 2) pixels and (height, width, 3) levels. Both are smooth: nothing is faded, the picture bends.
    """
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (end, first)]
    flow = np.asarray(finder.calc(grey[0], grey[1], np.zeros((*grey[0].shape, 2), np.float32)), np.float32)
    reach = max(end.shape[:2]) / 160
    flow = np.asarray(cv2.GaussianBlur(flow, (0, 0), reach), np.float32)
    moved = bent(end, flow, 1.0)
    small = max(1, end.shape[1] // 4), max(1, end.shape[0] // 4)
    rest = cv2.resize(first, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    rest -= cv2.resize(moved, small, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(np.clip(rest, -12, 12), (0, 0), max(end.shape[:2]) / 120)
    light = cv2.resize(soft, (end.shape[1], end.shape[0]), interpolation=cv2.INTER_LINEAR)
    return flow, np.asarray(light, np.float32)


def bridge(pictures: list[Picture], end: Picture, first: Picture) -> list[Picture]:
    """The last pictures of a stretch, bent step by step so that ``first`` follows the last as ``end`` did."""
    flow, light = seam_flow(end, first)
    out = []
    for number, picture in enumerate(pictures, 1):
        share = number / (len(pictures) + 1)
        part = share * share * (3 - 2 * share)
        moved = bent(picture, flow, part).astype(np.float32) + part * light
        out.append(np.clip(np.round(moved), 0, 255).astype(np.uint8))
    return out
