"""The graph while import rewrites it: ONNX nodes, constants as arrays, inferred types."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx
from onnx import helper, numpy_helper, shape_inference

from legion.errors import InputError
from legion.model.model import Array, TensorType
from legion.model.onnx_import.editing import name_omitted_outputs

_LARGEST_PARAMETER = 1024
"""Shape inference looks at the values of constants of up to so many elements."""

_IR_VERSION = 10


@dataclass(slots=True, kw_only=True)
class Graph:
    """Nodes in topological order; every rewriting step changes one in place.

    `types` holds what shape inference knew when it last ran, `inputs` and `outputs` the ports.
    """

    name: str
    opset: int
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    inputs: list[onnx.ValueInfoProto]
    outputs: list[onnx.ValueInfoProto]
    types: dict[str, TensorType] = field(default_factory=dict[str, TensorType])

    @property
    def output_names(self) -> frozenset[str]:
        return frozenset(port.name for port in self.outputs)

    def reader_counts(self) -> Counter[str]:
        """How many times each tensor is read; being an output counts as one."""
        counts = Counter(name for node in self.nodes for name in node.input)
        counts.update(self.output_names)
        return counts

    def producers(self) -> dict[str, onnx.NodeProto]:
        return {name: node for node in self.nodes for name in node.output}

    def add_constant(self, stem: str, values: Array) -> str:
        """Keep a new constant under a name that no tensor has, and return that."""
        taken = {*self.constants, *self.types}
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        self.constants[name] = values
        return name


def graph_of(model: onnx.ModelProto, weights: Mapping[str, Array], opset: int) -> Graph:
    """A graph of the model's nodes, its initializers and `weights`, which are inputs of the model."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    constants.update(weights)
    for node in model.graph.node:
        name_omitted_outputs(node)
    return Graph(
        name=model.graph.name,
        opset=opset,
        nodes=list(model.graph.node),
        constants=constants,
        inputs=[port for port in model.graph.input if port.name not in constants],
        outputs=list(model.graph.output),
    )


def infer_types(graph: Graph) -> None:
    """Set `graph.types` of all activations that ONNX's shape inference, with data propagation, knows.

    Raises InputError where shapes or types contradict each other.
    """
    try:
        inferred = shape_inference.infer_shapes(
            _without_weights(graph), check_type=True, strict_mode=True, data_prop=True
        )
    except shape_inference.InferenceError as exc:
        raise InputError(f"the model's shapes do not fit together: {exc}; check the sizes and the export") from exc
    for port in [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]:
        graph.types[port.name] = _tensor_type(port)


def _tensor_type(port: onnx.ValueInfoProto) -> TensorType:
    """A value's type: dynamic unless its whole shape is known. InputError for no tensor of numbers."""
    kind = port.type.WhichOneof("value")
    declared = port.type.tensor_type
    if kind != "tensor_type" or declared.elem_type in (onnx.TensorProto.STRING, onnx.TensorProto.UNDEFINED):
        raise InputError(f"{port.name!r} is no tensor of numbers; Legion runs nothing else")
    dims = declared.shape.dim
    known = declared.HasField("shape") and all(dimension.HasField("dim_value") for dimension in dims)
    return TensorType(
        shape=tuple(dimension.dim_value if dimension.HasField("dim_value") else 1 for dimension in dims),
        dtype=helper.tensor_dtype_to_np_dtype(declared.elem_type).name,
        dynamic=not known,
    )


def _without_weights(graph: Graph) -> onnx.ModelProto:
    small = {name: values for name, values in graph.constants.items() if values.size <= _LARGEST_PARAMETER}
    weights = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape)
        for name, values in graph.constants.items()
        if name not in small
    ]
    # An output without a shape would hide the shape that it has as an input.
    given = {*graph.constants, *(port.name for port in graph.inputs)}
    outputs = [
        helper.make_tensor_value_info(port.name, port.type.tensor_type.elem_type, None)
        for port in graph.outputs
        if port.name not in given
    ]
    body = helper.make_graph(
        graph.nodes,
        graph.name,
        [*graph.inputs, *weights],
        outputs,
        [numpy_helper.from_array(values, name) for name, values in small.items()],
    )
    return helper.make_model(body, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", graph.opset)])
