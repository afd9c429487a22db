"""From sentences to what the network is trained on: half-minute streams of disturbed speech, heard and labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hearing import sound as effects
from hearing.corpus import RATE, Said
from hearing.targets import Segments, segments, targets
from visavis.motion.hearing_features import FeatureStream

Floats = npt.NDArray[np.float32]
_SECONDS = 28.0


def heard(sound: Floats, rate: int = RATE) -> Floats:
    """The features of ``sound``."""
    limited = np.round(np.clip(sound, -1, 1) * 32767) / 32768
    return FeatureStream(rate).push(limited.astype(np.float32))


def stream(voices: Sequence[Said], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Features and targets of one stream of random sentences and disturbances."""
    pieces: list[Floats] = []
    spoken: Segments = []
    at = 0.0

    def append(piece: Floats) -> None:
        nonlocal at
        pieces.append(piece)
        at += len(piece) / RATE

    mute = rng.random() < 0.1  # nobody speaks: only noise
    append(np.zeros(int(RATE * rng.choice((0.0, rng.uniform(0.05, 2.0)))), np.float32))
    while at < _SECONDS:
        said = voices[rng.integers(len(voices))]
        sound, phonemes = effects.stretched(said, rng.uniform(0.88, 1.16) if rng.random() < 0.6 else 1.0)
        if mute:
            sound, phonemes = np.zeros_like(sound), []
        if rng.random() < 0.3:
            sound = sound * np.float32(10 ** (rng.uniform(-8, 3) / 20))
        spoken += segments([(symbol, at + start, at + end) for symbol, start, end in phonemes])
        append(sound)
        append(np.zeros(int(RATE * (rng.uniform(0, 0.3) if rng.random() < 0.6 else rng.uniform(0.3, 2.5))), np.float32))
    sound = np.concatenate(pieces)
    if rng.random() < 0.3:
        sound = effects.room(sound, rng)
    if mute or rng.random() < 0.62:
        kind = effects.NOISES[rng.integers(len(effects.NOISES) - 1)] if mute or rng.random() < 0.7 else "babble"
        level = rng.uniform(-6, 25) if mute else rng.uniform(4, 32)
        disturbance = effects.noise(kind, len(sound), rng, voices)
        if rng.random() < 0.5:  # it comes and goes
            disturbance *= _gate(len(sound), rng)
        sound = effects.with_noise(sound, disturbance, level)
    if rng.random() < 0.25:
        sound = effects.telephone(sound, rng.uniform(60, 350), rng.choice((3400.0, rng.uniform(3200, 9000))))
    tilt = rng.uniform(-0.5, 0.5) if rng.random() < 0.4 else 0.0
    if tilt:  # microphones and players
        sound = sound + np.float32(tilt) * np.concatenate([np.zeros(1, np.float32), sound[:-1]])
    sound = sound * np.float32(10 ** (rng.uniform(-18, 6) / 20))
    if rng.random() < 0.15:
        sound = effects.opus(np.clip(sound, -1, 1), int(rng.choice((10000, 16000, 24000))))
    features = heard(sound)
    return features, targets(spoken, len(features))


def _gate(count: int, rng: np.random.Generator) -> Floats:
    """0 and 1 in turn, a few seconds each, with edges from sudden to slow."""
    gate = np.zeros(count, np.float32)
    at, on = 0, bool(rng.random() < 0.5)
    while at < count:
        length = int(rng.uniform(0.3, 6) * RATE)
        gate[at : at + length] = on
        at, on = at + length, not on
    edge = int(RATE * 10 ** rng.uniform(-2.5, 0))
    sums = np.cumsum(np.concatenate([np.full(edge, gate[0]), gate]), dtype=np.float64)
    smooth: Floats = ((sums[edge:] - sums[:-edge]) / edge).astype(np.float32)
    return smooth
