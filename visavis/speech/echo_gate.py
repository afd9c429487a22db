"""Is it the echo, or does somebody speak? Decides what of a microphone goes on: all of it, what the filter left, or next to nothing.

In each band what is left is laid beside what may still be echo in it: where the way is not known yet, where it is not as it was, and
what no linear filter can take out (codecs, small loudspeakers). Who speaks is well above that, the echo alone never.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from visavis.speech.echo_filter import BLOCK, Block, Cancelled

OPEN_DB: Final = 3.0
"""So far above what may be echo, on the average of the bands, is a person."""
HOLD: Final = 12
"""Blocks for which it stays open behind that, 0.24 s: syllables end faintly, words have gaps."""
FAINT: Final = 30.0
"""Root mean square (-61 dBFS) below which nothing needs to be taken out: nobody hears it."""

_EDGES: Final = np.array([6, 12, 18, 24, 32, 40, 50, 62, 76, 92, 112, 136, 168, 220])
"""Of the bands, in bins of 25 Hz: 150 Hz to 5.5 kHz."""
_BANDS: Final = np.array(
    [(np.arange(BLOCK + 1) >= low) & (np.arange(BLOCK + 1) < high) for low, high in pairwise(_EDGES)], np.float32
).T / np.diff(_EDGES).astype(np.float32)
_FLOOR: Final = 1e4
"""Power per bin of a noise of 5 root mean square."""
_LEAST: Final = 0.1
"""Share of the echo that stays in any case: the voice goes through two codecs."""
_SOME: Final = 0.03
"""Share of what is left above which what the filter takes out is evidence, for an echo or against one."""
_MEMORY: Final = 0.95
"""Of a block in the next one: 0.4 s."""


_INAUDIBLE: Final = BLOCK * 1.6**2 / (1 - _MEMORY)
"""An echo of less than 1.6 root mean square over that time."""


class EchoGate:
    """One microphone's. Not thread-safe."""

    def __init__(self) -> None:
        self.present = False
        """Whether the filter's echo really is in the microphone."""
        self.moved = False
        """Whether it was, and is not as it was: the filter must doubt."""
        self._product = self._echo = self._left = 0.0
        self._since = 0
        self._hold = 0
        self._mean_left = self._mean_echo = np.zeros(len(_EDGES) - 1)
        self._both = self._one = 0.0

    def opens(self, microphone: Block, heard: Cancelled) -> bool:
        """Whether somebody speaks in a block, or it is too faint to matter. Call once for each block."""
        self._follow(microphone, heard)
        if float(microphone @ microphone) < BLOCK * FAINT**2:
            self._hold -= 1
            return True
        left, echo, doubt = _bands(heard.left_power), _bands(heard.echo_power), _bands(heard.doubt)
        above = 10 * np.log10((left + 1) / (doubt * self._trust() + self._leak(left, echo) * echo + _FLOOR))
        margin = float(np.clip(above, -10, 15).mean())
        if margin > OPEN_DB:
            self._hold = HOLD
        else:
            self._hold -= 3 if margin < 0 and self.present else 1
        return self._hold > 0

    def _follow(self, microphone: Block, heard: Cancelled) -> None:
        """Does what the filter takes out explain what was heard?"""
        self._product = _MEMORY * self._product + float(microphone @ heard.echo)
        self._echo = _MEMORY * self._echo + float(heard.echo @ heard.echo)
        self._left = _MEMORY * self._left + float(heard.left @ heard.left)
        self._since += 1
        # By chance the product is as far from the echo's own power as this.
        chance = np.sqrt(self._echo * self._left * 2 * (1 - _MEMORY) / BLOCK) + 1.0
        short = self._echo - self._product
        self.moved = self.present and self._since > 10 and short > max(3 * chance, 0.3 * self._echo)
        if self.moved:
            self._since = 0
        if self._product > 0.5 * (self._echo + 0.02 * self._left + _FLOOR):
            self.present = True
        elif self._product < 0.25 * self._echo or self._echo < _INAUDIBLE:
            self.present = False

    def _trust(self) -> float:
        """How much of the doubt counts: little, where the filter finds echo again and again that then is not there."""
        some = _SOME * self._left + _FLOOR
        return min(max((self._product + some) / (self._echo + some), 0.1), 1.0)

    def _leak(self, left: np.ndarray, echo: np.ndarray) -> float:
        """Share of the echo's power that is left, by how what is left swells and fades with it; a person does not."""
        left, echo = np.sqrt(left), np.sqrt(echo)
        self._mean_left = 0.85 * self._mean_left + 0.15 * left
        self._mean_echo = 0.85 * self._mean_echo + 0.15 * echo
        swell = echo - self._mean_echo
        self._both = 0.98 * self._both + float(((left - self._mean_left) * swell).sum())
        self._one = 0.98 * self._one + float((swell * swell).sum())
        share = min(max(self._both / (self._one + 1e-9), 0.0), 1.0)
        return max(_LEAST, 2 * share * share)


def _bands(power: Block) -> np.ndarray:
    """The mean power of each band."""
    return power @ _BANDS
