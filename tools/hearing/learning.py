"""Training in plain numpy: the network is small enough that nothing else is needed. Deterministic for a seed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.motion.hearing_features import BANDS, SILENCE, WIDTH
from visavis.motion.hearing_net import AHEAD, BACK, OFFSETS, OUTPUTS, Weights, activate, taps
from visavis.motion.visemes import Viseme

Floats = npt.NDArray[np.float32]

CHANNELS = 128
_CROP = 160  # frames of an example
_BATCH = 32
_WARM_UP = 100
_DECAY = 1e-4
_DROPPED = 0.15
_LOCKS = np.array([2.0, 1.0], np.float32)  # how much the locks count beside the visemes
_CLOSED = 2.0  # and how much a closed frame does beside an open one


@dataclass(frozen=True)
class Phase:
    """A part of the training. ``strength``: how much voices are varied and channels dropped, 0..1; ``rate``: Adam's."""

    epochs: int
    rate: float
    strength: float


PHASES = (Phase(16, 2e-3, 1.0), Phase(8, 1e-3, 0.25))
"""First with much variety, then closer to real voices, whose bursts (p or t?) variety blurs."""


def initial(rng: np.random.Generator) -> list[Floats]:
    """Matrices and biases in turn (He initialisation)."""
    parameters: list[Floats] = []
    inputs = WIDTH
    for offsets, outputs in zip([*OFFSETS, (0,)], [*[CHANNELS] * len(OFFSETS), OUTPUTS], strict=True):
        width = len(offsets) * inputs
        parameters.append((rng.standard_normal((width, outputs)) * np.sqrt(2 / width)).astype(np.float32))
        parameters.append(np.zeros(outputs, np.float32))
        inputs = outputs
    parameters[-2] *= np.float32(0.2)
    return parameters


def weights(parameters: list[Floats]) -> Weights:
    """What the runtime takes."""
    pairs = [(parameters[i], parameters[i + 1]) for i in range(0, len(parameters), 2)]
    return Weights(tuple(pairs[:-1]), pairs[-1])


def _flat(of: Floats) -> Floats:
    return of.reshape(-1, of.shape[-1])


def _times(of: Floats, matrix: Floats) -> Floats:
    """One product of two matrices: much faster than one an example."""
    return (_flat(of) @ matrix).reshape(*of.shape[:-1], matrix.shape[1])


def loss_and_slopes(
    parameters: list[Floats],
    frames: Floats,
    wanted: Floats,
    rng: np.random.Generator | None = None,
    dropped: float = 0.0,
) -> tuple[float, list[Floats]]:
    """``frames``: (batch, BACK + crop + AHEAD, WIDTH), ``wanted``: (batch, crop, OUTPUTS).

    With ``rng``, a part ``dropped`` of the channels of every layer is dropped for an example (the same ones at all times).
    """
    inputs, layers = [], [frames]
    for i, offsets in enumerate(OFFSETS):
        count = layers[-1].shape[1] - (max(offsets) - min(offsets))
        inputs.append(taps(layers[-1], offsets, count))
        sums = _times(inputs[-1], parameters[2 * i])
        sums += parameters[2 * i + 1]
        np.maximum(sums, 0, out=sums)
        if rng is not None:
            kept = rng.random((sums.shape[0], 1, sums.shape[2])) >= dropped
            sums *= kept.astype(np.float32) / np.float32(1 - dropped)
        layers.append(sums)
    said = activate(layers[-1] @ parameters[-2] + parameters[-1])
    visemes = len(Viseme)
    size = np.float32(wanted.shape[0] * wanted.shape[1])
    emphasis = _LOCKS * (1 + (_CLOSED - 1) * wanted[..., visemes:])
    safe = np.clip(said, 1e-6, 1 - 1e-6)
    crossed = -(wanted[..., :visemes] * np.log(safe[..., :visemes])).sum()
    locked = wanted[..., visemes:] * np.log(safe[..., visemes:])
    locked += (1 - wanted[..., visemes:]) * np.log(1 - safe[..., visemes:])
    loss = float((crossed - (emphasis * locked).sum()) / size)
    slope = said - wanted
    slope[..., visemes:] *= emphasis
    slope /= size
    slopes: list[Floats] = [np.empty(0, np.float32)] * len(parameters)
    slopes[-2] = _flat(layers[-1]).T @ _flat(slope)
    slopes[-1] = slope.sum(axis=(0, 1))
    slope = slope @ parameters[-2].T
    for i in reversed(range(len(OFFSETS))):
        slope *= layers[i + 1] > 0  # what was dropped is 0 too
        if rng is not None:
            slope *= np.float32(1 / (1 - dropped))
        slopes[2 * i] = _flat(inputs[i]).T @ _flat(slope)
        slopes[2 * i + 1] = slope.sum(axis=(0, 1))
        if i:
            spread = _times(slope, parameters[2 * i].T)
            slope = np.zeros_like(layers[i])
            width, first, count = layers[i].shape[2], min(OFFSETS[i]), spread.shape[1]
            for k, offset in enumerate(OFFSETS[i]):
                slope[:, offset - first : offset - first + count] += spread[..., k * width : (k + 1) * width]
    return loss, slopes


