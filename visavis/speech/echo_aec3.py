"""WebRTC's canceller (AEC3), for loudspeakers that drown whoever speaks.

It takes out what is as loud as the voice itself, which the filter learns too slowly. But its suppressor mutes a person who speaks over
the voice as well: a room asks for it (``docs/turn-taking.md`` has both in figures).
"""

from __future__ import annotations

import numpy as np
from pywebrtc_audio import EchoCanceller

from visavis.media.types import Pcm


class Aec3:
    """Implements ``visavis.speech.echo.Remover``."""

    def __init__(self, rate: int) -> None:
        self._aec = EchoCanceller(rate, 1)

    def remove(self, pcm: Pcm, sound: Pcm) -> Pcm:
        out: Pcm = self._aec.process(np.ascontiguousarray(pcm), sound)
        return out

    def realign(self) -> None:
        """It finds the new delay by itself."""
