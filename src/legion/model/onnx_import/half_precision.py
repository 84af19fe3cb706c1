"""Turns float16 models into float32 ones: they are computed in float32 and rounded where tensors are kept or given."""

from collections.abc import Collection, Iterable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from legion.errors import InputError
from legion.model.model import Array
from legion.model.onnx_import.editing import graphs_of, nodes_of

_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "precision", "softmax_precision", "stash_type"})


def widen_array(values: Array) -> Array:
    """The same values, float32 in place of float16."""
    return values.astype(np.float32) if values.dtype == np.float16 else values


def widen_graph(graph: onnx.GraphProto) -> None:
    """Replace float16 by float32 in place: ports, initializers, attributes, and graphs inside them.

    A tensor that a Cast makes and that Casts alone read stays float16: the file has it rounded there, and nothing
    computed of it. Raises InputError for a constant whose values do not fit its shape.
    """
    rounded = _rounded_tensors(graph)
    for inner in graphs_of(graph):
        _widen_tensors(inner.initializer)
        for port in [*inner.input, *inner.output, *inner.value_info]:
            if port.type.tensor_type.elem_type == TensorProto.FLOAT16:
                port.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in nodes_of(graph):
        for attribute in node.attribute if node.output[0] not in rounded else ():
            _widen_attribute(attribute)


def has_half_precision(graph: onnx.GraphProto) -> bool:
    """Whether any port, constant or operator of the file says float16."""
    ports = (port.type.tensor_type.elem_type for port in (*graph.input, *graph.output))
    constants = (tensor.data_type for inner in graphs_of(graph) for tensor in inner.initializer)
    attributes = (_type_said(attribute) for node in nodes_of(graph) for attribute in node.attribute)
    return any(TensorProto.FLOAT16 in types for types in (ports, constants, attributes))


def _rounded_tensors(graph: onnx.GraphProto) -> Collection[str]:
    """What a Cast to float16 makes, and Casts alone read."""
    made = {node.output[0] for node in graph.node if node.op_type == "Cast" and _says_half(node)}
    read = {name for node in nodes_of(graph) if node.op_type != "Cast" for name in node.input}
    given = {port.name for inner in graphs_of(graph) for port in inner.output}
    return made - read - given


def _says_half(node: onnx.NodeProto) -> bool:
    return any(_type_said(attribute) == TensorProto.FLOAT16 for attribute in node.attribute)


def _type_said(attribute: onnx.AttributeProto) -> int:
    """The type of tensor that an attribute holds or names; UNDEFINED for others."""
    if attribute.HasField("t"):
        return attribute.t.data_type
    return attribute.i if attribute.name in _TYPE_ATTRIBUTES else TensorProto.UNDEFINED


def _widen_attribute(attribute: onnx.AttributeProto) -> None:
    if _type_said(attribute) != TensorProto.FLOAT16:
        return
    if attribute.HasField("t"):
        _widen_tensors([attribute.t])
    else:
        attribute.i = TensorProto.FLOAT


def _widen_tensors(tensors: Iterable[onnx.TensorProto]) -> None:
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT16:
            try:
                values = numpy_helper.to_array(tensor)
            except ValueError as exc:
                raise InputError("a float16 constant does not fit its shape; export the model again") from exc
            tensor.CopyFrom(numpy_helper.from_array(widen_array(values), tensor.name))
