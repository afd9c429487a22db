"""Mouths and lids that a photo does not show: the photo's own bent by its landmarks, with a mouth's inside drawn in.

All movements are in units of the distance of the eyes' outer corners, as measured on the shipped character's bank (see
:mod:`visavis.avatar.importing.measure`); a thin-plate spline (Bookstein 1989) carries them from the landmarks to the skin between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.choose import CLOSED, opening, weights
from visavis.avatar.importing.landmarks import Floats, Picture
from visavis.avatar.importing.measure import GAP_PER_APERTURE

Doubles = npt.NDArray[np.float64]

UPPER_INNER: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_OUTER: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
CHIN: Final = (172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397)
_UNDER: Final = (194, 201, 200, 421, 418, 204, 424)
"""Between the lower lip and the chin."""
STILL: Final = (
    2, 98, 327, 48, 278, 64, 294, 205, 425, 50, 280, 123, 352, 132, 361, 58, 288, 93, 323, 177, 401, 147, 376, 206, 426,
)  # fmt: skip
_UPPER_LID: Final = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
_LOWER_LID: Final = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
_CREASE: Final = ((247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414))
"""The fold above each upper lid's edge; corners excluded."""
_AROUND_EYE: Final = (
    (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 226, 130, 243, 244, 31, 228, 229, 230, 231, 232),
    (300, 293, 334, 296, 336, 276, 283, 282, 295, 285, 446, 359, 463, 464, 261, 448, 449, 450, 451, 452),
)
_GRID: Final = 5
"""Pixels between the places where a spline is worked out."""


@dataclass(frozen=True, slots=True)
class _Axes:
    """The face's own directions (unit vectors) and its unit, pixels."""

    across: Doubles
    down: Doubles
    unit: float

    @classmethod
    def of(cls, points: Floats) -> _Axes:
        at = points[:, :2].astype(np.float64)
        across = at[263] - at[33]
        unit = float(np.linalg.norm(across))
        across = across / unit
        return cls(across, np.array([-across[1], across[0]]), unit)


