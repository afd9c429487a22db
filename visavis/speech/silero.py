"""Silero's voice activity detector on onnxruntime: about 0.2 ms for each frame of 32 ms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from visavis.speech import models
from visavis.speech.types import Pcm

SAMPLE_RATE = 16000
FRAME_SAMPLES = 512
_CONTEXT = 64
"""Samples of the previous frame that the model wants in front of each frame."""
_SETTLED = 31
"""Frames of quiet, 1 s, with which a detector begins: from nothing it needs some to know a voice, and misses the beginning of one."""


class SileroModel:
    """The weights, shared by all sessions of a worker. Thread-safe."""

    def __init__(self, models_dir: Path) -> None:
        models.assemble(models_dir)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            str(models_dir / "silero" / "silero_vad.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.settled = np.zeros((2, 1, 128), np.float32)
        """The state of a detector that has heard quiet for a while."""
        quiet = SileroActivity(self)
        noise = np.random.default_rng(0).integers(-4, 5, (_SETTLED, FRAME_SAMPLES)).astype(np.int16)
        for frame in noise:
            quiet.probability(frame)
        self.settled = quiet.state

    def activity(self) -> SileroActivity:
        """A detector of its own for one session."""
        return SileroActivity(self)


class SileroActivity:
    """Implements ``VoiceActivity``: 16 kHz, frames of 512 samples. Stateful: one for each session."""

    def __init__(self, model: SileroModel) -> None:
        self._session, self._settled = model.session, model.settled
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self.state = model.settled
        self._input = np.zeros((1, _CONTEXT + FRAME_SAMPLES), np.float32)

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    @property
    def frame_samples(self) -> int:
        return FRAME_SAMPLES

    def probability(self, frame: Pcm) -> float:
        """Probability (0..1) that somebody speaks in ``frame`` (int16, exactly ``frame_samples`` long)."""
        if frame.shape != (FRAME_SAMPLES,):
            raise ValueError(f"a frame has {FRAME_SAMPLES} samples, not shape {frame.shape}")
        self._input[0, _CONTEXT:] = frame / np.float32(32768.0)
        probability, self.state = self._session.run(None, {"input": self._input, "state": self.state, "sr": self._rate})
        self._input[0, :_CONTEXT] = self._input[0, -_CONTEXT:]
        return float(probability[0, 0])

    def reset(self) -> None:
        """Forget what was heard."""
        self.state = self._settled
        self._input = np.zeros_like(self._input)
