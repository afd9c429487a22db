"""The first pass over a film: where the face is in every picture, how it is lit, how sharp it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.importing.film import Film
from visavis.avatar.importing.landmarks import POINTS, SCORES, Face, Floats, Picture, angles, find_faces

THUMB: Final = 160
"""Longer side of the small pictures."""
# Landmarks of the face's outline, for the region whose light is judged.
OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
    172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of each of ``n`` pictures. Without a face: ``found`` is False and the face's values are 0.

    Attributes:
        points: (n, 478, 3), pixels. scores: (n, 51). rotation: (n, 3, 3). See :class:`~.landmarks.Face`.
        other: (n,), height of a second face as a part of the first one's; 0: nobody else.
        light: (n, 4): mean and standard deviation of the face's luma (0..255), parts of it that are black, and white.
        sharp: (n,): how much detail mouth and eyes have; relative.
        thumbs: (n, h, w, 3): small pictures, BGR.
    """

    film: Film
    found: npt.NDArray[np.bool_]
    points: Floats
    scores: Floats
    rotation: Floats
    other: Floats
    light: Floats
    sharp: Floats
    thumbs: Picture

    def __len__(self) -> int:
        return len(self.found)

    @property
    def turn(self) -> Floats:
        """(n, 3): yaw, pitch and roll, radians."""
        return angles(self.rotation)

    @property
    def height(self) -> Floats:
        """(n,): of the face, hairline to chin, pixels."""
        return np.asarray(np.linalg.norm(self.points[:, 10, :2] - self.points[:, 152, :2], axis=1), np.float32)


def light_of(picture: Picture, points: Floats) -> tuple[float, float, float, float]:
    """Mean and deviation of the luma of the face at ``points``, and the parts of it that are black and white."""
    outline = points[list(OVAL), :2]
    scale = min(1.0, 160 / max(1.0, float(np.ptp(outline[:, 1]))))
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int)
    region = picture[top : bottom + 1, left : right + 1]
    if region.size == 0:
        return 0.0, 0.0, 1.0, 0.0
    size = max(1, round(region.shape[1] * scale)), max(1, round(region.shape[0] * scale))
    luma = cv2.cvtColor(cv2.resize(region, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    mask = np.zeros(luma.shape, np.uint8)
    cv2.fillConvexPoly(mask, np.round((outline - (left, top)) * scale).astype(np.int32), 1)
    values = luma[mask > 0]
    if not len(values):
        return 0.0, 0.0, 1.0, 0.0
    return float(values.mean()), float(values.std()), float((values < 12).mean()), float((values > 248).mean())


def sharpness(picture: Picture, points: Floats) -> float:
    """Detail of the band from brows to chin: the mean size of the Laplacian at the scale of a face 240 pixels high."""
    low, high = points[list(OVAL), :2].min(axis=0), points[list(OVAL), :2].max(axis=0)
    top = max(0, int(low[1] + 0.25 * (high[1] - low[1])))
    region = picture[top : int(high[1]), max(0, int(low[0])) : int(high[0])]
    if region.size == 0:
        return 0.0
    width = max(8, round(region.shape[1] * min(1.0, 240 / max(1.0, float(high[1] - low[1])))))
    height = max(8, round(region.shape[0] * width / region.shape[1]))
    grey = cv2.cvtColor(cv2.resize(region, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())


def survey(film: Film, progress: Progress = lambda done, total, what: None) -> Survey:
    """Look at every picture of ``film``. ImportRefused: it cannot be read, or the face finder does not work."""
    scale = THUMB / max(film.width, film.height)
    size = max(2, round(film.width * scale)), max(2, round(film.height * scale))
    faces: list[Face | None] = []
    other: list[float] = []
    light: list[tuple[float, float, float, float]] = []
    sharp: list[float] = []
    thumbs: list[Picture] = []
    total = max(1, film.count)
    found = find_faces(
        film.pictures(), film.width, film.height, fps=film.fps, say=lambda what: progress(0, total, what)
    )
    for picture, here in found:
        face = here[0] if here else None
        faces.append(face)
        other.append(here[1].height / max(here[0].height, 1e-3) if len(here) > 1 else 0.0)
        light.append(light_of(picture, face.points) if face else (0.0, 0.0, 0.0, 0.0))
        sharp.append(sharpness(picture, face.points) if face else 0.0)
        thumbs.append(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
        if len(faces) % 25 == 0:
            progress(min(len(faces), total), total, "looking for the face")
    return Survey(
        film,
        np.array([face is not None for face in faces], np.bool_),
        np.array([face.points if face else np.zeros((POINTS, 3)) for face in faces], np.float32).reshape(-1, POINTS, 3),
        np.array([face.scores if face else np.zeros(SCORES) for face in faces], np.float32).reshape(-1, SCORES),
        np.array([face.rotation if face else np.eye(3) for face in faces], np.float32).reshape(-1, 3, 3),
        np.array(other, np.float32),
        np.array(light, np.float32).reshape(-1, 4),
        np.array(sharp, np.float32),
        np.array(thumbs, np.uint8).reshape(-1, size[1], size[0], 3),
    )
