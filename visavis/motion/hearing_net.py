"""The hearing model's network: a small convolution over time, run frame by frame as sound comes in.

Every layer looks at a few earlier and later outputs of the one before (its *offsets*); the network as a whole hears
300 ms back and 80 ms ahead. Its weights are made by tools/train_hearing.py; docs/hearing-model.md is its card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from visavis.errors import VisavisError
from visavis.motion.hearing_features import SILENCE, WIDTH
from visavis.motion.visemes import Viseme

Floats = npt.NDArray[np.float32]

MODEL: Final = "hearing-1.npz"
OFFSETS: Final[tuple[tuple[int, ...], ...]] = ((-2, -1, 0, 1, 2), (-4, -2, 0, 2), (-8, -4, 0, 4), (-16, -8, 0))
"""For each hidden layer, which frames of the layer before it looks at."""
AHEAD: Final = sum(max(offsets) for offsets in OFFSETS)
"""Frames that must follow a frame before the model can tell its mouth."""
BACK: Final = -sum(min(offsets) for offsets in OFFSETS)
"""Frames before a frame that the model looks at."""
OUTPUTS: Final = len(Viseme) + 2
"""The share of each viseme in the mouth, and how far the lips are closed (p, b, m) and bitten (f, v)."""


@dataclass(frozen=True, slots=True)
class Weights:
    """``hidden``: one matrix (offsets x inputs, outputs) and bias (outputs,) a layer; ``last``: those of the outputs."""

    hidden: tuple[tuple[Floats, Floats], ...]
    last: tuple[Floats, Floats]


@cache
def load() -> Weights:
    """The shipped weights. Raises VisavisError if the file does not fit this version."""
    with (files("visavis.motion") / "models" / MODEL).open("rb") as file, np.load(file) as stored:
        layers = [
            (stored[f"w{i}"].astype(np.float32), stored[f"b{i}"].astype(np.float32)) for i in range(len(OFFSETS) + 1)
        ]
    inputs = WIDTH
    for (matrix, bias), offsets in zip(layers, [*OFFSETS, (0,)], strict=True):
        if matrix.shape != (len(offsets) * inputs, len(bias)):
            raise VisavisError(f"the hearing model {MODEL} does not fit: reinstall visavis")
        inputs = len(bias)
    if inputs != OUTPUTS:
        raise VisavisError(f"the hearing model {MODEL} does not fit: reinstall visavis")
    return Weights(tuple(layers[:-1]), layers[-1])


class NetStream:
    """Feature frames in, as many mouths out, ``AHEAD`` frames late: the first are those before the first frame."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._memory: list[Floats] = []  # what each layer still needs of its input
        steady = SILENCE
        for (matrix, bias), offsets in zip(weights.hidden, OFFSETS, strict=True):
            self._memory.append(np.tile(steady, (max(offsets) - min(offsets), 1)))
            steady = np.maximum(np.tile(steady, len(offsets)) @ matrix + bias, 0)

    def push(self, frames: Floats) -> Floats:
        """``frames``: (n, WIDTH). Returns (n, OUTPUTS), each 0..1; the visemes' shares add up to 1."""
        if not len(frames):
            return np.empty((0, OUTPUTS), np.float32)
        layer = frames
        for i, ((matrix, bias), offsets) in enumerate(zip(self._weights.hidden, OFFSETS, strict=True)):
            known = np.concatenate([self._memory[i], layer])
            self._memory[i] = known[len(layer) :]
            layer = taps(known, offsets, len(layer)) @ matrix
            layer += bias
            np.maximum(layer, 0, out=layer)
        matrix, bias = self._weights.last
        return activate(layer @ matrix + bias)

    def ending(self) -> Floats:
        """The last ``AHEAD`` mouths if silence followed now; changes nothing."""
        memory = self._memory
        self._memory = list(memory)
        try:
            return self.push(np.tile(SILENCE, (AHEAD, 1)))
        finally:
            self._memory = memory


def taps(known: Floats, offsets: Sequence[int], count: int) -> Floats:
    """The frames that ``count`` outputs look at, side by side: (..., count, offsets x width)."""
    first = min(offsets)
    return np.concatenate([known[..., o - first : o - first + count, :] for o in offsets], axis=-1)


def activate(outputs: Floats) -> Floats:
    """Raw outputs (..., OUTPUTS) to shares of visemes (softmax) and the two locks (logistic)."""
    visemes = outputs[..., : len(Viseme)]
    shares = np.exp(visemes - visemes.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    locks = 1 / (1 + np.exp(-np.clip(outputs[..., len(Viseme) :], -30, 30)))
    return np.concatenate([shares, locks], axis=-1).astype(np.float32)
