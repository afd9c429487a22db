"""Edits of the synthesisers' ONNX graphs, made when the models are assembled.

As shipped, hibari's graph does not tell how long each phoneme sounds, although it computes it on the way (a rounded,
clipped tensor of frames of 25 ms, one for each token, pads included). Kokoro's is cut in two
(``visavis.speech.streaming.graph``).
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

from visavis.speech.streaming import graph as kokoro

DURATIONS = "durations"
"""Name of the new output: float32, shape (1, tokens), frames of ``FRAME_SECONDS``."""
FRAME_SECONDS = 0.025

_HIBARI_DURATIONS = "/Clip_output_0"


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


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "front": kokoro.front,
    "generator": kokoro.generator,
    "hibari": timed_hibari,
}
"""By the name of ``ModelFile.edit``: the shipped graph to the one that is used."""
