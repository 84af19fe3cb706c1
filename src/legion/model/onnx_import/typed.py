"""From a simplified graph to typed data: operators, ports, layers and a digest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import cast

import numpy as np
import onnx
from onnx import AttributeProto, helper

from legion.errors import InputError
from legion.model.layers import group_layers
from legion.model.model import Array, AttributeValue, Model, Operator, Port, TensorType
from legion.model.onnx_import.graph import Graph

_KEPT_ATTRIBUTES = frozenset(
    {
        AttributeProto.FLOAT,
        AttributeProto.FLOATS,
        AttributeProto.INT,
        AttributeProto.INTS,
        AttributeProto.STRING,
        AttributeProto.STRINGS,
    }
)


_NUMBERS = frozenset(np.dtype(code).name for code in "?bBhHiIqQefd")
"""Those that all engines and messages know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPort:
    """What a file says of one input or output, before any rewriting."""

    dtype: str
    dims: tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPorts:
    """Ports by name, in order."""

    inputs: Mapping[str, DeclaredPort]
    outputs: Mapping[str, DeclaredPort]


def declared_ports(proto: onnx.ModelProto, constants: Mapping[str, Array]) -> DeclaredPorts:
    """The ports of a model; inputs among `constants` are none."""
    return DeclaredPorts(
        inputs={port.name: _declared(port) for port in proto.graph.input if port.name not in constants},
        outputs={port.name: _declared(port) for port in proto.graph.output},
    )


def model_of(graph: Graph, declared: DeclaredPorts) -> Model:
    """The typed model.

    Raises InputError for a tensor of a type that is unknown or not run, and an attribute that is no plain value.
    """
    operators = _operators(graph)
    tensors = {name: graph.types[name] for name in _activations(operators, declared.inputs)}
    dtypes = {name: kind.dtype for name, kind in tensors.items()}
    dtypes |= {name: values.dtype.name for name, values in graph.constants.items()}
    unknown = [f"{name!r} holds {dtype}" for name, dtype in dtypes.items() if dtype not in _NUMBERS]
    if unknown:
        raise InputError(f"{unknown[0]}, which Legion does not run; export the model with float32")
    empty = [name for name, kind in tensors.items() if 0 in kind.shape]
    if empty:
        raise InputError(f"tensor {empty[0]!r} has no elements; give the model sizes at which it computes something")
    model = Model(
        name=graph.name,
        opset=graph.opset,
        layers=group_layers(operators, tensors, declared.outputs.keys()),
        tensors=tensors,
        constants=graph.constants,
        inputs=tuple(_port(graph, name, port) for name, port in declared.inputs.items()),
        outputs=tuple(_port(graph, name, port) for name, port in declared.outputs.items()),
        digest="",
    )
    return replace(model, digest=_digest(model))


def _declared(port: onnx.ValueInfoProto) -> DeclaredPort:
    tensor = port.type.tensor_type
    return DeclaredPort(
        dtype=helper.tensor_dtype_to_np_dtype(tensor.elem_type).name,
        dims=tuple(
            dimension.dim_value if dimension.HasField("dim_value") else dimension.dim_param or None
            for dimension in tensor.shape.dim
        ),
    )


def _port(graph: Graph, name: str, port: DeclaredPort) -> Port:
    if name in graph.constants:
        return Port(name=name, type=TensorType(shape=graph.constants[name].shape, dtype=port.dtype), dims=port.dims)
    return Port(name=name, type=replace(graph.types[name], dtype=port.dtype), dims=port.dims)


def _operators(graph: Graph) -> tuple[Operator, ...]:
    names: set[str] = set()
    operators: list[Operator] = []
    for node in graph.nodes:
        stem = node.name or node.output[0]
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}_{number}"
        names.add(name)
        operators.append(
            Operator(
                name=name,
                op_type=node.op_type,
                inputs=_without_trailing_omissions(node.input),
                outputs=tuple(node.output),
                attributes={attribute.name: _value(node, attribute) for attribute in node.attribute},
            )
        )
    return tuple(operators)


def _without_trailing_omissions(names: Iterable[str]) -> tuple[str, ...]:
    kept = list(names)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _value(node: onnx.NodeProto, attribute: AttributeProto) -> AttributeValue:
    if attribute.type not in _KEPT_ATTRIBUTES:
        raise InputError(
            f"attribute {attribute.name} of {node.op_type} (operator {node.name or node.output[0]!r}) is no number "
            "or string; Legion runs no such operator"
        )
    value = cast("int | float | bytes | list[int | float | bytes]", helper.get_attribute_value(attribute))
    if isinstance(value, int | float | bytes):
        return _plain(value)
    return tuple(_plain(item) for item in value)


def _plain(value: float | bytes) -> int | float | str:
    return value.decode() if isinstance(value, bytes) else value


def _activations(operators: Iterable[Operator], inputs: Iterable[str]) -> list[str]:
    """The inputs and everything that operators produce."""
    return [*inputs, *(name for operator in operators for name in operator.outputs)]


def _digest(model: Model) -> str:
    """Names the content: operators, ports and weights."""
    digest = blake2b(digest_size=16)
    for layer in model.layers:
        for operator in layer.operators:
            attributes = sorted(operator.attributes.items())
            digest.update(repr((operator.op_type, operator.inputs, operator.outputs, attributes)).encode())
    digest.update(repr((model.opset, model.inputs, model.outputs)).encode())
    for name, values in sorted(model.constants.items()):
        digest.update(repr((name, values.shape, values.dtype.name)).encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
