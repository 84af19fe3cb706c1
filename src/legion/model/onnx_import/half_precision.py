"""Turns float16 models into float32 ones: they are computed in float32 and rounded at the outputs."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from legion.errors import InputError
from legion.model.model import Array

_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "precision", "softmax_precision", "stash_type"})


def widen_array(values: Array) -> Array:
    """The same values, float32 in place of float16."""
    return values.astype(np.float32) if values.dtype == np.float16 else values


def widen_graph(graph: onnx.GraphProto) -> None:
    """Replace float16 by float32 in place: ports, initializers, attributes, and graphs inside them.

    Raises InputError for a constant whose values do not fit its shape.
    """
    _widen_tensors(graph.initializer)
    for port in [*graph.input, *graph.output, *graph.value_info]:
        if port.type.tensor_type.elem_type == TensorProto.FLOAT16:
            port.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            _widen_attribute(attribute)


def _widen_attribute(attribute: onnx.AttributeProto) -> None:
    if attribute.HasField("g"):
        widen_graph(attribute.g)
    elif attribute.HasField("t"):
        _widen_tensors([attribute.t])
    elif attribute.name in _TYPE_ATTRIBUTES and attribute.i == TensorProto.FLOAT16:
        attribute.i = TensorProto.FLOAT


def _widen_tensors(tensors: Iterable[onnx.TensorProto]) -> None:
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT16:
            try:
                values = numpy_helper.to_array(tensor)
            except ValueError as exc:
                raise InputError("a float16 constant does not fit its shape; export the model again") from exc
            tensor.CopyFrom(numpy_helper.from_array(widen_array(values), tensor.name))
