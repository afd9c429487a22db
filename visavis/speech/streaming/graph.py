"""Kokoro's graph cut in two: what looks at a whole clause once, and the generator of its waveform, made anew.

The front (text encoder, prosody, the decoder's trunk at 80 Hz) costs a tenth and is taken as it
is. The generator (an iSTFTNet: two stages of transposed convolution and residual blocks with snake activations) is
built again from the same weights, because three things about it must change:

- Each adaptive instance normalisation measures mean and variance over the whole clause, which a window does not know.
  Here it is one multiplication and one addition for each channel, whose factors come from outside: a window then
  gives, sample for sample, what the whole would give.
- Weights stay int8 as shipped, but activations are float. Quantising those at run time cost more than it saved, and it
  is the larger part of the noise that int8 makes.
- Convolutions are two-dimensional with one row: onnxruntime has blocked kernels for those only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

FRAME_SAMPLES = 300
"""Of the trunk: 80 frames of 12.5 ms for each second of sound."""
SOURCE_STEPS = 60
"""Steps of the harmonic source for each frame of the trunk; it has one more at the end."""
TRUNK_CHANNELS = 512
SOURCE_CHANNELS = 22

_GENERATOR = "/decoder/decoder/generator/"
_WEIGHTS = "decoder.decoder.generator."
_TRUNK = "/decoder/decoder/decode.3/Div_4_output_0"
_DURATIONS = "/encoder/Clip_output_0"
_F0 = "/encoder/F0_proj/Conv_output_0"

_STAGES = 2
_KERNELS = 3
_DILATIONS = 3
_HOP = 5
_SPECTRUM = 20
_OVERLAP = 4.0
"""Factor of the inverse transform: its window over its hop."""
_EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Norm:
    """One normalisation of the generator: its place in the packed vectors of all."""

    name: str
    begin: int
    channels: int


def _blocks() -> list[str]:
    noise = [f"noise_res.{stage}" for stage in range(_STAGES)]
    return noise + [f"resblocks.{i}" for i in range(_STAGES * _KERNELS)]


def _norm_names() -> list[str]:
    return [f"{block}/adain{half}.{i}" for block in _blocks() for i in range(_DILATIONS) for half in (1, 2)]


def _channels(name: str) -> int:
    block, _, rest = name.partition("/")[0].partition(".")
    stage = int(rest) if block == "noise_res" else int(rest) // _KERNELS
    return 256 >> stage


def norms() -> list[Norm]:
    """All normalisations, in the order of the packed vectors."""
    found, at = [], 0
    for name in _norm_names():
        found.append(Norm(name, at, _channels(name)))
        at += found[-1].channels
    return found


NORM_CHANNELS = sum(norm.channels for norm in norms())
"""Length of the packed vectors."""


def front(graph: bytes) -> bytes:
    """From Kokoro's graph as shipped, what comes before the generator.

    Inputs: ``tokens`` int64 (1, n), ``style`` (1, 256), ``speed`` (1,), ``pitch`` (1,): a factor on the fundamental
    frequency. Outputs: ``trunk`` (1, 512, frames), ``f0`` (frames values, Hz), ``style_gain`` and ``style_shift``
    (NORM_CHANNELS,), ``durations`` (1, n): frames of 25 ms for each token.
    """
    model = onnx.load_model_from_string(graph)
    names = {name for node in model.graph.node for name in node.output}
    for tensor in (_TRUNK, _DURATIONS, _F0):
        if tensor not in names:
            raise ValueError(f"the graph has no tensor {tensor!r}")
    nodes = model.graph.node
    reader = next(i for i, node in enumerate(nodes) if _F0 in node.input)
    for node in nodes:
        node.input[:] = ["pitched_f0" if name == _F0 else name for name in node.input]
    nodes.insert(reader, helper.make_node("Mul", [_F0, "pitch"], ["pitched_f0"], name="visavis_pitch"))
    model.graph.input.append(helper.make_tensor_value_info("pitch", TensorProto.FLOAT, [1]))
    for tensor, name in ((_TRUNK, "trunk"), ("pitched_f0", "f0"), (_DURATIONS, "durations")):
        nodes.append(helper.make_node("Identity", [tensor], [name], name=f"visavis_{name}"))
    halves: tuple[list[str], list[str]] = ([], [])
    for norm in norms():
        parts = [f"visavis/{norm.name}/{half}" for half in ("gain", "shift")]
        nodes.append(helper.make_node("Split", [f"{_GENERATOR}{norm.name}/fc/Gemm_output_0"], parts, axis=1))
        nodes[-1].attribute.append(helper.make_attribute("num_outputs", 2))
        for half, part in zip(halves, parts, strict=True):
            half.append(part)
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), "visavis_flat"))
    outputs = ["trunk", "f0", "durations"]
    for name, half in zip(("style_gain", "style_shift"), halves, strict=True):
        nodes.append(helper.make_node("Concat", half, [f"visavis_{name}"], axis=1))
        nodes.append(helper.make_node("Reshape", [f"visavis_{name}", "visavis_flat"], [name]))
        outputs.append(name)
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs)
    _prune(model)
    return bytes(model.SerializeToString(deterministic=True))


def _prune(model: ModelProto) -> None:
    """Remove what no output depends on."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    kept.reverse()
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(weights)


