"""Streaming sample-rate conversion."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import soxr

from visavis.media.types import Pcm

_EMPTY = np.zeros(0, np.int16)


class Resampler:
    """Converts mono int16 sound piece by piece, without clicks at the joints. Not thread-safe.

    Equal rates pass through untouched. The converter keeps a few milliseconds back; ``flush`` returns them.
    """

    def __init__(self, from_rate: int, to_rate: int, quality: Literal["QQ", "LQ", "MQ", "HQ", "VHQ"] = "MQ") -> None:
        """Rates in Hz. ``quality`` is soxr's: MQ keeps 16 bits nearly whole at low delay."""
        self.from_rate, self.to_rate, self._quality = from_rate, to_rate, quality
        self._stream = self._new()

    def _new(self) -> soxr.ResampleStream | None:
        if self.from_rate == self.to_rate:
            return None
        return soxr.ResampleStream(self.from_rate, self.to_rate, 1, dtype="int16", quality=self._quality)

    def push(self, pcm: Pcm) -> Pcm:
        """Convert ``pcm`` (shape (n,)); about n * to_rate / from_rate samples come back."""
        if self._stream is None:
            return pcm
        return cast(Pcm, self._stream.resample_chunk(np.ascontiguousarray(pcm)))

    def flush(self) -> Pcm:
        """The rest of the sound; afterwards the resampler is as new."""
        if self._stream is None:
            return _EMPTY
        rest = cast(Pcm, self._stream.resample_chunk(_EMPTY, last=True))
        self._stream = self._new()
        return rest
