"""Lets a model take an image's bytes: their cast and normalisation become the first operators of its graph."""

from collections.abc import Mapping, Sequence
from math import isfinite
from os import PathLike

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from legion.errors import InputError
from legion.model.model import Array
from legion.model.normalization import ByteNormalization
from legion.model.onnx_import.accept import refuse_unsupported
from legion.model.onnx_import.editing import file_bytes, free_name, nodes_of, replace_nodes, taken_names
from legion.model.onnx_import.parse import parse, read
from legion.model.onnx_import.typed import DeclaredPort, declared_ports
from legion.model.onnx_import.versions import supported_opset

_FLOATS = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def prepare_model(
    source: str | PathLike[str] | bytes, normalization: ByteNormalization, *, input_name: str | None = None
) -> bytes:
    """The model as an ONNX file whose input is uint8, of the same name and shape (batch, channels, rows, columns).

    `source` is the path of an ONNX file or its bytes; `input_name` may be left out where there is one input. Bytes
    become `(byte - mean) * (1 / deviation)`, in float32 unless the input was float64; what read the input reads that.
    It stays in front of the first layer's padding, so that borders are padded with zero as before.

    Raises InputError when the model cannot be read, the input is unknown, takes no floats or no images, or is an output
    as well, and when the normalisation does not suit its channels.
    """
    model = read(source)
    checked, weights = parse(model)
    supported_opset(checked)
    refuse_unsupported(checked)
    declared = declared_ports(checked, weights)
    name = _chosen(declared.inputs, input_name)
    channels = _channels(name, declared.inputs[name])
    if name in declared.outputs:
        raise InputError(f"input {name!r} is also an output, which would become bytes; export the model without that")
    normalized = free_name(taken_names(model.graph), f"{name}/normalized")
    _read_instead(model.graph, name, normalized)
    _take_bytes(model.graph, name)
    first = _operators(name, normalized, declared.inputs[name].dtype, _checked(normalization, channels))
    replace_nodes(model.graph, [*first, *model.graph.node])
    return file_bytes(model)


def _chosen(inputs: Mapping[str, DeclaredPort], name: str | None) -> str:
    if name is None and len(inputs) == 1:
        return next(iter(inputs))
    if name is not None and name in inputs:
        return name
    problem = "which input is to take bytes" if name is None else f"there is no input {name!r}"
    raise InputError(f"{problem}? Name one of {list(inputs)}")


def _channels(name: str, port: DeclaredPort) -> int:
    if port.dtype == "uint8":
        raise InputError(f"input {name!r} takes bytes already; use the model as it is")
    if port.dtype not in _FLOATS:
        raise InputError(f"input {name!r} is {port.dtype}; only an input of floats can be prepared to take bytes")
    channels = port.dims[1] if len(port.dims) == 4 else None
    if not isinstance(channels, int):
        raise InputError(
            f"input {name!r} of shape {list(port.dims)} takes no images; it needs (batch, channels, rows, columns) "
            "with a fixed number of channels"
        )
    return channels


def _checked(normalization: ByteNormalization, channels: int) -> ByteNormalization:
    for role, values in (("mean", normalization.mean), ("deviation", normalization.deviation)):
        if len(values) not in (1, channels):
            raise InputError(f"{len(values)} values of {role} do not suit {channels} channels; give {channels}, or one")
        if not all(map(isfinite, values)):
            raise InputError(f"{role} cannot be {list(values)}; give finite numbers")
    if min(normalization.deviation) <= 0:
        raise InputError(f"deviation cannot be {list(normalization.deviation)}; give positive numbers")
    return normalization


def _operators(name: str, result: str, dtype: str, normalization: ByteNormalization) -> list[onnx.NodeProto]:
    """From the bytes `name` to the floats `result`. float16 comes last: it would round a mean by up to 1/16."""
    working = "float64" if dtype == "float64" else "float32"
    steps: list[tuple[str, int | Array]] = [("Cast", _FLOATS[working])]
    if any(normalization.mean):
        steps.append(("Sub", _by_channel(normalization.mean, working)))
    if any(value != 1 for value in normalization.deviation):
        steps.append(("Mul", _by_channel([1 / value for value in normalization.deviation], working)))
    if dtype != working:
        steps.append(("Cast", _FLOATS[dtype]))
    outputs = [*(f"{result}/{index}" for index in range(len(steps) - 1)), result]
    nodes: list[onnx.NodeProto] = []
    for (op_type, operand), source, output in zip(steps, [name, *outputs[:-1]], outputs, strict=True):
        nodes += _operator(op_type, operand, source, output)
    return nodes


def _operator(op_type: str, operand: int | Array, source: str, output: str) -> list[onnx.NodeProto]:
    """A Cast to a type, or arithmetic with a constant: an operator too, since old files declare initializers twice."""
    if isinstance(operand, int):
        return [helper.make_node(op_type, [source], [output], name=output, to=operand)]
    constant = f"{output}/values"
    return [
        helper.make_node("Constant", [], [constant], name=constant, value=numpy_helper.from_array(operand)),
        helper.make_node(op_type, [source, constant], [output], name=output),
    ]


def _by_channel(values: Sequence[float], dtype: str) -> Array:
    return np.array(values, dtype)[None, :, None, None]


def _take_bytes(graph: onnx.GraphProto, name: str) -> None:
    """Declare the input as bytes, and nothing else about it."""
    for port in graph.input:
        if port.name == name:
            port.type.tensor_type.elem_type = TensorProto.UINT8
    others = [value for value in graph.value_info if value.name != name]
    del graph.value_info[:]
    graph.value_info.extend(others)


def _read_instead(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Let all operators that read `old` read `new`, those in inner graphs too."""
    for node in nodes_of(graph):
        node.input[:] = [new if name == old else name for name in node.input]