def generator(graph: bytes, *, measuring: bool = False) -> bytes:
    """From Kokoro's graph as shipped, its generator.

    Inputs: ``trunk`` (1, 512, frames), ``source`` (1, 22, 60 frames + 1), ``gain`` and ``shift`` (1, NORM_CHANNELS, 1,
    1): what each channel is multiplied by and what is added. Output: ``sound`` (300 frames,).

    ``measuring``: instead normalises over the sound that it is given, as the original does; ``gain`` and ``shift``
    then act on normalised channels, and the outputs ``mean`` and ``variance`` (NORM_CHANNELS,) tell what was found.
    """
    return bytes(_Builder(graph, measuring).build().SerializeToString(deterministic=True))


class _Builder:
    def __init__(self, graph: bytes, measuring: bool) -> None:
        shipped = onnx.load_model_from_string(graph).graph
        self._shipped = {weight.name: weight for weight in shipped.initializer}
        self._by_name = {node.name: node for node in shipped.node if node.name.startswith(_GENERATOR)}
        self._norms = {norm.name: norm for norm in norms()}
        self._measuring = measuring
        self._measured: dict[int, tuple[str, str]] = {}
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def build(self) -> ModelProto:
        trunk, source = (self._op("Unsqueeze", name, self._ints(2)) for name in ("trunk", "source"))
        x = trunk
        for stage in range(_STAGES):
            x = self._op("LeakyRelu", x, alpha=0.1)
            noise = self._residual(f"noise_res.{stage}", self._conv(f"noise_convs.{stage}", source))
            x = self._upsample(stage, x)
            if stage == _STAGES - 1:
                x = self._op("Pad", x, self._ints(0, 0, 0, 1, 0, 0, 0, 0), mode="reflect")
            x = self._op("Add", x, noise)
            parts = [self._residual(f"resblocks.{stage * _KERNELS + i}", x) for i in range(_KERNELS)]
            x = self._op("Add", self._op("Add", parts[0], parts[1]), parts[2])
            x = self._op("Mul", x, self._const(np.float32(1 / _KERNELS)))
        spectrum = self._conv("conv_post", self._op("LeakyRelu", x, alpha=0.01))
        self._inverse(self._op("Squeeze", spectrum, self._ints(2)))
        outputs = ["sound"]
        if self._measuring:
            outputs += ["mean", "variance"]
            found = [self._measured[begin] for begin in sorted(self._measured)]
            for name, tensors in zip(outputs[1:], zip(*found, strict=True), strict=True):
                self._output("Reshape", name, self._op("Concat", *tensors, axis=1), self._ints(-1))
        shape = [1, NORM_CHANNELS, 1, 1]
        inputs: dict[str, Sequence[int | str]] = {
            "trunk": [1, TRUNK_CHANNELS, "frames"],
            "source": [1, SOURCE_CHANNELS, "steps"],
            "gain": shape,
            "shift": shape,
        }
        made = helper.make_graph(
            self._nodes,
            "generator",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self._weights,
        )
        return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def _output(self, kind: str, name: str, *inputs: str) -> None:
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name))

    def _const(self, value: Any) -> str:
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name))
        return name

    def _ints(self, *values: int) -> str:
        return self._const(np.array(values, np.int64))

    def _array(self, name: str) -> Any:
        return numpy_helper.to_array(self._shipped[name])

    def _conv(self, key: str, x: str, divisor: Any = None) -> str:
        """``divisor``: of each input channel, folded into the weights. int8 weights stay so in the file; the runtimes
        make floats of them when they load it."""
        quantised = self._by_name.get(f"{_GENERATOR}{key}/Conv_quant")
        node = quantised or self._by_name[f"{_GENERATOR}{key}/Conv"]
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        weight = self._array(node.input[1])[:, :, None, :]
        kernel = list(weight.shape[2:])
        if quantised:
            name = node.input[1]
            stem = name.removesuffix("_quantized")
            scale = np.float32(self._array(f"{stem}_scale"))
            factor = np.full((1, weight.shape[1], 1, 1), scale, np.float32)
            if divisor is not None:
                factor = factor / divisor.reshape(1, -1, 1, 1)
            whole = self._op("Cast", self._const(weight), to=TensorProto.FLOAT)
            zero = np.float32(self._array(node.input[3]))
            centred = self._op("Sub", whole, self._const(zero)) if zero else whole
            tensor = self._op("Mul", centred, self._const(factor))
        else:
            tensor = self._const(weight)
        bias = self._const(self._array(f"{_WEIGHTS}{key.replace('/', '.')}.bias"))
        before, after = attributes["pads"]
        return self._op(
            "Conv",
            x,
            tensor,
            bias,
            kernel_shape=kernel,
            pads=[0, before, 0, after],
            strides=[1, *attributes["strides"]],
            dilations=[1, *attributes["dilations"]],
        )

    def _upsample(self, stage: int, x: str) -> str:
        node = self._by_name[f"{_GENERATOR}ups.{stage}/ConvTranspose"]
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        weight = self._array(node.input[1])[:, :, None, :]
        before, after = attributes["pads"]
        return self._op(
            "ConvTranspose",
            x,
            self._const(weight),
            self._const(self._array(node.input[2])),
            kernel_shape=list(weight.shape[2:]),
            pads=[0, before, 0, after],
            strides=[1, *attributes["strides"]],
        )

    def _residual(self, block: str, x: str) -> str:
        for i in range(_DILATIONS):
            y = x
            for half in (1, 2):
                alpha = self._array(f"{_WEIGHTS}{block}.alpha{half}.{i}").reshape(-1).astype(np.float32)
                # snake(u) = u + sin(alpha u)^2 / alpha, with alpha u as the variable and 1 / alpha in the weights.
                p = self._normalised(self._norms[f"{block}/adain{half}.{i}"], y, alpha)
                sine = self._op("Sin", p)
                y = self._conv(f"{block}/convs{half}.{i}", self._op("Add", p, self._op("Mul", sine, sine)), alpha)
            x = self._op("Add", x, y)
        return x

    def _normalised(self, norm: Norm, x: str, alpha: Any) -> str:
        if self._measuring:
            last = self._ints(-1)
            mean = self._op("ReduceMean", x, last, keepdims=1)
            x = self._op("Sub", x, mean)
            variance = self._op("ReduceMean", self._op("Mul", x, x), last, keepdims=1)
            self._measured[norm.begin] = mean, variance
            x = self._op("Div", x, self._op("Sqrt", self._op("Add", variance, self._const(np.float32(_EPSILON)))))
        begin, end, axis = self._ints(norm.begin), self._ints(norm.begin + norm.channels), self._ints(1)
        by = self._const(alpha.reshape(1, -1, 1, 1))
        gain, shift = (self._op("Mul", self._op("Slice", name, begin, end, axis), by) for name in ("gain", "shift"))
        return self._op("Add", self._op("Mul", x, gain), shift)

    def _inverse(self, spectrum: str) -> None:
        """Magnitudes and phases to the waveform."""
        half = SOURCE_CHANNELS // 2
        axis = self._ints(1)
        magnitude = self._op("Exp", self._op("Slice", spectrum, self._ints(0), self._ints(half), axis))
        phase = self._op("Sin", self._op("Slice", spectrum, self._ints(half), self._ints(2 * half), axis))
        parts = [self._op("Mul", magnitude, self._op(kind, phase)) for kind in ("Cos", "Sin")]
        basis = self._array(f"{_WEIGHTS}stft.istft.stft.inverse_basis").astype(np.float32) * np.float32(_OVERLAP)
        cut = _SPECTRUM // 2
        sound = self._op(
            "ConvTranspose",
            self._op("Concat", *parts, axis=1),
            self._const(basis),
            kernel_shape=[_SPECTRUM],
            strides=[_HOP],
            pads=[cut, cut],
        )
        self._output("Reshape", "sound", sound, self._ints(-1))
