"""The way of a sound from the loudspeaker to the microphone, learnt while it sounds: a Kalman filter in the frequency domain.

Partitioned: each partition of the way is one block long, so that nothing is delayed. Beside the way itself it keeps how sure it is
of each part of it (the error's variance). That sets how fast it learns: at once in the beginning and where something has changed,
hardly at all while somebody speaks over the sound. And it tells how much of what is left may still be echo.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

BLOCK: Final = 320
"""Samples at 16 kHz: 20 ms."""
PARTITIONS: Final = 24
"""Length of the way in blocks, 0.48 s: from the first moment that an echo may come to the end of the room's answer."""

_SIZE: Final = 2 * BLOCK
_BINS: Final = BLOCK + 1
_UNKNOWN: Final = 0.015
"""Power of each partition before anything is known: together a third of the sound's own, an echo of -4 dB. More would take the
beginning from who speaks over the first words of a session, less would let the first words interrupt themselves."""
_KEEPS: Final = 0.995
"""Share of the way that is the same a block later: people move, clocks drift."""
_BESIDE: Final = 0.3
"""What changes may move into the next partitions, so much."""
_NEW: Final = 1e-3
"""Power by which each partition, even one without an echo, may differ: an echo may begin where there was none (headphones off)."""
_SHAKEN: Final = 3.0
"""Where the way has changed, so much of its power is in doubt around each partition."""


class Cancelled(NamedTuple):
    """One block. Spectra have ``BLOCK`` + 1 bins (25 Hz each) of power."""

    left: Block
    """The microphone's sound without the echo, as far as it is known."""
    echo: Block
    """What was taken out."""
    left_power: Block
    echo_power: Block
    doubt: Block
    """Power of the echo that may be in what is left, as far as the way is not known."""


class EchoFilter:
    """One way. Not thread-safe."""

    def __init__(self) -> None:
        self._way = np.zeros((PARTITIONS, _BINS), np.complex64)
        self._unsure = np.full((PARTITIONS, _BINS), _UNKNOWN, np.float32)
        # Twice, one behind the other: the last PARTITIONS blocks always lie in one piece.
        self._sounds = np.zeros((2 * PARTITIONS, _BINS), np.complex64)
        self._powers = np.zeros((2 * PARTITIONS, _BINS), np.float32)
        self._newest = 0
        self._window = np.zeros(_SIZE, np.float32)
        self._noise = np.zeros(_BINS, np.float32)

    def cancel(self, microphone: Block, sound: Block) -> Cancelled:
        """Take out of a block of the microphone what of ``sound`` is in it; both float32, ``BLOCK`` long, scaled
        as int16 is."""
        sounds, powers = self._push(sound)
        echo = np.fft.irfft(np.einsum("pk,pk->k", self._way, sounds), _SIZE)[BLOCK:].astype(np.float32)
        left = microphone - echo
        spectrum = _spectrum(left)
        left_power, echo_power = _power(spectrum), _power(_spectrum(echo))
        smooth = np.convolve(left_power, (0.25, 0.5, 0.25), "same").astype(np.float32)
        # Risen at once: the first syllable of a person must not be learnt as echo.
        self._noise = np.maximum(smooth, 0.5 * (self._noise + smooth))
        doubt = 0.5 * np.einsum("pk,pk->k", self._unsure, powers)
        if powers.any():  # in silence nothing is learnt, and nothing forgotten
            self._learn(sounds, powers, spectrum, doubt)
        return Cancelled(left, echo, left_power, echo_power, doubt)

    def doubt(self) -> None:
        """What comes back is not what was expected: somebody moved, or it comes later now. Learn it anew from where it was."""
        power = _power(self._way).mean(axis=1)
        around = np.convolve(power, np.full(7, _SHAKEN / 3), "same")
        np.maximum(self._unsure, around[:, None].astype(np.float32), out=self._unsure)

    def forget_sound(self) -> None:
        """What sounded before is over; the way stays known."""
        self._sounds[:] = 0
        self._powers[:] = 0
        self._window[:] = 0

    def _push(self, sound: Block) -> tuple[NDArray[np.complex64], Block]:
        self._window[:BLOCK] = self._window[BLOCK:]
        self._window[BLOCK:] = sound
        self._newest = at = (self._newest - 1) % PARTITIONS
        self._sounds[at] = self._sounds[at + PARTITIONS] = spectrum = np.fft.rfft(self._window).astype(
            np.complex64, copy=False
        )
        self._powers[at] = self._powers[at + PARTITIONS] = _power(spectrum)
        return self._sounds[at : at + PARTITIONS], self._powers[at : at + PARTITIONS]

    def _learn(self, sounds: NDArray[np.complex64], powers: Block, left: NDArray[np.complex64], doubt: Block) -> None:
        step = self._unsure / (doubt + self._noise + np.float32(1e-3))
        self._way += step * sounds.conj() * left
        self._way *= np.float32(_KEEPS)
        # A partition is one block long; what wraps around is cut off every other time, which is half of the work.
        part = self._way[self._newest % 2 :: 2]
        response = np.fft.irfft(part, _SIZE, axis=1)
        response[:, BLOCK:] = 0
        part[:] = np.fft.rfft(response, axis=1)
        power = _power(self._way)
        self._unsure *= np.float32(_KEEPS**2) * (1 - 0.5 * step * powers)
        spread = power.copy()
        spread[1:] += np.float32(_BESIDE) * power[:-1]
        spread[:-1] += np.float32(_BESIDE) * power[1:]
        self._unsure += np.float32(1 - _KEEPS**2) * (spread + np.float32(_NEW))


def _spectrum(block: Block) -> NDArray[np.complex64]:
    padded = np.zeros(_SIZE, np.float32)
    padded[BLOCK:] = block
    return np.fft.rfft(padded).astype(np.complex64, copy=False)


def _power(spectrum: NDArray[np.complex64]) -> Block:
    return spectrum.real**2 + spectrum.imag**2
