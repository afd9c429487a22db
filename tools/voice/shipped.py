"""Kokoro's graph as the packages hold it, whole clauses with int8 activations: for voices without measured statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from visavis.speech import models
from visavis.speech.engines import Stop, Utterance, run, timings

_DURATIONS = "/encoder/Clip_output_0"
_F0 = "/encoder/F0_proj/Conv_output_0"


class ShippedKokoro:
    """Phonemes in, float sound at 24 kHz and true timings out."""

    def __init__(self) -> None:
        file = next(file for file in models.FILES if file.path == "kokoro/front.onnx")
        model = onnx.load_model_from_string(b"".join(part.locate().read_bytes() for part in file.parts))
        nodes = model.graph.node
        reader = next(i for i, node in enumerate(nodes) if _F0 in node.input)
        for node in nodes:
            node.input[:] = ["pitched_f0" if name == _F0 else name for name in node.input]
        nodes.insert(reader, helper.make_node("Mul", [_F0, "pitch"], ["pitched_f0"]))
        nodes.append(helper.make_node("Identity", [_DURATIONS], ["durations"]))
        model.graph.input.append(helper.make_tensor_value_info("pitch", TensorProto.FLOAT, [1]))
        model.graph.output.append(helper.make_tensor_value_info("durations", TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        graph = model.SerializeToString()
        self._graph = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def speak(
        self, phonemes: str, tokens: Sequence[int], styles: np.ndarray[Any, Any], speed: float, pitch: float
    ) -> Utterance:
        """``styles``: table of the voice, shape (lengths, 256)."""
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[len(tokens)][None],
            "speed": np.array([speed], np.float32),
            "pitch": np.array([pitch], np.float32),
        }
        sound, frames = run(self._graph, inputs, Stop())
        return Utterance(np.asarray(sound, np.float32).ravel(), timings(phonemes, frames))
