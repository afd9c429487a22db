"""hibari as a plain blocking function, phonemes in, float sound and true phoneme timings out; and what Kokoro
(``visavis.speech.streaming``) shares with it.

Both speak at 24 kHz and know nothing of text, of voices' names or of asyncio.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from visavis.speech.timing import Sound, phoneme_timings
from visavis.speech.types import PhonemeTiming

SAMPLE_RATE = 24000
FRAME_SECONDS = 0.025
"""Unit of both graphs' durations: 600 samples."""

_LATE_SECONDS = 0.0625
"""How much later than its sound both graphs' durations place a phoneme: the hiss of s and sh begins and ends that much
earlier (``tests/speech/test_speech_synthesis.py`` measures what is left). 2.5 frames: the decoders' reach."""


class Stopped(Exception):
    """The synthesis was stopped through its ``Stop``."""


class Stop:
    """Ends a running synthesis from another thread, within a few milliseconds."""

    def __init__(self) -> None:
        self.options = onnxruntime.RunOptions()
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._also: Callable[[], None] | None = None

    def set(self) -> None:
        self._event.set()
        self.options.terminate = True
        with self._lock:
            if self._also is not None:
                self._also()

    @contextlib.contextmanager
    def calling(self, end: Callable[[], None]) -> Iterator[None]:
        """While this is open, ``set`` also calls ``end``: for what does not run on onnxruntime."""
        with self._lock:
            self._also = end
        try:
            yield
        finally:
            with self._lock:
                self._also = None

    @property
    def is_set(self) -> bool:
        return self._event.is_set()


@dataclass(frozen=True, slots=True)
class Utterance:
    """Sound (float32, mono, SAMPLE_RATE, about -1..1) with timings that are contiguous from 0 to its end."""

    sound: Sound
    timings: list[PhonemeTiming]


def session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    """An inference session on the CPU that keeps no thread spinning when idle."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def run(graph: onnxruntime.InferenceSession, inputs: dict[str, Any], stop: Stop) -> list[Any]:
    """All outputs of the graph. Raises Stopped."""
    if stop.is_set:
        raise Stopped
    try:
        outputs: list[Any] = graph.run(None, inputs, stop.options)
    except Exception:
        # onnxruntime raises a bare Fail whose text says that it was told to end; no other sign tells it apart.
        if stop.is_set:
            raise Stopped from None
        raise
    return outputs


def timings(phonemes: Sequence[str], frames: Any) -> list[PhonemeTiming]:
    """Of a clause. ``frames``: FRAME_SECONDS for each phoneme and the pads around them; times are those of the sound."""
    seconds = [float(n) * FRAME_SECONDS for n in np.asarray(frames).ravel()]
    late = min(seconds[0], _LATE_SECONDS)  # taken from the pad before the speech, given to the one after it
    seconds[0], seconds[-1] = seconds[0] - late, seconds[-1] + late
    return phoneme_timings(["", *phonemes, ""], seconds)


class Hibari:
    """hibari's "heart": one English voice, about 0.02 s of one core for each second of sound."""

    def __init__(self, model: Path) -> None:
        from hibari import dsp  # type: ignore[import-untyped]

        self._graph = session(model, 1)
        self._dsp = dsp

    def speak(self, phonemes: str, tokens: Sequence[int], speed: float, pitch: float, stop: Stop) -> Utterance:
        """As Kokoro's. The noise in the sound is seeded, so the same phonemes always give the same sound."""
        inputs = {"ids": np.array([[0, *tokens, 0]], np.int64), "speed": np.array([speed], np.float32)}
        *spectra, f0, frames = run(self._graph, inputs, stop)
        parts = [part[0] for part in spectra]
        sound = self._dsp.synth(*parts, f0[0] * np.float32(pitch), np.random.default_rng(0))
        return Utterance(np.asarray(sound, np.float32), timings(phonemes, frames))