def _varied(frames: Floats, rng: np.random.Generator, strength: float) -> None:
    """Other voices and microphones than there are, an example each: formants moved, a smooth equaliser, a band lost.

    ``strength``: 0 (never) to 1.
    """
    for example in frames:
        if (shift := int(rng.integers(-2, 3))) and rng.random() < 0.7 * strength:
            for half in (example[:, :BANDS], example[:, BANDS:]):
                half[:] = half[:, np.clip(np.arange(BANDS) + shift, 0, BANDS - 1)]
        places = np.linspace(0, BANDS - 1, 6)
        curve = np.interp(np.arange(BANDS), places, rng.normal(0, 0.16 * strength, 6)).astype(np.float32)
        loud = example[:, :BANDS] > -2.9
        example[:, :BANDS] = np.clip(example[:, :BANDS] + curve * loud, -3, 1)
        if rng.random() < 0.4 * strength:
            first = int(rng.integers(0, BANDS - 4))
            last = first + int(rng.integers(1, 5))
            example[:, first:last], example[:, BANDS + first : BANDS + last] = -1.5, 0.5
    frames += (0.04 * strength * rng.standard_normal(frames.shape, np.float32)).astype(np.float32)


def _batches(
    features: list[npt.NDArray[np.float16]],
    wanted: list[npt.NDArray[np.float16]],
    rng: np.random.Generator,
    strength: float,
) -> Iterator[tuple[Floats, Floats]]:
    """Every stretch of every stream once, in random order."""
    places = []
    for index, stream in enumerate(features):
        shift = int(rng.integers(0, _CROP))
        places += [(index, at) for at in range(shift - _CROP // 2, len(stream) - _CROP, _CROP) if at >= 0]
    places = [places[i] for i in rng.permutation(len(places))]
    for start in range(0, len(places) - _BATCH + 1, _BATCH):
        frames = np.tile(SILENCE, (_BATCH, BACK + _CROP + AHEAD, 1))
        mouths = np.empty((_BATCH, _CROP, OUTPUTS), np.float32)
        for row, (index, at) in enumerate(places[start : start + _BATCH]):
            stream = features[index]
            first, last = max(0, at - BACK), min(len(stream), at + _CROP + AHEAD)
            frames[row, first - (at - BACK) : last - (at - BACK)] = stream[first:last]
            mouths[row] = wanted[index][at : at + _CROP]
        _varied(frames, rng, strength)
        yield frames, mouths


@dataclass
class _State:
    """A training between two epochs: Adam's averages beside the parameters."""

    parameters: list[Floats]
    means: list[Floats]
    squares: list[Floats]
    rng: np.random.Generator
    epoch: int = 0
    step: int = 0

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        arrays = {
            f"{name}{i}": array
            for name, kind in (("p", self.parameters), ("m", self.means), ("s", self.squares))
            for i, array in enumerate(kind)
        }
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            place = {"epoch": self.epoch, "step": self.step, "rng": self.rng.bit_generator.state}
            np.savez(file, place=np.array(json.dumps(place)), **arrays)
        temporary.rename(path)

    def restore(self, path: Path) -> None:
        with np.load(path) as stored:
            place = json.loads(str(stored["place"]))
            for name, kind in (("p", self.parameters), ("m", self.means), ("s", self.squares)):
                kind[:] = [stored[f"{name}{i}"] for i in range(len(kind))]
        self.epoch, self.step = place["epoch"], place["step"]
        self.rng.bit_generator.state = place["rng"]


def train(
    features: list[npt.NDArray[np.float16]],
    wanted: list[npt.NDArray[np.float16]],
    phase: Phase,
    seed: int,
    start: list[Floats] | None = None,
    kept: Path | None = None,
) -> list[Floats]:
    """Adam with a cosine schedule, from ``start`` on if given; prints the mean loss of each epoch.

    ``kept``: the file that holds the state after each epoch. Where there is one already, the training goes on from it,
    to the result that it would have had without the break; one that is done is not repeated.
    """
    rng = np.random.default_rng(seed)
    first = [p.astype(np.float32) for p in start] if start else initial(rng)
    state = _State(first, [np.zeros_like(p) for p in first], [np.zeros_like(p) for p in first], rng)
    if kept is not None and kept.exists():
        state.restore(kept)
        print(f"  goes on after {state.epoch} of {phase.epochs} epochs")
    total = phase.epochs * (sum(len(stream) for stream in features) // (_CROP * _BATCH))
    began = time.monotonic()
    while state.epoch < phase.epochs:
        losses = []
        for frames, mouths in _batches(features, wanted, rng, phase.strength):
            loss, slopes = loss_and_slopes(state.parameters, frames, mouths, rng, _DROPPED * phase.strength)
            losses.append(loss)
            state.step += 1
            _adam(state, slopes, phase.rate, total)
            if state.step % 20 == 0:
                recent = np.mean(losses[-20:])
                print(
                    f"\r  epoch {state.epoch + 1}/{phase.epochs} step {state.step}/{total} loss {recent:.4f} ", end=""
                )
        state.epoch += 1
        spent = time.monotonic() - began
        print(f"\r  epoch {state.epoch}/{phase.epochs} loss {np.mean(losses):.4f} after {spent:.0f} s   ")
        if kept is not None:
            state.save(kept)
    return state.parameters


def _adam(state: _State, slopes: list[Floats], most: float, total: int) -> None:
    """One step, in place. ``most``: the rate after the warm-up, which falls like a cosine over ``total`` steps."""
    rate = most * min(1.0, state.step / _WARM_UP) * 0.5 * (1 + np.cos(np.pi * min(1.0, state.step / total)))
    for parameter, slope, mean, square in zip(state.parameters, slopes, state.means, state.squares, strict=True):
        mean += 0.1 * (slope - mean)
        square += 0.001 * (np.square(slope) - square)
        move = mean / (1 - 0.9**state.step) / (np.sqrt(square / (1 - 0.999**state.step)) + 1e-8)
        parameter -= np.float32(rate) * (move + (_DECAY * parameter if parameter.ndim > 1 else 0))


def save(parameters: list[Floats], path: Path) -> None:
    """As float16: it halves the file and changes nothing that can be seen."""
    names = [f"{'wb'[i % 2]}{i // 2}" for i in range(len(parameters))]
    np.savez_compressed(path, **{name: p.astype(np.float16) for name, p in zip(names, parameters, strict=True)})
