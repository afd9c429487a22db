"""The person without what stands behind: by a plain background's colour, or by what looks like the person, or not at all.

A film before a wall, a curtain or a green screen has a background whose colour changes only slowly over the picture; it is
modelled as a smooth surface and taken away (:class:`PlainMatte`). Before anything else the person is divided from the rest
by colour statistics (GrabCut, Rother et al. 2004), starting from where the face is (:class:`CutMatte`), with soft edges
from a guided filter (He et al. 2010). How well it went is measured; a poor matte is not used: the film stays opaque.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.importing.landmarks import Floats, Picture

GOOD: Final = 0.6
"""The least quality with which a matte is used."""
_PLAIN: Final = 5.0
"""Deviation (levels of Lab) of a background that counts as plain."""
_COLOURED: Final = 30.0
"""A background of more chroma than this (Lab) is a screen."""
_CUT_SIDE: Final = 320


class Matte(Protocol):
    """Takes the background away. ``quality``: 0 useless .. 1 clean; ``kind``: in a word, for the report."""

    quality: float
    kind: str

    def cut(self, picture: Picture, points: Floats) -> Picture:
        """``picture`` (BGR) with the face at ``points`` (478, 3) as BGRA, straight alpha, the background's colour taken out."""
        ...


def _lab(picture: Picture) -> Floats:
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)


def _terms(width: int, height: int) -> Floats:
    """Polynomials of the place, degree 4 in x and y: (height, width, 15)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / max(width - 1, 1) * 2 - 1, y / max(height - 1, 1) * 2 - 1
    return np.stack([x**i * y**j for i in range(5) for j in range(5 - i)], axis=-1).astype(np.float32)


def _around(points: Floats, width: int, height: int, scale: float) -> Picture:
    """1 where a person with this face may be, generously, 0 where nobody can: beside and above the head."""
    at = points[:, :2] * scale
    eyes = (at[33] + at[263]) / 2
    chin = at[152]
    head = float(np.linalg.norm(chin - eyes)) * 2
    mask = np.zeros((height, width), np.uint8)
    top = eyes - (chin - eyes) * 0.55
    cv2.ellipse(mask, [round(float(v)) for v in top], (round(head * 0.56), round(head * 0.72)), 0, 0, 360, 1, -1)
    neck = chin[1] + 0.05 * head
    wide = 1.75 * head
    body = np.array(
        [
            [chin[0] - 0.52 * head, eyes[1]], [chin[0] + 0.52 * head, eyes[1]], [chin[0] + wide * 0.4, neck],
            [chin[0] + wide, neck + 0.9 * head], [chin[0] + wide, height + head], [chin[0] - wide, height + head],
            [chin[0] - wide, neck + 0.9 * head], [chin[0] - wide * 0.4, neck],
        ]
    )  # fmt: skip
    cv2.fillPoly(mask, [np.round(body).astype(np.int32)], 1)
    return np.asarray(mask, np.uint8)


def _smoothstep(values: Floats, low: float | Floats, high: float | Floats) -> Floats:
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


class PlainMatte:
    """A background of a slowly changing colour."""

    kind = "plain background"

    def __init__(self, samples: Sequence[Picture], points: Sequence[Floats]) -> None:
        """Learn the background from a few pictures (BGR) spread over the film, with the faces' landmarks."""
        height, width = samples[0].shape[:2]
        scale = min(1.0, 240 / max(width, height))
        size = max(2, round(width * scale)), max(2, round(height * scale))
        small = [_lab(np.asarray(cv2.resize(s, size, interpolation=cv2.INTER_AREA), np.uint8)) for s in samples]
        person = np.max([_around(p, size[0], size[1], scale) for p in points], axis=0) > 0
        median = np.median(np.stack(small), axis=0).astype(np.float32)
        terms = _terms(*size)
        free = ~person
        self.quality = 0.0
        self._noise = 1.0
        self._half_size = width // 2, height // 2
        if free.mean() < 0.06:
            return
        use = free.copy()
        for _ in range(5):
            # Few pixels must not bend a surface of the fourth degree: the higher terms cost something.
            design, target = terms[use], median[use]
            ridge = np.diag(np.array([1e-4 + 0.002 * (i + j) ** 2 for i in range(5) for j in range(5 - i)])) * len(
                target
            )
            factors = np.linalg.solve(design.T @ design + ridge, design.T @ target)
            error = np.linalg.norm(terms @ factors - median, axis=2)
            spread = float(np.median(error[free])) * 1.5 + 0.5
            use = free & (error < 2.5 * spread)
        covered = float((error[free] < 3 * _PLAIN).mean())
        deviation = float(np.sqrt((error[use] ** 2).mean()))
        self._noise = deviation
        # The larger the part of the surroundings that the surface explains, and the closer, the better.
        self.quality = float(np.clip((covered - 0.75) / 0.2, 0, 1) * np.clip((2 * _PLAIN - deviation) / _PLAIN, 0, 1))
        surface = (_terms(width, height) @ factors).astype(np.float32)
        self._background = np.asarray(np.clip(cv2.cvtColor(surface, cv2.COLOR_LAB2BGR) * 255, 0, 255), np.float32)
        self._half_surface = (_terms(*self._half_size) @ factors).astype(np.float32)
        # People wear grey and white, but little of a screen's green or blue: there, holes are holes.
        self._coloured = float(np.linalg.norm(np.median(median[use], axis=0)[1:])) > _COLOURED
        if self.quality:
            self.quality *= self._trial(samples[0], points[0])

    def _trial(self, picture: Picture, points: Floats) -> float:
        """How well the matte of one picture keeps the face and drops the rest: 1, or less where it does not."""
        alpha = self.cut(picture, points)[..., 3]
        inside = np.zeros(alpha.shape, np.uint8)
        cv2.fillConvexPoly(inside, cv2.convexHull(np.round(points[:, :2]).astype(np.int32)), 1)
        face = float((alpha[inside > 0] > 250).mean())
        outside = _around(points, alpha.shape[1], alpha.shape[0], 1.0) == 0
        empty = float((alpha[outside] < 5).mean()) if outside.any() else 1.0
        part = float((alpha > 127).mean())
        return (
            float(np.clip((face - 0.9) / 0.09, 0, 1))
            * float(np.clip((empty - 0.8) / 0.15, 0, 1))
            * (0.05 < part < 0.98)
        )

    def cut(self, picture: Picture, points: Floats) -> Picture:
        small = np.asarray(cv2.resize(picture, self._half_size, interpolation=cv2.INTER_AREA), np.uint8)
        error = np.linalg.norm((_lab(small) - self._half_surface) * np.array([0.8, 1.2, 1.2], np.float32), axis=2)
        hard = (error > 1.6 * (2.0 + 2.0 * self._noise)).astype(np.uint8)
        person = _connected(hard, np.asarray(points / 2, np.float32), holes=self._coloured)
        whole = cv2.resize(person * 255, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR) > 127
        out = _edged(picture, self._background, whole.astype(np.uint8))
        return _unspilt(out, self._background) if self._coloured else out


