"""Whether a film is fit to make an avatar of, and if not, why."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from visavis.avatar.importing.environment import ImportRefused
from visavis.avatar.importing.measure import EYE_CORNERS, apart
from visavis.avatar.importing.survey import Survey

MIN_SECONDS: Final = 60.0
MIN_FACE: Final = 130
"""Pixels from hairline to chin: a mouth of less than 40 pixels cannot be cut out."""
SEEN: Final = 0.6
"""Part of the pictures that must show a face."""
SECOND: Final = 0.35
"""A second face of at least this part of the first one's height is a second person ..."""
SECOND_TIME: Final = 0.04
"""... if it is there in this part of the pictures."""
DARK, BRIGHT, FLAT, CLIPPED = 55.0, 218.0, 9.0, 0.22
TURNED: Final = math.radians(22)
CUT: Final = 16.0
"""Mean change of a whole small picture between two pictures, levels."""
JUMP: Final = 0.45
"""Movement of the nose between two pictures, in distances of the eyes' outer corners."""
SPEECH: Final = 0.02
"""How far the lips of someone who talks are apart at times, in distances of the eyes' corners."""


def refuse_unless_long_enough(seconds: float, min_seconds: float) -> None:
    """Refuse a film that is shorter than ``min_seconds``."""
    if seconds < min_seconds - 0.05:
        raise ImportRefused(
            f"the film is too short: {seconds:.1f} s, at least {min_seconds:.0f} s of someone talking are needed"
        )


def judge(survey: Survey, min_seconds: float = MIN_SECONDS) -> None:
    """Return if an avatar can be made of the film.

    Raises:
        ImportRefused: with the reason.
    """
    refuse_unless_long_enough(len(survey) / survey.film.fps, min_seconds)
    seen = float(survey.found.mean())
    if seen < 0.02:
        raise ImportRefused("no face is seen in the film: the person must look into the camera")
    _two_persons(survey)
    if seen < SEEN:
        raise ImportRefused(f"the face is seen in only {seen:.0%} of the film, {SEEN:.0%} are needed")
    face = float(np.median(survey.height[survey.found]))
    if face < MIN_FACE:
        raise ImportRefused(
            f"the face is too small: {face:.0f} pixels from hairline to chin, {MIN_FACE} are needed (come nearer or film in 1080p)"
        )
    _light(survey)
    turn = np.abs(survey.turn[survey.found])
    away = float(((turn[:, 0] > TURNED) | (turn[:, 1] > TURNED * 1.4)).mean())
    if away > 0.5:
        raise ImportRefused(f"the head is turned away in {away:.0%} of the film: the person must look into the camera")
    at = cut_at(survey)
    if at is not None:
        raise ImportRefused(
            f"the picture jumps at {at:.1f} s (a cut, or the camera moved): film in one take with a fixed camera"
        )
    gap = apart(survey.points, 13, 14) / np.maximum(apart(survey.points, *EYE_CORNERS), 1e-3)
    gap = gap[survey.found]
    if float(np.percentile(gap, 95) - np.percentile(gap, 3)) < SPEECH:
        raise ImportRefused("the lips hardly move: the person must talk for most of the film")


def _two_persons(survey: Survey) -> None:
    second = survey.other > SECOND
    part = float(second.mean())
    if part > SECOND_TIME:
        first = int(np.flatnonzero(second)[0]) / survey.film.fps
        raise ImportRefused(
            f"two persons are in the film ({part:.0%} of it, first at {first:.1f} s): only one may be seen"
        )


def _light(survey: Survey) -> None:
    refuse_bad_light(*(float(value) for value in np.median(survey.light[survey.found], axis=0)))


def refuse_bad_light(mean: float, deviation: float, black: float, white: float) -> None:
    """Refuse a face of this light (see :attr:`Survey.light`)."""
    if mean < DARK or black > CLIPPED:
        raise ImportRefused(f"the face is badly lit: too dark (mean level {mean:.0f} of 255, {black:.0%} black)")
    if mean > BRIGHT or white > CLIPPED:
        raise ImportRefused(f"the face is badly lit: too bright (mean level {mean:.0f} of 255, {white:.0%} burnt out)")
    if deviation < FLAT:
        raise ImportRefused(f"the face is badly lit: no contrast (deviation {deviation:.0f} levels)")


def cut_at(survey: Survey) -> float | None:
    """When the picture jumps first, seconds; None if it never does."""
    if len(survey) < 3:
        return None
    grey = np.stack([cv2.cvtColor(thumb, cv2.COLOR_BGR2GRAY) for thumb in survey.thumbs]).astype(np.int16)
    change = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
    usual = float(np.median(change))
    nose = np.linalg.norm(np.diff(survey.points[:, 1, :2], axis=0), axis=1)
    eyes = np.maximum(apart(survey.points, *EYE_CORNERS)[1:], 1e-3)
    both = survey.found[1:] & survey.found[:-1]
    jumped = (change > max(CUT, 5 * usual)) | (both & (nose / eyes > JUMP))
    places = np.flatnonzero(jumped)
    return float((places[0] + 1) / survey.film.fps) if len(places) else None
