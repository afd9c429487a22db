"""What the received sound shows: when a voice begins, and when it is silent. Pure functions of peaks of 5 ms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

RATE: Final = 48_000
"""Frames a second of the browser's sound clock."""
BLOCK: Final = 240
"""Frames of a block, of which the peak is known: 5 ms."""
LEVEL: Final = 0.01
"""A block with a higher peak (1: full scale) is loud: -40 dB; voices have peaks of -6 dB, decoded silence none."""
ONSET_BLOCKS: Final = 6
ONSET_LOUD: Final = 3
"""A voice begins where so many of the next blocks are loud: a click is no voice."""


@dataclass(frozen=True)
class Heard:
    """Peaks of consecutive blocks, 0..1; ``first``: the frame at which the first of them begins."""

    first: int
    peaks: npt.NDArray[np.float32]

    def begins(self, since: int) -> int | None:
        """The frame at which a voice begins, not before ``since``; None: it does not."""
        loud = self.peaks[self._block(since) :] > LEVEL
        if len(loud) < ONSET_BLOCKS:
            return None
        enough = np.convolve(loud, np.ones(ONSET_BLOCKS), "valid") >= ONSET_LOUD
        found = np.flatnonzero(enough & loud[: len(enough)])
        return None if not len(found) else self._frame(self._block(since) + int(found[0]))

    def silent(self, since: int, seconds: float) -> int | None:
        """The frame, not before ``since``, from which it is quiet for ``seconds``; None: never."""
        blocks = round(seconds * RATE / BLOCK)
        start = self._block(since)
        loud = np.flatnonzero(self.peaks[start:] > LEVEL)
        edges = np.concatenate([[-1], loud, [len(self.peaks) - start]])
        quiet = np.flatnonzero(np.diff(edges) - 1 >= blocks)
        return None if not len(quiet) else self._frame(start + int(edges[quiet[0]]) + 1)

    def sounds(self, start: int, stop: int) -> bool:
        """Whether a voice is heard between two frames: a quarter of the blocks is loud."""
        part = self.peaks[self._block(start) : self._block(stop)] > LEVEL
        return bool(len(part) and part.mean() >= 0.25)

    def _block(self, frame: int) -> int:
        return max(0, -((self.first - frame) // BLOCK))

    def _frame(self, block: int) -> int:
        return self.first + block * BLOCK


def milliseconds(frames: float) -> float:
    """Of so many frames."""
    return round(frames * 1000 / RATE, 1)


def page_clock(stamps: npt.NDArray[np.float64]) -> float:
    """The page's clock (ms) at frame 0. ``stamps``, shape (n, 2): frames, and when each had been rendered at the latest.

    Messages from the sound's thread come late rather than early, so the quickest ones tell.
    """
    return float(np.percentile(stamps[:, 1] - stamps[:, 0] * 1000 / RATE, 5))
