"""The idle loop: its pictures with the seam bent shut and the mouth at rest, where the head is in each, as videos."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.importing.align import Aligner, Matrix, from_landmarks, inverse, moved, product
from visavis.avatar.importing.landmarks import Floats, Picture
from visavis.avatar.importing.matte import Matte, Opaque
from visavis.avatar.importing.measure import smooth
from visavis.avatar.importing.patches import Region, blended, brought, matched
from visavis.avatar.importing.seam import BRIDGE, Stretch, bridge
from visavis.avatar.importing.survey import Survey

RATE: Final = 25
_CRF: Final = 15
_ALPHA_CRF: Final = 16
_JITTER: Final = 0.8
"""Pictures over which the measured movement of the head is smoothed."""


@dataclass(frozen=True, slots=True)
class Idle:
    """The loop: videos (mp4), and for each picture the base's head in it. ``seam``: mean difference of the small
    pictures across the seam against the usual one between neighbours (1: not to be told from any other moment)."""

    video: bytes
    alpha: bytes | None
    matrices: tuple[Matrix, ...]
    seam: float


class Encoder:
    """H.264 in memory. Planes are BT.601, limited range, like all pictures of visavis."""

    def __init__(self, width: int, height: int, crf: int) -> None:
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="mp4")
        # Seeking is not needed, but going round is: the first picture is the only one that must stand alone.
        options = {"crf": str(crf), "preset": "medium", "movflags": "faststart"}
        self._stream = self._container.add_stream("libx264", RATE, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.time_base = Fraction(1, RATE)
        self._count = 0

    def add(self, planes: Picture) -> None:
        """Append an I420 picture."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p")
        frame.pts, frame.time_base = self._count, Fraction(1, RATE)
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def bytes(self) -> bytes:
        """End the video; its file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()


def _alpha_planes(alpha: Picture) -> Picture:
    """Alpha as luma (limited range) and no colour."""
    height, width = alpha.shape
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = np.round(16 + alpha.astype(np.float32) * (219 / 255)).astype(np.uint8)
    return planes


def _bridged(
    pictures: Iterator[tuple[int, Picture]], stretch: Stretch
) -> Iterator[tuple[int, Picture, Picture | None]]:
    """The stretch's pictures in order, the last ones bent: (number, picture, the film's own if it was bent)."""
    count = min(BRIDGE, len(stretch) // 2)
    first: Picture | None = None
    last: list[tuple[int, Picture]] = []
    for number, picture in pictures:
        if number < stretch.first:
            continue
        first = picture if first is None else first
        if number < stretch.end - count:
            yield number, picture, None
        elif number < stretch.end:
            last.append((number, picture))
        elif number == stretch.end:
            shut = bridge([each for _, each in last], picture, first)
            for (at, own), bent in zip(last, shut, strict=True):
                yield at, bent, own


def _smoothed(matrices: list[Matrix], base: Floats) -> tuple[Matrix, ...]:
    """``matrices`` without the aligner's jitter, smoothed around the loop: as movements of three points of the face."""
    corners = base[[33, 263, 152], :2].astype(np.float64)
    places = np.array([moved(matrix, corners) for matrix in matrices], np.float32)
    room = min(8, len(places))
    ring = np.concatenate([places[-room:], places, places[:room]])
    calm = smooth(ring, _JITTER)[room : room + len(places)]
    source = corners.astype(np.float32)
    return tuple(np.asarray(cv2.getAffineTransform(source, target.astype(np.float32)), np.float64) for target in calm)


def make_idle(
    survey: Survey,
    stretch: Stretch,
    base: Picture,
    base_points: Floats,
    mouth: Region,
    matte: Matte,
    step: Callable[[int, int], None],
) -> Idle:
    """Make the loop of ``stretch``. ``base``: the base picture (BGR) with the mouth at rest; ``mouth``: its region.

    ``step`` is called with (pictures done, pictures in all).
    """
    film = survey.film
    aligner = Aligner(base, base_points)
    kept: list[Picture] = []
    rough: list[Matrix] = []
    points: list[Floats] = []
    # Two passes: the mouth is painted where the head is, which is known well only once the movement is smoothed.
    pictures = film.chosen(range(stretch.first, stretch.end + 1))
    for number, picture, own in _bridged(pictures, stretch):
        at = survey.points[number]
        if own is None:
            matrix = aligner.align(picture, at)
        else:
            # A bent picture has no landmarks: those of the film's own picture, bent towards the first one's.
            part = (number - stretch.end + min(BRIDGE, len(stretch) // 2) + 1) / (min(BRIDGE, len(stretch) // 2) + 1)
            part = part * part * (3 - 2 * part)
            at = at + part * (survey.points[stretch.first] - survey.points[stretch.end])
            matrix = aligner.refine(picture, from_landmarks(base_points, at))
        rough.append(matrix)
        points.append(at)
        done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        assert done
        kept.append(np.asarray(data, np.uint8))
        step(len(kept), 2 * len(stretch))
    matrices = _smoothed(rough, base_points)
    colours = Encoder(film.width, film.height, _CRF)
    alpha = None if isinstance(matte, Opaque) else Encoder(film.width, film.height, _ALPHA_CRF)
    rest = mouth.of(base)
    before: npt.NDArray[np.int16] | None = None
    first: npt.NDArray[np.int16] | None = None
    changes: list[float] = []
    for number, (data, matrix, at) in enumerate(zip(kept, matrices, points, strict=True)):
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        picture = _resting(picture, matrix, rest, mouth)
        cut = matte.cut(picture, at)
        planes = np.asarray(cv2.cvtColor(np.ascontiguousarray(cut[..., :3]), cv2.COLOR_BGR2YUV_I420), np.uint8)
        colours.add(planes)
        if alpha is not None:
            alpha.add(_alpha_planes(cut[..., 3]))
        small = np.asarray(cv2.resize(cut[..., :3], (160, 160), interpolation=cv2.INTER_AREA), np.int16)
        if before is not None:
            changes.append(float(np.abs(small - before).mean()))
        before = small
        first = small if first is None else first
        step(len(kept) + number + 1, 2 * len(stretch))
    assert first is not None
    assert before is not None
    across = float(np.abs(first - before).mean())
    seam = across / max(float(np.percentile(changes, 75)), 0.05)
    return Idle(colours.bytes(), alpha.bytes() if alpha else None, matrices, seam)


def _resting(picture: Picture, matrix: Matrix, rest: Picture, mouth: Region) -> Picture:
    """``picture`` with the base's resting mouth where ``matrix`` says the mouth is."""
    x, y, width, height = mouth.box
    corners = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]], np.float32)
    placed = moved(matrix, corners)
    low = np.maximum(np.floor(placed.min(axis=0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(placed.max(axis=0)).astype(int) + 2, (picture.shape[1], picture.shape[0]))
    if (high <= low).any():
        return picture
    size = int(high[0] - low[0]), int(high[1] - low[1])
    # Picture -> base -> the patch.
    back = product(np.array([[1.0, 0, -x], [0, 1.0, -y]]), inverse(matrix))
    box = int(low[0]), int(low[1]), *size
    shifted = back.copy()
    shifted[:, 2] = back[:, :2] @ low + back[:, 2]
    patch = brought(rest, back, box)
    mask = cv2.warpAffine(mouth.mask, shifted, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    here = picture[low[1] : high[1], low[0] : high[0]]
    out = picture.copy()
    weights = np.asarray(mask, np.uint8)
    out[low[1] : high[1], low[0] : high[0]] = blended(matched(patch, here, weights), here, weights)
    return out
