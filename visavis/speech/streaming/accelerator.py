"""What runs the generator: onnxruntime, or OpenVINO where it is installed and the processor multiplies bfloat16."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from visavis.log import get
from visavis.speech.engines import Stop, Stopped, run, session
from visavis.speech.streaming.graph import NORM_CHANNELS, SOURCE_CHANNELS, SOURCE_STEPS, TRUNK_CHANNELS
from visavis.speech.streaming.windows import Pace
from visavis.speech.timing import Sound

_log = get(__name__)
_WARM_FRAMES = 96
"""Up to this length OpenVINO is prepared when it is loaded; a longer window's first time costs a tenth of a second."""


class Generator(Protocol):
    """The generator's graph, loaded. ``name`` is part of the engine's version."""

    name: str
    pace: Pace

    def run(self, trunk: Sound, source: Sound, gain: Sound, shift: Sound, stop: Stop) -> Sound:
        """Shapes as in ``visavis.speech.streaming.graph.generator``. Raises Stopped."""
        ...


class OnnxGenerator:
    """On onnxruntime, in float32. ``threads``: of the processor."""

    name = "float32"
    pace = Pace(32, 1.3)

    def __init__(self, model: Path, threads: int) -> None:
        self._graph = session(model, threads)

    def run(self, trunk: Sound, source: Sound, gain: Sound, shift: Sound, stop: Stop) -> Sound:
        inputs = {"trunk": trunk, "source": source, "gain": gain, "shift": shift}
        return np.asarray(run(self._graph, inputs, stop)[0], np.float32)


class OpenVinoGenerator:
    """On OpenVINO, in bfloat16: a third of the time on processors that have AMX."""

    name = "bfloat16"
    pace = Pace(28, 1.7, 16)

    def __init__(self, model: Path, threads: int) -> None:
        """Raises RuntimeError when this processor cannot do it, ImportError without the package."""
        import openvino  # type: ignore[import-not-found]

        core = openvino.Core()
        if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeError("this processor multiplies no bfloat16")
        options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        graph = core.read_model(str(model))
        _sines_as_polynomials(graph)
        self._request = core.compile_model(graph, "CPU", options).create_infer_request()
        gain = np.zeros((1, NORM_CHANNELS, 1, 1), np.float32)
        for frames in range(self.pace.step, _WARM_FRAMES + 1, self.pace.step):
            trunk = np.zeros((1, TRUNK_CHANNELS, frames), np.float32)
            source = np.zeros((1, SOURCE_CHANNELS, SOURCE_STEPS * frames + 1), np.float32)
            self.run(trunk, source, gain, gain, Stop())

    def run(self, trunk: Sound, source: Sound, gain: Sound, shift: Sound, stop: Stop) -> Sound:
        if stop.is_set:
            raise Stopped
        request: Any = self._request
        with stop.calling(request.cancel):
            try:
                request.start_async({"trunk": trunk, "source": source, "gain": gain, "shift": shift})
                request.wait()
            except RuntimeError:
                if stop.is_set:
                    raise Stopped from None
                raise
        return np.array(request.get_output_tensor(0).data, np.float32)


def _sines_as_polynomials(graph: Any) -> None:
    """Replace each squared sine: OpenVINO computes a sine one number at a time, but sums and products many at once."""
    from openvino import opset13 as ops

    turn = np.linspace(0, 0.5, 2001)  # in turns of pi: sin(pi r)^2 has no other values
    factors = np.polyfit(turn**2, np.pi * np.sinc(turn), 4).astype(np.float32)
    for sine in graph.get_ordered_ops():
        users = [one.get_node() for one in sine.output(0).get_target_inputs()] if sine.get_type_name() == "Sin" else []
        if not users or any(user.get_type_name() != "Multiply" for user in users):
            continue
        angle = ops.multiply(sine.input_value(0), np.float32(1 / np.pi))
        rest = ops.subtract(angle, ops.round(angle, "half_to_even"))
        square = ops.multiply(rest, rest)
        series = ops.constant(factors[0])
        for factor in factors[1:]:
            series = ops.add(ops.multiply(series, square), factor)
        sine.output(0).replace(ops.multiply(series, rest).output(0))


def create_generator(model: Path, threads: int) -> Generator:
    """The fastest there is."""
    if importlib.util.find_spec("openvino") is not None:
        with contextlib.suppress(RuntimeError, ImportError):
            made = OpenVinoGenerator(model, threads)
            _log.info("the Mandarin voice runs on OpenVINO", precision=made.name)
            return made
    return OnnxGenerator(model, threads)
