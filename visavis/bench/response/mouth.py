"""When the mouth is closed, read from decoded pictures: pixels about the lips against those of a mouth at rest.

A head is never quite still: the lips of pictures at rest are looked for all over a larger part of each picture, by correlation,
and what is nowhere like them is an open mouth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from visavis.avatar.pack import Pack

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
COLUMNS, ROWS = 72, 54
MARGIN: Final = (12, 12)
"""Columns and rows on each side by which a head may move: about 18 pixels of 720."""
REST_LEAST: Final = 15
"""Pictures at rest that are needed to judge others by."""
CLOSED_MS: Final = 450.0
"""A mouth that is closed for so long is closed: in speech lips touch for 60 to 120 ms, and rest for 200 to 300 between sentences."""
ALIKE: Final = 0.96
"""Correlation with a mouth at rest from which a mouth is closed: at rest it is 0.99, half open 0.94, open 0.6 to 0.9."""


@dataclass(frozen=True)
class Eye:
    """Looks at the lips of one avatar. ``box``: left, top, width, height as parts of the picture, then columns, rows."""

    left: float
    top: float
    width: float
    height: float
    columns: int = COLUMNS
    rows: int = ROWS

    @property
    def box(self) -> tuple[float, ...]:
        return self.left, self.top, self.width, self.height, self.columns, self.rows

    @classmethod
    def of(cls, pack: Pack) -> Eye:
        """For a portrait picture of ``pack``."""
        view, lips, chin = pack.manifest.views.portrait, pack.manifest.anchors.mouth, pack.manifest.anchors.chin
        reach = 0.45 * (chin.y - lips.y)
        wide, high = 3.0 * reach, 2.25 * reach
        left, top = (lips.x - wide / 2 - view.x) / view.width, (lips.y - 0.47 * high - view.y) / view.height
        return cls(left, top, wide / view.width, high / view.height)

    def closed(self, times: Floats, mouths: Pixels, since: float, rest: int) -> float | None:
        """When, from ``since`` on, a mouth began to be closed; None: it did not, or there was nothing to compare with.

        Args:
            times: of the pictures, ms, ascending; mouths: (n, rows, columns).
            rest: so many of the first pictures were taken at rest.
        """
        if rest < REST_LEAST:
            return None
        lips = templates(mouths[:rest])
        after = np.flatnonzero(times >= since)
        near = np.array([likeness(mouths[at], lips) >= ALIKE for at in after], bool)
        return lasting(times[after], near, CLOSED_MS)


def templates(mouths: Pixels) -> list[Pixels]:
    """The middle of some pictures at rest, spread over all."""
    columns, rows = MARGIN
    chosen = np.linspace(0, len(mouths) - 1, min(len(mouths), 8)).round().astype(int)
    return [mouths[at, rows:-rows, columns:-columns] for at in chosen]


def likeness(mouth: Pixels, lips: list[Pixels]) -> float:
    """How much the most similar part of ``mouth`` is like one of ``lips``: a correlation, 1 at most."""
    return max(float(cv2.matchTemplate(mouth, each, cv2.TM_CCOEFF_NORMED).max()) for each in lips)


def lasting(times: Floats, closed: npt.NDArray[np.bool_], length: float) -> float | None:
    """The time of the first of the pictures in a row that are closed for ``length`` ms."""
    start: float | None = None
    for time, shut in zip(times, closed, strict=True):
        if not shut:
            start = None
            continue
        start = float(time) if start is None else start
        if time - start >= length:
            return start
    return None