def _spline(source: Doubles, shift: Doubles, width: int, height: int) -> Floats:
    """A thin-plate spline with values ``shift`` (n, 2) at ``source`` (n, 2): (height, width, 2)."""

    def kernel(squares: Doubles) -> Doubles:
        return np.asarray(squares * np.log(np.maximum(squares, 1e-9)), np.float64)

    scale = float(max(width, height))
    at = source / scale
    count = len(at)
    squares = ((at[:, None] - at[None]) ** 2).sum(axis=2)
    line = np.column_stack([np.ones(count), at])
    system = np.block([[kernel(squares) + 1e-6 * np.eye(count), line], [line.T, np.zeros((3, 3))]])
    # OpenCV's solver has no threads of its own that would wait for each other on busy cores.
    _, solved = cv2.solve(system, np.vstack([shift, np.zeros((3, 2))]), flags=cv2.DECOMP_LU)
    factors = np.asarray(solved, np.float64)
    columns, rows = -(-width // _GRID) + 2, -(-height // _GRID) + 2
    x, y = np.meshgrid((np.arange(columns) - 0.5) * _GRID - 0.5, (np.arange(rows) - 0.5) * _GRID - 0.5)
    places = np.column_stack([x.ravel(), y.ravel()]) / scale
    away = ((places[:, None] - at[None]) ** 2).sum(axis=2)
    values = kernel(away) @ factors[:count] + np.column_stack([np.ones(len(places)), places]) @ factors[count:]
    coarse = values.reshape(rows, columns, 2).astype(np.float32)
    fine = cv2.resize(coarse, (columns * _GRID, rows * _GRID), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine[_GRID : _GRID + height, _GRID : _GRID + width], np.float32)


def _moved(points: Floats, shapes: dict[str, float]) -> dict[int, Doubles]:
    """Where the landmarks of mouth and chin go: number -> movement, pixels."""
    axes = _Axes.of(points)
    at = points[:, :2].astype(np.float64)
    middle = (at[61] + at[291]) / 2
    half = max(1e-3, float(np.linalg.norm(at[291] - at[61])) / 2)

    def weight(name: str) -> float:
        return shapes.get(name, shapes.get(f"{name}Left", 0.0))

    jaw = weight("jawOpen")
    rounding = weight("mouthFunnel") + weight("mouthPucker")
    wide = 0.133 * weight("mouthStretch") + 0.166 * weight("mouthSmile") - 0.215 * rounding
    # Lips are apart as far as the chooser of mouths takes them to be: closed is closed.
    apart = opening(weights(shapes))
    gap = GAP_PER_APERTURE * apart if apart >= CLOSED else 0.0
    lifts = weight("mouthUpperUp") / (weight("mouthUpperUp") + weight("mouthLowerDown") + jaw + 0.02)
    raised = gap * (0.10 + 0.45 * lifts)
    lowered = gap - raised + 0.012 * rounding
    press = 0.075 * weight("mouthPress") + 0.06 * weight("mouthRollUpper")
    roll = 0.075 * weight("mouthPress") + 0.10 * weight("mouthRollLower")
    corner = 0.11 * jaw + 0.05 * rounding - 0.162 * weight("mouthSmile")
    out: dict[int, Doubles] = {}

    def move(number: int, down: float, out_by: float) -> None:
        side = float((at[number] - middle) @ axes.across) / half
        out[number] = axes.unit * (axes.down * down + axes.across * out_by * np.clip(side, -1.3, 1.3))

    def arch(number: int) -> float:
        """1 in the middle of the mouth, 0 at the corners."""
        side = float((at[number] - middle) @ axes.across) / half
        return float(np.clip(1 - side * side, 0, 1) ** 0.75)

    for number in (*UPPER_INNER, *UPPER_OUTER):
        share = arch(number)
        thick = press if number in UPPER_OUTER else 0.0
        puff = -0.035 * weight("mouthPucker") if number in UPPER_OUTER else 0.0
        move(number, corner * (1 - share) + share * (thick + puff - raised), wide / 2)
    for number in (*LOWER_INNER[1:-1], *LOWER_OUTER[1:-1]):
        share = arch(number)
        outer = number in LOWER_OUTER
        puff = 0.03 * weight("mouthPucker") if outer else 0.0
        move(number, corner * (1 - share) + share * (lowered + puff - (roll if outer else 0.0)), wide / 2)
    for number in _UNDER:
        move(number, 0.27 * jaw + 0.02 * weight("mouthLowerDown"), wide * 0.15)
    for number in CHIN:
        move(number, 0.21 * jaw * (0.35 + 0.65 * arch(number)), 0.0)
    return out


def _sampled(picture: Picture, source: Doubles, shift: Doubles) -> Picture:
    """``picture`` with its points ``source`` moved by ``shift``."""
    height, width = picture.shape[:2]
    back = _spline(source + shift, -shift, width, height)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    maps = columns + back[..., 0], rows + back[..., 1]
    return np.asarray(cv2.remap(picture, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _soft_polygon(shape: tuple[int, int], corners: Doubles, sigma: float) -> Floats:
    """The polygon's cover, 0..1, with soft edges."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma) / np.float32(255), np.float32)


def mouth(picture: Picture, points: Floats, shapes: dict[str, float]) -> Picture:
    """``picture`` (BGR, any part of a photo of a closed mouth) with the mouth of ``shapes``; ``points``: (478, 3) in its pixels."""
    at = points[:, :2].astype(np.float64)
    axes = _Axes.of(points)
    moves = _moved(points, shapes)
    height, width = picture.shape[:2]
    rim = np.array([(x, y) for x in np.linspace(0, width - 1, 7) for y in (0, height - 1)]
                   + [(x, y) for y in np.linspace(0, height - 1, 6)[1:-1] for x in (0, width - 1)])  # fmt: skip
    fixed = np.vstack([at[list(STILL)], rim])

    def bent(inner: Sequence[int]) -> Picture:
        numbers = [n for n in moves if n in inner or (n not in UPPER_INNER[1:-1] and n not in LOWER_INNER[1:-1])]
        source = np.vstack([at[numbers], fixed])
        shift = np.vstack([np.array([moves[n] for n in numbers]), np.zeros((len(fixed), 2))])
        return _sampled(picture, source, shift)

    upper, lower = bent(UPPER_INNER), bent(LOWER_INNER)
    upper_edge = np.array([at[n] + moves[n] for n in UPPER_INNER])
    lower_edge = np.array([at[n] + moves[n if n in moves else UPPER_INNER[0]] for n in LOWER_INNER])
    lower_edge[0], lower_edge[-1] = upper_edge[0], upper_edge[-1]
    # Lips that touch must not cross: the lower edge is never above the upper one.
    depth = ((lower_edge - upper_edge) @ axes.down).clip(min=0)
    lower_edge = (
        upper_edge + (lower_edge - upper_edge) - np.outer((lower_edge - upper_edge) @ axes.down - depth, axes.down)
    )
    middle = (upper_edge + lower_edge) / 2
    reach = 2.0 * max(width, height)
    below = np.vstack([
        middle[0] - axes.across * reach, middle, middle[-1] + axes.across * reach,
        middle[-1] + axes.across * reach + axes.down * reach, middle[0] - axes.across * reach + axes.down * reach,
    ])  # fmt: skip
    share = _soft_polygon((height, width), below, 0.012 * axes.unit + 0.5)[..., None]
    face = upper * (1 - share) + lower * share
    if float(depth.max()) < 0.012 * axes.unit:
        return np.clip(np.round(face), 0, 255).astype(np.uint8)
    hole = _soft_polygon((height, width), np.vstack([upper_edge, lower_edge[::-1]]), 0.008 * axes.unit + 0.4)[..., None]
    inside = _inside(picture, points, upper_edge, lower_edge, axes, shapes)
    return np.clip(np.round(face * (1 - hole) + inside * hole), 0, 255).astype(np.uint8)


def _inside(
    picture: Picture, points: Floats, upper: Doubles, lower: Doubles, axes: _Axes, shapes: dict[str, float]
) -> Floats:
    """The inside of a mouth: dark, upper teeth in the upper lip's shadow, a hint of the tongue."""
    height, width = picture.shape[:2]
    cheeks = points[[50, 280, 205, 425], :2]
    inside = [
        picture[int(np.clip(y, 0, height - 1)), int(np.clip(x, 0, width - 1))].astype(np.float32) for x, y in cheeks
    ]
    light = float(np.clip(np.mean(inside) / 150, 0.35, 1.3))
    out = np.empty((height, width, 3), np.float32)
    out[:] = np.array([24, 20, 46], np.float32) * light
    gap = float(((lower - upper) @ axes.down).max())
    half = float(np.linalg.norm(upper[-1] - upper[0])) / 2
    middle = (upper[0] + upper[-1]) / 2
    side = ((upper - middle) @ axes.across) / half
    arch = np.clip(1 - (side / 0.92) ** 2, 0, 1) ** 0.5
    rounding = shapes.get("mouthFunnel", 0.0) + shapes.get("mouthPucker", 0.0)
    tall = min(0.075 * axes.unit, 0.62 * gap) * float(np.clip(1.15 - 0.9 * rounding, 0.3, 1))
    teeth = np.vstack([upper - axes.down * 0.02 * axes.unit, (upper + np.outer(tall * arch, axes.down))[::-1]])
    cover = _soft_polygon((height, width), teeth, 0.006 * axes.unit + 0.4)[..., None]
    # Darker towards the corners, and just beneath the lip.
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    away = np.abs((columns - middle[0]) * axes.across[0] + (rows - middle[1]) * axes.across[1]) / half
    shade = np.clip(1.02 - 0.75 * away**2, 0.15, 1)[..., None]
    out = out * (1 - cover) + cover * np.array([158, 172, 184], np.float32) * min(light, 1.15) * shade
    if gap > 0.05 * axes.unit:
        tongue = middle + axes.down * (gap * 0.98)
        size = round(half * 0.5), max(1, round(gap * 0.2))
        spot = np.zeros((height, width), np.uint8)
        cv2.ellipse(spot, [round(float(v)) for v in tongue], size, 0, 0, 360, 255, -1, cv2.LINE_AA)
        soft = np.asarray(cv2.GaussianBlur(spot, (0, 0), 0.02 * axes.unit), np.float32)[..., None] / 255 * 0.7
        out = out * (1 - soft) + soft * np.array([70, 62, 120], np.float32) * light
    return np.asarray(out, np.float32)


def lids(picture: Picture, points: Floats, shut: float) -> Picture:
    """``picture`` (BGR) with both upper lids let down by ``shut`` (0..1) over the eyes, which stay as they are beneath."""
    at = points[:, :2].astype(np.float64)
    axes = _Axes.of(points)
    height, width = picture.shape[:2]
    out = picture.astype(np.float32)
    for upper, lower, crease, around in zip(_UPPER_LID, _LOWER_LID, _CREASE, _AROUND_EYE, strict=True):
        edge = at[list(upper)]
        # The closed line lies a little above the lower lid's.
        target = at[list(lower)] - np.outer(((at[list(lower)] - edge) @ axes.down) * 0.10, axes.down)
        shift = (target - edge) * shut
        fixed = np.vstack([at[list(around)], at[list(lower)][1:-1] + axes.down * 0.03 * axes.unit])
        rim = np.array([(x, y) for x in (0, width - 1) for y in (0, height - 1)], np.float64)
        fold = at[list(crease)]
        # The fold goes along by less than half; the skin between it and the brow stretches.
        source = np.vstack([edge, fold, fixed, rim])
        shifts = np.vstack([shift, 0.4 * shift[1:-1], np.zeros((len(fixed) + 4, 2))])
        moved = _sampled(picture, source, shifts).astype(np.float32)
        now = edge + shift
        # Above the lid's edge, lashes and all, the skin that was let down; below it the eye as it was.
        brow = at[list(around[5:10])].mean(axis=0)
        rise = np.minimum((edge - brow) @ axes.down, 0.30 * axes.unit).clip(min=0.04 * axes.unit)
        top = edge - np.outer(0.85 * rise, axes.down)
        lashes = now + axes.down * (0.010 * axes.unit)
        skin = _soft_polygon((height, width), np.vstack([top, lashes[::-1]]), 0.008 * axes.unit + 0.4)
        skin = np.maximum(skin, _soft_polygon((height, width), _crease(edge, now, axes), 1.0))[..., None]
        out = out * (1 - skin) + moved * skin
        cover = _soft_polygon((height, width), _line(now, axes, 0.007), 0.005 * axes.unit + 0.4)[..., None] * (
            0.6 * shut
        )
        out = out * (1 - cover) + cover * np.array([28, 30, 38], np.float32)
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def _crease(edge: Doubles, now: Doubles, axes: _Axes) -> Doubles:
    """All that the lid's edge passed over."""
    return np.vstack([edge - axes.down * 0.05 * axes.unit, now[::-1]])


def _line(edge: Doubles, axes: _Axes, thick: float) -> Doubles:
    half = axes.down * (thick * axes.unit)
    return np.vstack([edge - half, (edge + half)[::-1]])
