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

    def retarget(self, t: float, target: Sequence[float] | Vector) -> None:
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


class Glide:
    """A number that glides to its target in a set time and is then exactly there (C2, also through retargets).

    Each move is the quintic polynomial from where the number is, with its speed and acceleration, to the target at
    rest (the minimum-jerk move of Flash & Hogan, 1985).
    """

    def __init__(self, value: float) -> None:
        self._target = value
        self._start, self._duration = 0.0, 0.0
        self._terms: Vector = np.zeros(6)

    @property
    def target(self) -> float:
        return self._target

    def retarget(self, t: float, target: float, duration: float) -> None:
        """From ``t`` on go to ``target``, there ``duration`` seconds (> 0) later."""
        place, speed, bend = self._at(t)
        v, a, d = speed * duration, bend * duration * duration, target - place
        self._terms = np.array(
            [
                place,
                v,
                a / 2,
                10 * d - 6 * v - 1.5 * a,
                -15 * d + 8 * v + 1.5 * a,
                6 * d - 3 * v - 0.5 * a,
            ]
        )
        self._target, self._start, self._duration = target, t, duration

    def value(self, t: float) -> float:
        return self._at(t)[0]

    def done(self, t: float) -> bool:
        """Whether it is at its target at ``t``."""
        return t >= self._start + self._duration

    def _at(self, t: float) -> tuple[float, float, float]:
        """Place, speed, acceleration."""
        if self.done(t):
            return self._target, 0.0, 0.0
        x, n = max(0.0, t - self._start) / self._duration, self._duration
        c = self._terms
        place = c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * (c[4] + x * c[5]))))
        speed = c[1] + x * (2 * c[2] + x * (3 * c[3] + x * (4 * c[4] + x * 5 * c[5])))
        bend = 2 * c[2] + x * (6 * c[3] + x * (12 * c[4] + x * 20 * c[5]))
        return float(place), float(speed / n), float(bend / n / n)


def fourier(rng: np.random.Generator, channels: int, low: int, high: int) -> tuple[Vector, Vector, Vector]:
    """Coefficients of smooth periodic noise, see :func:`periodic`: the whole multiples ``low``..``high`` of the base."""
    order = np.arange(low, high + 1, dtype=np.float64)
    amplitude = order**-0.7 * rng.uniform(0.5, 1.5, (channels, len(order)))
    amplitude /= amplitude.sum(axis=1, keepdims=True)
    return order, amplitude, rng.uniform(0, 2 * np.pi, (channels, len(order)))


def periodic(series: tuple[Vector, Vector, Vector], x: float) -> Vector:
    """A Fourier series at ``x`` (its period is 1): shape (channels,), each within -1..1."""
    order, amplitude, phase = series
    result: Vector = (amplitude * np.sin(2 * np.pi * order * x + phase)).sum(axis=1)
    return result
