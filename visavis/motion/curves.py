"""Smooth curves of time: springs that follow a target, band-limited noise, single bumps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


class Spring:
    """A critically damped spring: follows a target that jumps, itself with continuous speed (C1).

    The closed form of x'' = -2 w x' - w^2 (x - target) is evaluated at each time, so the curve does not
    depend on how often it is sampled.
    """

    def __init__(self, value: Sequence[float], rate: float) -> None:
        """``rate``: w in 1/s; 97 % of a jump are done after 5.4 / w seconds."""
        self._target: Vector = np.asarray(value, np.float64)
        self._offset: Vector = np.zeros_like(self._target)
        self._speed: Vector = np.zeros_like(self._target)
        self._since = 0.0
        self._rate = rate

    def retarget(self, t: float, target: Sequence[float]) -> None:
        """From ``t`` on follow ``target``."""
        value, speed = self._at(t)
        self._target = np.asarray(target, np.float64)
        self._offset, self._speed, self._since = value - self._target, speed, t

    def snap(self, t: float) -> None:
        """Be exactly at the target from ``t`` on."""
        self._offset = np.zeros_like(self._target)
        self._speed = np.zeros_like(self._target)
        self._since = t

    def value(self, t: float) -> Vector:
        return self._at(t)[0]

    def _at(self, t: float) -> tuple[Vector, Vector]:
        dt = max(0.0, t - self._since)
        slope = self._speed + self._rate * self._offset
        decay = math.exp(-self._rate * dt)
        value = self._target + (self._offset + slope * dt) * decay
        speed = (slope - self._rate * (self._offset + slope * dt)) * decay
        return value, speed


class Noise:
    """Smooth noise on several channels, each within -1..1: sums of sines between two frequencies (hertz)."""

    _SINES: Final = 5

    def __init__(self, rng: np.random.Generator, channels: int, low: float, high: float) -> None:
        shape = (channels, self._SINES)
        self._omega = 2 * np.pi * np.exp(rng.uniform(math.log(low), math.log(high), shape))
        self._phase = rng.uniform(0, 2 * np.pi, shape)
        amplitude = self._omega**-0.5 * rng.uniform(0.6, 1.4, shape)
        self._amplitude = amplitude / amplitude.sum(axis=1, keepdims=True)

    def value(self, t: float) -> Vector:
        """Shape (channels,)."""
        result: Vector = (self._amplitude * np.sin(self._omega * t + self._phase)).sum(axis=1)
        return result


def bump(x: float) -> float:
    """A single smooth hill: 0 outside 0..1, 1 at 0.5."""
    return math.sin(math.pi * x) ** 2 if 0.0 < x < 1.0 else 0.0
