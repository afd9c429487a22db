"""smart-turn v3 (BSD-2, weights inside pipecat-ai): whether the last seconds of sound end like a turn.

About 90 ms of one core. It misses few ends, but takes many pauses for one: a hint beside the words, never a verdict.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

from visavis.speech.priority import RECOGNITION, yield_to_pictures

SAMPLE_RATE: Final = 16_000
LISTENED_S: Final = 8.0
"""Only so much of the end is listened to."""


class Melody(Protocol):
    """Judges the end of a turn by its sound."""

    async def finished(self, pcm: npt.NDArray[np.int16]) -> float:
        """How much ``pcm`` (mono, 16 kHz, with a little of the silence after it) sounds like the end of a turn, 0..1."""
        ...


class _Model(LocalSmartTurnAnalyzerV3):
    def probability(self, sound: npt.NDArray[np.float32]) -> float:
        return float(self._predict_endpoint(sound)["probability"])


class SmartTurn:
    """Implements ``Melody``; shared by all sessions of a worker."""

    def __init__(self) -> None:
        """Load the weights and warm up (blocking, some tenths of a second)."""
        self._pool = ThreadPoolExecutor(1, "melody", yield_to_pictures, (RECOGNITION,))
        self._model = self._pool.submit(_Model, sample_rate=SAMPLE_RATE).result()
        self._pool.submit(self._model.probability, np.zeros(SAMPLE_RATE, np.float32)).result()

    async def finished(self, pcm: npt.NDArray[np.int16]) -> float:
        sound = pcm[-round(LISTENED_S * SAMPLE_RATE) :].astype(np.float32) / 32768.0
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._model.probability, sound)

    def close(self) -> None:
        """Free the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)
