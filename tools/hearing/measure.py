"""Figures of a hearing model against the mouth of timed speech, on voices in and outside its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hearing import sound as effects
from hearing.corpus import RATE, Phonemes, Said
from hearing.streams import heard
from hearing.targets import segments, targets
from visavis.motion.articulation import SpeechTrack
from visavis.motion.frame import ARKIT_INDEX
from visavis.motion.hearing import held, mouth_of
from visavis.motion.hearing_features import HOP
from visavis.motion.hearing_net import AHEAD, NetStream, Weights
from visavis.motion.visemes import TARGETS, Viseme

Floats = npt.NDArray[np.float32]
_JAW, _PRESS = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthPressLeft"]
_OPENING = np.zeros(len(ARKIT_INDEX), np.float32)
_ROUNDING = np.zeros_like(_OPENING)
_WIDTH = np.zeros_like(_OPENING)
for _name, _part, _table in (
    ("jawOpen", 1.0, _OPENING), ("mouthLowerDownLeft", 0.5, _OPENING), ("mouthUpperUpLeft", 0.5, _OPENING),
    ("mouthFunnel", 1.0, _ROUNDING), ("mouthPucker", 1.0, _ROUNDING),
    ("mouthStretchLeft", 1.0, _WIDTH), ("mouthSmileLeft", 1.0, _WIDTH),
):  # fmt: skip
    _table[ARKIT_INDEX[_name]] = _part
_GAP = 0.6  # seconds between two sentences
_FRAME = 0.04  # of the pictures in which a closure must be seen


@dataclass(frozen=True)
class Scene:
    """Sentences one after another: sound at RATE, phonemes, and when each sentence begins and ends."""

    sound: Floats
    phonemes: Phonemes
    spans: list[tuple[float, float]]

    @property
    def frames(self) -> int:
        return int(len(self.sound) / RATE / HOP) - 2


def scene(voices: Sequence[Said], noise_db: float | None, seed: int) -> Scene:
    """``noise_db`` None: clean; else pink noise, babble and music in turn at this ratio."""
    rng = np.random.default_rng(seed)
    pieces: list[Floats] = []
    phonemes: Phonemes = []
    spans = []
    at = 0.0
    for index, said in enumerate(voices):
        gap = np.zeros(int(_GAP * RATE), np.float32)
        sound = np.concatenate([gap, said.pcm.astype(np.float32) / 32768, gap])
        if noise_db is not None:
            kind = ("pink", "babble", "music")[index % 3]
            sound = effects.with_noise(sound, effects.noise(kind, len(sound), rng, voices), noise_db)
        phonemes += [(symbol, at + _GAP + start, at + _GAP + end) for symbol, start, end in said.phonemes]
        spans.append((at + _GAP, at + _GAP + said.seconds))
        pieces.append(sound)
        at += len(sound) / RATE
    return Scene(np.clip(np.concatenate(pieces), -1, 1), phonemes, spans)


def outputs(weights: Weights, sound: Floats) -> Floats:
    """What the model says of the frames of ``sound``, from time 0 on."""
    net = NetStream(weights)
    said = net.push(heard(sound))
    return np.concatenate([said, net.ending()])[AHEAD:]


def model_mouths(weights: Weights, of: Scene) -> tuple[Floats, Floats]:
    """Mouths (n, 52) and the outputs they are made of."""
    said = outputs(weights, of.sound)[: of.frames]
    return np.array([mouth_of(frame) for frame in held(said)]), said


def reference_mouths(of: Scene) -> Floats:
    """Of timed speech."""
    track = SpeechTrack()
    track.add(of.phonemes, 0.0)
    return np.array([track.sample(i * HOP) for i in range(of.frames)])


def loudness_mouths(of: Scene) -> Floats:
    """Of loudness alone (30 ms up, 80 ms down, -48 to -16 dBFS), the simplest thing that moves with a voice."""
    hop = round(RATE * HOP)
    blocks = np.square(of.sound[: of.frames * hop].reshape(-1, hop)).mean(axis=1)
    wanted = np.clip((10 * np.log10(blocks + 1e-9) + 48) / 32, 0, 1)
    level, out = 0.0, np.empty((len(blocks), len(ARKIT_INDEX)), np.float32)
    for index, value in enumerate(wanted.tolist()):
        level += (value - level) * (1 - np.exp(-HOP / (0.03 if value > level else 0.08)))
        out[index] = level * TARGETS[Viseme.aa]
    return out


def opening(mouths: Floats) -> Floats:
    """How far the mouth is open, 0 .. about 0.5."""
    return np.asarray(mouths @ _OPENING)


def closed(mouths: Floats) -> npt.NDArray[np.bool_]:
    """Whether the lips are pressed together."""
    return np.asarray((mouths[:, _JAW] <= 0.05) & (mouths[:, _PRESS] >= 0.25))


@dataclass(frozen=True)
class Figures:
    """Shares 0..1, correlations, and milliseconds (positive: the model is late)."""

    accuracy: float
    recall: float
    precision: float
    opening: float
    rounding: float
    width: float
    onset: float
    onset_spread: float
    lag: float
    pause: float


def figures(of: Scene, mouths: Floats, said: Floats | None = None) -> Figures:
    """``said``: the model's outputs, for the accuracy; None: it has none."""
    reference = reference_mouths(of)
    times = np.arange(of.frames) * HOP
    talking = np.zeros(of.frames, bool)
    for start, end in of.spans:
        talking |= (times > start - 0.1) & (times < end + 0.1)
    accuracy = float("nan")
    if said is not None:
        wanted = targets(segments(of.phonemes), of.frames)[:, : len(Viseme)]
        right = wanted.argmax(axis=1) == said[:, : len(Viseme)].argmax(axis=1)
        accuracy = float(right[talking].mean())
    recall, precision = _closures(of, mouths)
    ours, theirs = opening(mouths), opening(reference)
    onsets = _onsets(of, ours, theirs)
    quiet = np.zeros(of.frames, bool)
    for start, end in of.spans:
        quiet |= (times > end + 0.2) | (times < start - 0.2)
        quiet &= ~((times > start - 0.2) & (times < end + 0.2))
    quiet &= theirs < 0.005
    return Figures(
        accuracy=accuracy,
        recall=recall,
        precision=precision,
        opening=_fit(ours[talking], theirs[talking]),
        rounding=_fit((mouths @ _ROUNDING)[talking], (reference @ _ROUNDING)[talking]),
        width=_fit((mouths @ _WIDTH)[talking], (reference @ _WIDTH)[talking]),
        onset=float(np.median(onsets)) if len(onsets) else float("nan"),
        onset_spread=float(np.percentile(np.abs(onsets), 90)) if len(onsets) else float("nan"),
        lag=_lag(ours, theirs),
        pause=float((ours[quiet] > 0.06).mean()),
    )


