"""Gives a network whose weights are constant seeded ones, so that its outputs depend on its input."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import pi, prod, sqrt

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from legion.model.model import Array

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_HANDS_ON = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze"})
_SCALING = frozenset({("BatchNormalization", 1), ("BatchNormalization", 4), ("Mul", 0), ("Mul", 1), ("Div", 1)})
_RELU_GAIN = 2.0
_CENTRED_RELU_GAIN = 2.0 / (1.0 - 0.75 / pi)
"""Variances that weights need for activations to keep their size behind a Relu; centred ones damp its mean."""

_FEWEST_CENTRED_CHANNELS = 16
_BRANCH_GAIN = 0.4
"""Scale of a normalisation whose output is added to another, so that sums of many blocks stay small."""

_IR_VERSION = 10

_Readers = Mapping[str, list[tuple[onnx.NodeProto, int]]]


def reseed(model: onnx.ModelProto, seed: int = 0) -> onnx.ModelProto:
    """A copy whose constant float weights are drawn anew: initializers of one value, and fills of known shape.

    What an operator multiplies by is scaled by the fan-in (weights) or near one (scales, variances); what
    it adds is near zero. Single numbers and integers stay. The same seed gives the same weights.
    """
    graph = model.graph
    readers = _readers(graph)
    generator = np.random.default_rng(seed)
    drawn = {name: _draw(generator, readers, name, shape) for name, shape in _constant_weights(graph).items()}
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    initializers.update({name: numpy_helper.from_array(values, name) for name, values in drawn.items()})
    return _rebuilt(
        model,
        onnx.GraphProto(
            name=graph.name,
            node=[node for node in graph.node if drawn.keys().isdisjoint(node.output)],
            input=[port for port in graph.input if port.name not in initializers],
            output=graph.output,
            initializer=initializers.values(),
        ),
    )


def before_softmax(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which an output that a Softmax makes is replaced by what the Softmax reads."""
    graph = model.graph
    outputs = {port.name for port in graph.output}
    last = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Softmax" and n.output[0] in outputs}
    return _rebuilt(
        model,
        onnx.GraphProto(
            name=graph.name,
            node=[node for node in graph.node if node.output[0] not in last],
            input=graph.input,
            output=[onnx.ValueInfoProto(name=last.get(port.name, port.name), type=port.type) for port in graph.output],
            initializer=graph.initializer,
        ),
    )


def _rebuilt(model: onnx.ModelProto, graph: onnx.GraphProto) -> onnx.ModelProto:
    """The model with another graph; files older than IR 4 would list each initializer as an input too."""
    ir_version = max(model.ir_version, _IR_VERSION)
    return onnx.ModelProto(ir_version=ir_version, opset_import=model.opset_import, graph=graph)


def _constant_weights(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of the float tensors, of more than one element, that hold one value throughout."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes = {
        name: values.shape
        for name, values in arrays.items()
        if values.dtype == np.float32 and values.size > 1 and np.ptp(values) == 0
    }
    for node in graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in arrays and _fills_with_floats(node):
            shapes[node.output[0]] = tuple(arrays[node.input[0]].tolist())
    return shapes


def _fills_with_floats(node: onnx.NodeProto) -> bool:
    return all(attribute.t.data_type == TensorProto.FLOAT for attribute in node.attribute)


def _readers(graph: onnx.GraphProto) -> _Readers:
    readers: dict[str, list[tuple[onnx.NodeProto, int]]] = defaultdict(list)
    for node in graph.node:
        for position, name in enumerate(node.input):
            readers[name].append((node, position))
    return readers


def _uses(readers: _Readers, name: str) -> Iterator[tuple[onnx.NodeProto, int]]:
    """The operators that compute with a tensor, and at which position, past views of it."""
    for node, position in readers.get(name, ()):
        if node.op_type in _HANDS_ON and position == 0:
            yield from _uses(readers, node.output[0])
        else:
            yield node, position


def _draw(generator: np.random.Generator, readers: _Readers, name: str, shape: tuple[int, ...]) -> Array:
    node, position = next(_uses(readers, name), (onnx.NodeProto(), 0))
    if node.op_type in _WEIGHTED and position == 1:
        return _draw_weights(generator, shape, _input_axis(node, len(shape)))
    if (node.op_type, position) in _SCALING:
        is_branch_end = node.op_type == "BatchNormalization" and position == 1 and _is_summed(readers, node)
        gain = _BRANCH_GAIN if is_branch_end else 1.0
        return (gain * generator.uniform(0.8, 1.2, shape)).astype(np.float32)
    return generator.uniform(-0.1, 0.1, shape).astype(np.float32)


def _is_summed(readers: _Readers, node: onnx.NodeProto) -> bool:
    return any(reader.op_type in ("Add", "Sum") for reader, _ in _uses(readers, node.output[0]))


def _draw_weights(generator: np.random.Generator, shape: tuple[int, ...], input_axis: int) -> Array:
    """Normal weights scaled by the fan-in and, over many input channels, half centred.

    The mean that activations have behind a Relu grows from layer to layer until it drowns what
    distinguishes one input from another; but without it, rounding errors grow as fast as that does.
    Halved, outputs move by about a percent or more with the input, and by a millionth or two with rounding.
    """
    fan_in = prod(shape) // shape[1 - input_axis]
    weights = generator.standard_normal(shape, dtype=np.float32)
    if shape[input_axis] < _FEWEST_CENTRED_CHANNELS:
        return weights * np.float32(sqrt(_RELU_GAIN / fan_in))
    weights -= weights.mean(axis=input_axis, keepdims=True) / 2
    return weights * np.float32(sqrt(_CENTRED_RELU_GAIN / fan_in))


def _input_axis(node: onnx.NodeProto, rank: int) -> int:
    """The axis of a weight that runs over input channels; the other of the two runs over output channels."""
    transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    if node.op_type == "MatMul":
        return rank - 2
    return 0 if node.op_type == "ConvTranspose" or (node.op_type == "Gemm" and not transposed) else 1
