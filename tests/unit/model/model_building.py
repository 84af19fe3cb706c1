"""Handmade ONNX files, and a Model written back as one, so that ONNX Runtime can judge what import kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from legion.model.model import Array, Model
from legion.model.onnx_import import load_model

TOLERANCE = 1e-5

_IR_VERSIONS = {opset: 3 if opset < 9 else 4 if opset < 13 else 8 for opset in range(30)}


def make_file(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str | None]],
    outputs: Sequence[str],
    constants: Mapping[str, Array] | None = None,
    *,
    opset: int = 20,
    element_type: int = TensorProto.FLOAT,
    output_type: int | None = None,
    **model_fields: Any,
) -> onnx.ModelProto:
    """An ONNX file of one element type; outputs are declared as shape inference has them."""
    constants = constants or {}
    ports = [helper.make_tensor_value_info(name, element_type, dims) for name, dims in inputs.items()]
    initializers = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    ir_version = _IR_VERSIONS[opset]
    if ir_version == 3:
        ports += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in initializers]
    results = [helper.make_tensor_value_info(name, output_type or element_type, None) for name in outputs]
    graph = helper.make_graph(list(nodes), "handmade", ports, results, initializers)
    fields: dict[str, Any] = {"ir_version": ir_version, "opset_imports": [helper.make_opsetid("", opset)]}
    file = helper.make_model(graph, **{**fields, **model_fields})
    inferred = onnx.shape_inference.infer_shapes(file)
    for port, known in zip(file.graph.output, inferred.graph.output, strict=True):
        port.type.tensor_type.shape.CopyFrom(known.type.tensor_type.shape)
    return file


def written_back(model: Model) -> onnx.ModelProto:
    """The imported model as an ONNX file of its own; constant outputs are left out."""
    nodes = [
        helper.make_node(operator.op_type, operator.inputs, operator.outputs, operator.name, **operator.attributes)
        for layer in model.layers
        for operator in layer.operators
    ]
    graph = helper.make_graph(
        nodes,
        "imported",
        [_port(model, port.name) for port in model.inputs],
        [_port(model, port.name) for port in model.outputs if port.name in model.tensors],
        [numpy_helper.from_array(np.array(values), name) for name, values in model.constants.items()],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", model.opset)])


def run(file: onnx.ModelProto, feeds: Mapping[str, Array]) -> list[Array]:
    """What ONNX Runtime computes, on one thread and without rewriting."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(file.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(feeds))


def random_feeds(model: Model, seed: int = 0) -> dict[str, Array]:
    """Normal values for the inputs, in the dtypes that are computed in."""
    generator = np.random.default_rng(seed)
    return {
        port.name: generator.standard_normal(port.type.shape).astype(model.tensors[port.name].dtype)
        for port in model.inputs
    }


def assert_import_keeps(file: onnx.ModelProto, **options: Any) -> Model:
    """Import a file, and check that what ONNX Runtime computes for it has not changed."""
    model = load_model(file, **options)
    feeds = random_feeds(model)
    expected = run(file, feeds)
    actual = run(written_back(model), feeds)
    assert len(expected) == len(actual)
    for left, right in zip(expected, actual, strict=True):
        assert left.shape == right.shape
        assert left.dtype == right.dtype
        if left.size:
            difference = np.abs(left.astype(np.float64) - right.astype(np.float64)).max()
            assert difference <= TOLERANCE * max(1e-6, float(np.abs(left.astype(np.float64)).max()))
    return model


def operator_types(model: Model) -> list[list[str]]:
    """Operator types, layer by layer."""
    return [[operator.op_type for operator in layer.operators] for layer in model.layers]


def _port(model: Model, name: str) -> onnx.ValueInfoProto:
    tensor = model.tensors[name]
    element_type = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(name, element_type, None if tensor.dynamic else tensor.shape)
