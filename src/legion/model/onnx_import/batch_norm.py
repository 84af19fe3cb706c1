"""Folds a batch normalisation into the convolution or Gemm whose output it alone reads."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from legion.model.model import Array
from legion.model.onnx_import.graph import Graph

_LINEAR = frozenset({"Conv", "ConvTranspose", "Gemm"})
_DEFAULT_EPSILON = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Affine:
    """y = x * scale + shift per channel, in float64."""

    scale: Array
    shift: Array


def fold_batch_normalizations(graph: Graph) -> None:
    """Scale weights and biases in float64 and round them once, so that the normalisation disappears.

    One on anything but the only use of a constant-weight Conv, ConvTranspose or Gemm stays as it is.
    """
    producers = graph.producers()
    counts = graph.reader_counts()
    folded: set[str] = set()
    for node in graph.nodes:
        linear = producers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if linear is None or linear.op_type not in _LINEAR or counts[node.input[0]] > 1:
            continue
        if not all(name in graph.constants for name in [*node.input[1:], *linear.input[1:]]):
            continue
        _scale_weights(graph, linear, _affine_of(graph, node))
        linear.output[0] = node.output[0]
        producers[node.output[0]] = linear
        folded.add(node.output[0])
    graph.nodes = [node for node in graph.nodes if node.op_type != "BatchNormalization" or node.output[0] not in folded]


def _affine_of(graph: Graph, node: onnx.NodeProto) -> _Affine:
    scale, shift, mean, variance = (graph.constants[name].astype(np.float64) for name in node.input[1:5])
    factor = scale / np.sqrt(variance + _attribute(node, "epsilon", _DEFAULT_EPSILON))
    return _Affine(scale=factor, shift=shift - mean * factor)


def _scale_weights(graph: Graph, linear: onnx.NodeProto, affine: _Affine) -> None:
    weight = graph.constants[linear.input[1]]
    offset = graph.constants[linear.input[2]] if len(linear.input) > 2 else np.zeros(1, weight.dtype)
    if linear.op_type == "Gemm":
        offset = offset * _attribute(linear, "beta", 1.0)
        _remove_attribute(linear, "beta")
    scaled = weight.astype(np.float64) * _factors(linear, weight, affine.scale)
    shifted = offset.astype(np.float64) * affine.scale + affine.shift
    linear.input[1:] = [
        graph.add_constant(f"{linear.input[1]}/normalized", scaled.astype(weight.dtype)),
        graph.add_constant(f"{linear.output[0]}/bias", shifted.astype(weight.dtype)),
    ]


def _factors(linear: onnx.NodeProto, weight: Array, scale: Array) -> Array:
    """The scale of output channels, shaped so that it multiplies the weights."""
    trailing = (1,) * (weight.ndim - 2)
    if linear.op_type == "Conv":
        return scale.reshape(-1, 1, *trailing)
    if linear.op_type == "Gemm":
        return scale.reshape(-1, 1) if _attribute(linear, "transB", 0) else scale
    groups = int(_attribute(linear, "group", 1))
    per_group = scale.reshape(groups, 1, -1)
    return np.broadcast_to(per_group, (groups, weight.shape[0] // groups, weight.shape[1])).reshape(
        *weight.shape[:2], *trailing
    )


def _attribute(node: onnx.NodeProto, name: str, default: float) -> float:
    return next((float(helper.get_attribute_value(a)) for a in node.attribute if a.name == name), default)


def _remove_attribute(node: onnx.NodeProto, name: str) -> None:
    for attribute in node.attribute:
        if attribute.name == name:
            node.attribute.remove(attribute)
            break