def _closures(of: Scene, mouths: Floats) -> tuple[float, float]:
    """Bilabials in which a picture of a 25 fps stream shows closed lips (the mean over its phases), and closures that
    are bilabials."""
    shut = closed(mouths)
    lips = [(start, end) for symbol, start, end in of.phonemes if symbol[:1] in ("p", "b", "m")]
    found, step = [], round(_FRAME / HOP)
    times = np.arange(len(shut)) * HOP
    for start, end in lips:
        near = (times > start - 0.04) & (times < end + 0.025)
        for phase in range(step):
            shown = near.copy()
            shown[np.arange(len(shut)) % step != phase] = False
            found.append(bool(shut[shown].any()))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(int), [0]])))
    right = [
        any(start - 0.06 < times[a:b].max() and times[a:b].min() < end + 0.05 for start, end in lips)
        for a, b in edges.reshape(-1, 2)
    ]
    return float(np.mean(found)) if found else float("nan"), float(np.mean(right)) if right else float("nan")


def _onsets(of: Scene, ours: Floats, theirs: Floats) -> npt.NDArray[np.float64]:
    """Milliseconds by which the model's mouth opens later, for each sentence that both open for."""
    out = []
    for start, _ in of.spans:
        first, last = round((start - 0.25) / HOP), round((start + 0.8) / HOP)
        moments = [np.flatnonzero(curve[first:last] > 0.1) for curve in (ours, theirs)]
        if all(len(moment) for moment in moments):
            out.append((moments[0][0] - moments[1][0]) * HOP * 1000)
    return np.array(out)


def _fit(one: Floats, other: Floats) -> float:
    if one.std() < 1e-6 or other.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _lag(ours: Floats, theirs: Floats) -> float:
    fits = {k: _fit(ours[20 + k : len(ours) - 20 + k], theirs[20:-20]) for k in range(-15, 16)}
    return max(fits, key=lambda k: fits[k]) * HOP * 1000


def table(name: str, voices: Sequence[Said], mouths: Callable[[Scene], tuple[Floats, Floats | None]]) -> list[str]:
    """Rows of the card: clean and at 10 dB."""
    rows = []
    for noise_db in (None, 10.0):
        of = scene(voices, noise_db, 5)
        f = figures(of, *mouths(of))
        accuracy = "–" if np.isnan(f.accuracy) else f"{100 * f.accuracy:.0f} %"
        precision = "–" if np.isnan(f.precision) else f"{100 * f.precision:.0f} %"
        rows.append(
            f"| {name} | {'clean' if noise_db is None else f'{noise_db:.0f} dB'} | {accuracy} | {100 * f.recall:.0f} % "
            f"| {precision} | {f.opening:.2f} | {f.rounding:.2f} | {f.width:.2f} | {f.onset:+.0f} ({f.onset_spread:.0f}) "
            f"| {f.lag:+.0f} | {100 * f.pause:.1f} % |"
        )
    return rows


HEADER = (
    "| voices | noise | viseme | closures found | closures right | opening r | rounding r | width r "
    "| onset ms (90 % within) | lag ms | open in pauses |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
