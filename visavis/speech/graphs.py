"""Edits of the synthesisers' ONNX graphs: phoneme durations come out, a pitch factor goes in.

As shipped, neither graph tells how long each phoneme sounds, although both compute it on the way (a rounded, clipped
tensor of frames of 25 ms, one for each token, pads included). Kokoro also computes a curve of the fundamental frequency
that its decoder follows; a factor on it changes the pitch and leaves the formants, hence the speaker, alone.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

DURATIONS = "durations"
"""Name of the new output: float32, shape (1, tokens), frames of ``FRAME_SECONDS``."""
PITCH = "pitch"
"""Name of Kokoro's new input: float32, shape (1,), factor on the fundamental frequency."""
FRAME_SECONDS = 0.025

_KOKORO_DURATIONS = "/encoder/Clip_output_0"
_KOKORO_F0 = "/encoder/F0_proj/Conv_output_0"
_HIBARI_DURATIONS = "/Clip_output_0"


def timed_kokoro(graph: bytes) -> bytes:
    """Kokoro's graph with ``DURATIONS`` and ``PITCH``."""
    model = onnx.load_model_from_string(graph)
    _expose(model, _KOKORO_DURATIONS)
    nodes = model.graph.node
    reader = next(i for i, node in enumerate(nodes) if _KOKORO_F0 in node.input)
    for node in nodes:
        node.input[:] = ["pitched_f0" if name == _KOKORO_F0 else name for name in node.input]
    nodes.insert(reader, helper.make_node("Mul", [_KOKORO_F0, PITCH], ["pitched_f0"], name="visavis_pitch"))
    model.graph.input.append(helper.make_tensor_value_info(PITCH, TensorProto.FLOAT, [1]))
    return bytes(model.SerializeToString(deterministic=True))


def timed_hibari(graph: bytes) -> bytes:
    """hibari's graph with ``DURATIONS``; its pitch curve is an output already and is changed outside."""
    model = onnx.load_model_from_string(graph)
    _expose(model, _HIBARI_DURATIONS)
    return bytes(model.SerializeToString(deterministic=True))


def _expose(model: onnx.ModelProto, tensor: str) -> None:
    """Add the graph output ``DURATIONS``, a copy of ``tensor``."""
    if not any(tensor in node.output for node in model.graph.node):
        raise ValueError(f"the graph has no tensor {tensor!r}")
    model.graph.node.append(helper.make_node("Identity", [tensor], [DURATIONS], name="visavis_durations"))
    model.graph.output.append(helper.make_tensor_value_info(DURATIONS, TensorProto.FLOAT, None))