def _connected(hard: Picture, points: Floats, holes: bool = False) -> Picture:
    """The person in ``hard`` (1: unlike the background): what hangs together with the face; without ``holes`` filled."""
    size = max(3, round(float(np.linalg.norm(points[33, :2] - points[263, :2])) * 0.03) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    hard = np.asarray(cv2.morphologyEx(hard, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    closed = np.asarray(cv2.morphologyEx(hard, cv2.MORPH_CLOSE, kernel), np.uint8)
    cv2.fillConvexPoly(closed, cv2.convexHull(np.round(points[:, :2]).astype(np.int32)), 1)
    _, labels = cv2.connectedComponents(closed)
    height, width = closed.shape
    nose = points[1, :2]
    x, y = int(np.clip(nose[0], 0, width - 1)), int(np.clip(nose[1], 0, height - 1))
    person: Picture = (labels == labels[y, x]).astype(np.uint8)
    if holes:
        return person
    # Clothes of the background's colour: only what is reached from the sides or the top is background.
    framed = np.pad(person, ((1, 0), (1, 1)))
    framed = np.pad(framed, ((0, 1), (0, 0)), constant_values=1)
    _, labels = cv2.connectedComponents(1 - framed, connectivity=4)
    return np.asarray((labels != labels[0, 0])[1:-1, 1:-1], np.uint8)


def _edged(picture: Picture, background: Floats, person: Picture) -> Picture:
    """BGRA: soft alpha in a band around the outline of ``person`` from the colours on both sides, background taken out."""
    height, width = person.shape
    reach = max(3, round(max(height, width) / 260))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    sure = np.asarray(cv2.erode(person, kernel), np.uint8)
    may = cv2.dilate(person, kernel)
    inner = _carried(picture, sure, reach * 1.2)
    out = np.dstack([picture, sure * 255])
    out[may == 0, :3] = inner[may == 0]
    rows, columns = np.nonzero((may > 0) & (sure == 0))
    here = picture[rows, columns].astype(np.float32)
    own, behind = inner[rows, columns].astype(np.float32), background[rows, columns]
    across = own - behind
    share = ((here - behind) * across).sum(axis=1) / np.maximum((across * across).sum(axis=1), 60.0)
    alpha = np.clip((share - 0.06) / 0.86, 0, 1)
    pure = (here - (1 - alpha[:, None]) * behind) / np.maximum(alpha, 0.1)[:, None]
    # Where alpha is small the colour is a guess: the person's own, nearby, is a better one.
    trust = _smoothstep(np.asarray(alpha, np.float32), 0.15, 0.7)[:, None]
    mixed = np.column_stack([pure * trust + own * (1 - trust), alpha * 255])
    out[rows, columns] = np.clip(np.round(mixed), 0, 255)
    out[:, [0, -1], 3] = out[:, [1, -2], 3]
    out[-1, :, 3] = out[-2, :, 3]
    return np.asarray(out, np.uint8)


def _unspilt(cut: Picture, background: Floats) -> Picture:
    """``cut`` (BGRA) without the screen's light near the outline: its main colour is no stronger than the next one."""
    main = int(np.median(background[:: max(1, len(background) // 50)], axis=(0, 1)).argmax())
    reach = max(3, round(max(cut.shape[:2]) / 130))
    inside = (cut[..., 3] > 250).astype(np.uint8)
    near = (cv2.erode(inside, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) == 0) & (cut[..., 3] > 0)
    others = [channel for channel in range(3) if channel != main]
    limit = np.maximum(cut[..., others[0]], cut[..., others[1]])
    cut[..., main] = np.where(near, np.minimum(cut[..., main], limit), cut[..., main])
    return cut


def _carried(picture: Picture, mask: Picture, sigma: float) -> Picture:
    """The colours of ``picture`` where ``mask`` is 1, carried a little outwards; black far away."""
    height, width = mask.shape
    size = max(1, width // 2), max(1, height // 2)
    weight = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    colours = cv2.resize(picture * mask[..., None], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    out = np.zeros_like(colours)
    left = np.ones_like(weight)
    for wider in (0.5, 2.0):
        total = cv2.GaussianBlur(weight, (0, 0), sigma * wider)
        mean = cv2.GaussianBlur(colours, (0, 0), sigma * wider) / np.maximum(total, 1e-4)[..., None]
        trust = np.clip(total / 0.02, 0, 1) * left
        out += mean * trust[..., None]
        left = left - trust
    whole = cv2.resize(np.clip(out, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole, np.uint8)


def guided(guide: Floats, values: Floats, radius: int, epsilon: float) -> Floats:
    """The guided filter with a grey guide (0..1): ``values`` follow the guide's edges."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(of: npt.NDArray[np.floating]) -> Floats:
        return np.asarray(cv2.boxFilter(np.asarray(of, np.float32), -1, size), np.float32)

    middle, level = mean(guide), mean(values)
    slope = np.asarray(
        (mean(guide * values) - middle * level) / (mean(guide * guide) - middle * middle + epsilon), np.float32
    )
    return np.asarray(mean(slope) * guide + mean(level - slope * middle), np.float32)


class CutMatte:
    """Any background: GrabCut from the face on, one picture after the other."""

    kind = "colour statistics"

    def __init__(self, samples: Sequence[Picture], points: Sequence[Floats]) -> None:
        """Try it on a few pictures of the film: ``quality`` says how well they agree."""
        self._before: Picture | None = None
        masks = [self._mask(sample, at) for sample, at in zip(samples, points, strict=True)]
        self._before = None
        self.quality = float(np.mean([self._good(*each) for each in zip(samples, points, masks, strict=True)]))
        if len(masks) > 1:
            parts = np.array([mask.mean() for mask in masks])
            self.quality *= float(np.clip(1 - 4 * (parts.std() / max(parts.mean(), 1e-3) - 0.05), 0, 1))

    def _good(self, picture: Picture, points: Floats, mask: Picture) -> float:
        """The part of the outline that lies on an edge of the picture."""
        small = cv2.resize(picture, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_AREA)
        grey = cv2.GaussianBlur(_lab(np.asarray(small, np.uint8)), (0, 0), 1.0)
        slope = np.maximum.reduce(
            [
                np.hypot(cv2.Sobel(grey[..., k], cv2.CV_32F, 1, 0), cv2.Sobel(grey[..., k], cv2.CV_32F, 0, 1))
                for k in range(3)
            ]
        )
        outline = (cv2.dilate(mask, np.ones((3, 3), np.uint8)) - mask)[2:-2, 2:-2] > 0
        if not outline.any():
            return 0.0
        strongest = cv2.dilate(slope, np.ones((3, 3), np.uint8))[2:-2, 2:-2]
        return float((strongest[outline] > 14).mean()) * (0.08 < float(mask.mean()) < 0.85)

    def _mask(self, picture: Picture, points: Floats) -> Picture:
        scale = min(1.0, _CUT_SIDE / max(picture.shape[:2]))
        size = max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        around = _around(points, size[0], size[1], scale)
        face = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillConvexPoly(face, cv2.convexHull(np.round(points[:, :2] * scale).astype(np.int32)), 1)
        head = float(np.ptp(points[:, 1])) * scale
        below = points[152, :2] * scale
        cv2.fillConvexPoly(
            face,
            np.round([
                (below[0] - 0.28 * head, below[1] - 0.2 * head), (below[0] + 0.28 * head, below[1] - 0.2 * head),
                (below[0] + 0.75 * head, size[1] + head), (below[0] - 0.75 * head, size[1] + head),
            ]).astype(np.int32),
            1,
        )  # fmt: skip
        labels = np.where(around > 0, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
        likely = cv2.erode(around, np.ones((round(head * 0.3) | 1,) * 2, np.uint8))
        labels[likely > 0] = cv2.GC_PR_FGD
        if self._before is not None:
            near = max(3, round(head * 0.08)) | 1
            kernel = np.ones((near, near), np.uint8)
            labels[:] = cv2.GC_BGD
            labels[cv2.dilate(self._before, kernel) > 0] = cv2.GC_PR_BGD
            labels[self._before > 0] = cv2.GC_PR_FGD
            labels[cv2.erode(self._before, kernel) > 0] = cv2.GC_FGD
        labels[face > 0] = cv2.GC_FGD
        cv2.setRNGSeed(1)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, labels, (0, 0, 1, 1), *models, 2 if self._before is not None else 5, cv2.GC_INIT_WITH_MASK)
        person = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
        self._before = _connected(person, points * scale)
        return self._before

    def cut(self, picture: Picture, points: Floats) -> Picture:
        height, width = picture.shape[:2]
        mask = self._mask(picture, points).astype(np.float32)
        soft = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255
        alpha = guided(np.asarray(grey, np.float32), soft, max(2, round(max(width, height) / 200)), 1e-4)
        alpha = _smoothstep(alpha, 0.12, 0.88)
        # The colour of what is behind shows in soft edges: the person's own is carried outwards.
        inner = _carried(picture, (alpha > 0.95).astype(np.uint8), max(2.0, max(width, height) / 250))
        keep = _smoothstep(alpha, 0.5, 0.98)[..., None]
        colours = picture * keep + inner * (1 - keep)
        return np.clip(np.round(np.dstack([colours, alpha * 255])), 0, 255).astype(np.uint8)


class Opaque:
    """No matte: the film as it is."""

    kind = "none: the film stays opaque"

    def __init__(self, quality: float = 0.0) -> None:
        """``quality``: of the best matte that was tried."""
        self.quality = quality

    def cut(self, picture: Picture, points: Floats) -> Picture:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), np.uint8)


def choose_matte(samples: Sequence[Picture], points: Sequence[Floats]) -> Matte:
    """The matte that suits the film, tried on a few of its pictures: plain, else cut, else none."""
    plain = PlainMatte(samples, points)
    if plain.quality >= GOOD:
        return plain
    cut = CutMatte(samples, points)
    return cut if cut.quality >= GOOD else Opaque(max(plain.quality, cut.quality))
