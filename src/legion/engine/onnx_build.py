"""A local graph as an ONNX model, built from typed operators alone: never from a file that was sent.

Operators come over the network, so each is held against the schema of the standard before an engine
sees it.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.defs import OpSchema

from legion.engine.constants import numpy_dtype
from legion.errors import InputError
from legion.geometry.local_graph import LocalGraph, LocalInput
from legion.model.model import Array, AttributeValue, Operator

EXTERNAL_FROM_BYTES = 1024
"""Constants of this size and more stay outside the model, to be handed to the session as they are."""

_ATTRIBUTE_TYPES: Mapping[OpSchema.AttrType, tuple[AttributeProto.AttributeType, bool, tuple[type, ...]]] = {
    OpSchema.AttrType.INT: (AttributeProto.INT, False, (int,)),
    OpSchema.AttrType.FLOAT: (AttributeProto.FLOAT, False, (float, int)),
    OpSchema.AttrType.STRING: (AttributeProto.STRING, False, (str,)),
    OpSchema.AttrType.INTS: (AttributeProto.INTS, True, (int,)),
    OpSchema.AttrType.FLOATS: (AttributeProto.FLOATS, True, (float, int)),
    OpSchema.AttrType.STRINGS: (AttributeProto.STRINGS, True, (str,)),
}
"""The type as written, whether it is a tuple, and the Python types of its elements."""


def build_onnx(graph: LocalGraph, constants: Mapping[str, Array]) -> onnx.ModelProto:
    """The ONNX model of a graph, with all names kept; `constants` holds the values of its constants.

    Constants of `EXTERNAL_FROM_BYTES` and more are declared as external data without a file. Outputs are
    declared without a type: the engine infers it.

    Raises InputError for an operator, attribute, opset or dtype outside the standard.
    """
    _check_opset(graph.opset)
    return helper.make_model(
        helper.make_graph(
            [_node(operator, graph.opset) for operator in graph.operators],
            "local graph",
            [_input(entry) for entry in graph.inputs],
            [ValueInfoProto(name=name) for name in graph.outputs],
            [_initializer(constant.name, constants[constant.name]) for constant in graph.constants],
        ),
        opset_imports=[helper.make_opsetid("", graph.opset)],
        ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", graph.opset)]),
    )


def _check_opset(opset: int) -> None:
    newest = onnx.defs.onnx_opset_version()
    if not 1 <= opset <= newest:
        raise InputError(f"opset {opset} is not known here, only 1 to {newest}; install a newer onnx on this device")


def _node(operator: Operator, opset: int) -> NodeProto:
    schema = _schema(operator, opset)
    node = NodeProto(name=operator.name, op_type=operator.op_type, input=operator.inputs, output=operator.outputs)
    for name, value in operator.attributes.items():
        if name not in schema.attributes:
            raise InputError(f"{_described(operator)} has an attribute {name!r}, which opset {opset} does not know")
        node.attribute.append(_attribute(operator, name, value, schema.attributes[name].type))
    return node


def _schema(operator: Operator, opset: int) -> OpSchema:
    try:
        schema = onnx.defs.get_schema(operator.op_type, opset, "")
    except onnx.defs.SchemaError as exc:
        raise InputError(f"{_described(operator)} is no operator of opset {opset}") from exc
    if schema.deprecated:
        raise InputError(f"{_described(operator)} is no longer an operator in opset {opset}; convert the model")
    return schema


def _attribute(operator: Operator, name: str, value: AttributeValue, kind: OpSchema.AttrType) -> AttributeProto:
    """The attribute as the schema types it: an empty tuple does not tell its own type, and 1 may be a float."""
    if kind not in _ATTRIBUTE_TYPES:
        raise InputError(f"attribute {name!r} of {_described(operator)} holds a tensor or a graph: not supported")
    written_type, is_tuple, element_types = _ATTRIBUTE_TYPES[kind]
    elements = value if isinstance(value, tuple) else (value,)
    if is_tuple != isinstance(value, tuple) or not all(isinstance(element, element_types) for element in elements):
        raise InputError(f"attribute {name!r} of {_described(operator)} has the wrong type: {value!r}")
    try:
        if float in element_types:
            elements = tuple(float(element) for element in elements)
        return helper.make_attribute(name, elements if is_tuple else elements[0], attr_type=written_type)
    except (ValueError, OverflowError) as exc:
        raise InputError(f"attribute {name!r} of {_described(operator)} is out of range: {value!r}") from exc


def _input(entry: LocalInput) -> ValueInfoProto:
    dims = entry.dims
    if dims is not None and any(extent is not None and extent < 0 for extent in dims):
        raise InputError(f"input {entry.name!r} has a negative extent: {list(dims)}")
    # A symbol of its own for each open extent: two inputs that grow need not grow alike.
    symbols = None if dims is None else [f"{entry.name}:{axis}" if n is None else n for axis, n in enumerate(dims)]
    return helper.make_tensor_value_info(entry.name, _element_type(numpy_dtype(entry.dtype)), symbols)


def _initializer(name: str, values: Array) -> TensorProto:
    tensor = TensorProto(name=name, data_type=_element_type(values.dtype), dims=values.shape)
    if values.nbytes < EXTERNAL_FROM_BYTES:
        tensor.raw_data = values.tobytes()
    else:
        tensor.data_location = TensorProto.EXTERNAL
        # The engine replaces it before it would look for a file; the key is required all the same.
        tensor.external_data.add(key="location", value="handed over in memory")
    return tensor


def _element_type(dtype: np.dtype[np.generic]) -> int:
    return int(helper.np_dtype_to_tensor_dtype(dtype))


def _described(operator: Operator) -> str:
    return f"operator {operator.name!r} ({operator.op_type})"
