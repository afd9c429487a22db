"""Kokoro as a plain blocking function that gives a clause in windows: phonemes in, float sound and true timings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visavis.speech.engines import SAMPLE_RATE, Stop, run, session, timings
from visavis.speech.streaming.accelerator import Generator, create_generator
from visavis.speech.streaming.graph import FRAME_SAMPLES
from visavis.speech.streaming.source import HarmonicSource
from visavis.speech.streaming.windows import FRAME_SECONDS, plan
from visavis.speech.timing import Sound
from visavis.speech.types import PhonemeTiming

MARGIN = 300
"""Samples on either side of a window that are as good as its own, for whoever smooths over its edge."""
_BEFORE_SECONDS = 0.08
_AFTER_SECONDS = 0.3
"""How much of the pads around a clause is made: sound begins and ends a little outside of its phonemes' times."""


@dataclass(frozen=True, slots=True)
class KokoroVoice:
    """``styles``: one row for each number of tokens, shape (lengths, 256). ``statistics``: what the generator normalises by,
    shape (4, NORM_CHANNELS), see ``visavis.speech.voices.load_statistics``."""

    styles: Sound
    statistics: Sound

    def normalisation(self, share: float) -> tuple[Sound, Sound]:
        """Mean and standard deviation of each channel in a clause that is voice for ``share`` (0..1) of its time, and
        silence for the rest: short clauses have much silence around them, and it counts."""
        mean, mean_slope, variance, variance_slope = self.statistics
        return mean + share * mean_slope, np.exp((variance + share * variance_slope) / 2)


@dataclass(frozen=True, slots=True)
class Piece:
    """The sound of a clause from ``start``, seconds on the clock of its timings. ``before`` and ``after``: samples at its
    ends, at most MARGIN, that belong to its neighbours."""

    sound: Sound
    start: float
    before: int
    after: int
    timings: list[PhonemeTiming]
    """Of the phonemes in it, on the clause's clock."""
    last: bool


class Kokoro:
    """Kokoro-82M v1.0: many voices."""

    def __init__(self, folder: Path, threads: int) -> None:
        """``folder``: where the two halves of its graph are."""
        self._front = session(folder / "front.onnx", threads)
        self._outputs = [output.name for output in self._front.get_outputs()]
        self._generator: Generator = create_generator(folder / "generator.onnx", threads)

    @property
    def sounds_like(self) -> str:
        """Changes with the runtime where that changes the sound."""
        return self._generator.name

    def speak(
        self, phonemes: str, tokens: Sequence[int], voice: KokoroVoice, speed: float, pitch: float, stop: Stop
    ) -> Iterator[Piece]:
        """One clause, from a little before its first phoneme to a little after its last. ``tokens`` are at most as many as
        the voice has styles; ``speed`` and ``pitch`` are factors (1.0: as trained). Raises Stopped."""
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": voice.styles[len(tokens)][None],
            "speed": np.array([speed], np.float32),
            "pitch": np.array([pitch], np.float32),
        }
        made = dict(zip(self._outputs, run(self._front, inputs, stop), strict=True))
        trunk, source = made["trunk"], HarmonicSource(made["f0"].ravel())
        times = timings(phonemes, made["durations"])
        total = trunk.shape[2]
        spoken = [timing for timing in times if timing.phoneme]
        if not spoken:
            return
        mean, deviation = voice.normalisation(sum(t.end - t.start for t in spoken) / times[-1].end)
        gain = (1 + made["style_gain"]) / deviation
        shift = made["style_shift"] - gain * mean
        first = max(0, _frame(spoken[0].start - _BEFORE_SECONDS))
        last = min(total, _frame(spoken[-1].end + _AFTER_SECONDS))
        borders = [_frame(timing.start) for timing in times if spoken[0].start < timing.start <= spoken[-1].start]
        for window in plan(first, last, total, borders, self._generator.pace):
            frames = slice(window.context_begin, window.context_end)
            sound = self._generator.run(
                np.ascontiguousarray(trunk[:, :, frames]),
                source.window(window.context_begin, window.context_end)[None],
                gain.reshape(1, -1, 1, 1),
                shift.reshape(1, -1, 1, 1),
                stop,
            )
            begin = (window.begin - window.context_begin) * FRAME_SAMPLES
            end = (window.end - window.context_begin) * FRAME_SAMPLES
            before = min(MARGIN, begin) if window.begin > first else 0
            after = min(MARGIN, len(sound) - end) if window.end < last else 0
            start, finish = window.begin * FRAME_SECONDS, window.end * FRAME_SECONDS
            inside = [
                PhonemeTiming(t.phoneme, max(t.start, start), min(t.end, finish))
                for t in times
                if t.start < finish - FRAME_SECONDS / 2 and t.end > start + FRAME_SECONDS / 2
            ]
            yield Piece(sound[begin - before : end + after], start, before, after, inside, window.end == last)


def _frame(seconds: float) -> int:
    return round(seconds / FRAME_SECONDS)


assert FRAME_SAMPLES == FRAME_SECONDS * SAMPLE_RATE
