"""Makes ONNX models of the shapes of Wav2Lip and LiteAvatar, whose behaviour can be foretold, with their engine.toml."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F = TensorProto.FLOAT


def _save(
    folder: Path, name: str, nodes: list[onnx.NodeProto], inputs: dict, outputs: dict, **constants: np.ndarray
) -> str:
    graph = helper.make_graph(
        nodes,
        "lips",
        [helper.make_tensor_value_info(key, F, shape) for key, shape in inputs.items()],
        [helper.make_tensor_value_info(key, F, shape) for key, shape in outputs.items()],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (folder / name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def wav2lip(folder: Path) -> Path:
    """mel (1, 1, 80, 16) and face (1, 6, 96, 96) -> (1, 3, 96, 96): the second three channels, dyed red by loudness."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes = [
        helper.make_node("ReduceMean", ["mel_spectrogram"], ["level"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Add", ["level", "four"], ["above"]),
        helper.make_node("Mul", ["above", "dye"], ["dyed"]),
        helper.make_node("Slice", ["video_frames", "starts", "ends", "axes"], ["whole"]),
        helper.make_node("Add", ["whole", "dyed"], ["sum"]),
        helper.make_node("Clip", ["sum", "zero", "one"], ["predicted_frames"]),
    ]
    sha = _save(
        folder,
        "wav2lip.onnx",
        nodes,
        {"mel_spectrogram": ["n", 1, 80, 16], "video_frames": ["n", 6, 96, 96]},
        {"predicted_frames": ["n", 3, 96, 96]},
        four=np.array([4], np.float32),
        dye=np.array([-0.5, -0.5, 0.7], np.float32).reshape(1, 3, 1, 1),
        starts=np.array([3], np.int64),
        ends=np.array([6], np.int64),
        axes=np.array([1], np.int64),
        zero=np.array(0, np.float32),
        one=np.array(1, np.float32),
    )
    (folder / "engine.toml").write_text(
        f"""
format = "visavis-lip-engine"
version = 1
name = "shape of wav2lip"
licence = "test"
[audio]
kind = "mel"
steps = 16
[face]
kind = "masked_pair"
size = 96
[[stages]]
file = "wav2lip.onnx"
sha256 = "{sha}"
inputs = {{ mel_spectrogram = "audio", video_frames = "face" }}
outputs = {{ predicted_frames = "patch" }}
"""
    )
    return folder


def lite_avatar(folder: Path) -> Path:
    """Sound (1, 8000) -> 32 parameters; parameters and face (1, 3, 128, 128) -> a patch (1, 3, 64, 64), -1..1, RGB."""
    folder.mkdir(parents=True, exist_ok=True)
    first = _save(
        folder,
        "mouth.onnx",
        [
            helper.make_node("Abs", ["au"], ["abs"]),
            helper.make_node("ReduceMean", ["abs"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["mean", "ones"], ["params"]),
        ],
        {"au": [1, 8000]},
        {"params": [1, 32]},
        ones=np.ones((1, 32), np.float32),
    )
    second = _save(
        folder,
        "paint.onnx",
        [
            helper.make_node("ReduceMean", ["params"], ["one"], axes=[1], keepdims=1),
            helper.make_node("Reshape", ["one", "shape"], ["level"]),
            helper.make_node("AveragePool", ["ref"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Add", ["half", "level"], ["patch"]),
        ],
        {"params": [1, 32], "ref": [1, 3, 128, 128]},
        {"patch": [1, 3, 64, 64]},
        shape=np.array([1, 1, 1, 1], np.int64),
    )
    (folder / "engine.toml").write_text(
        f"""
format = "visavis-lip-engine"
version = 1
name = "shape of lite avatar"
licence = "test"
[audio]
kind = "pcm"
before = 0.25
after = 0.25
[face]
kind = "plain"
size = 128
rgb = true
low = -1.0
high = 1.0
[painted]
box = [0.0, 0.0, 1.0, 1.0]
rgb = true
low = -1.0
high = 1.0
[[stages]]
file = "mouth.onnx"
sha256 = "{first}"
inputs = {{ au = "audio" }}
outputs = {{ params = "params" }}
[[stages]]
file = "paint.onnx"
sha256 = "{second}"
inputs = {{ params = "params", ref = "face" }}
outputs = {{ patch = "patch" }}
"""
    )
    return folder
