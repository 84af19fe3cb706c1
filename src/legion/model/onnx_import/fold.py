"""Computes ahead of time what does not depend on the inputs."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from legion.errors import InputError
from legion.model.model import Array
from legion.model.onnx_import.branches import inline_branch
from legion.model.onnx_import.graph import Graph, infer_types

_LARGEST_FOLDED_BYTES = 1 << 31
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
_READS_SHAPE_ALONE = frozenset({"Shape", "Size"})


def fold_constants(graph: Graph) -> None:
    """Replace operators on constants, and on shapes that are known, by their values, until none is left.

    An If whose condition is constant becomes the branch taken, a CastLike the Cast that it is. What was folded can make
    more shapes known, so inference and folding take turns; `graph.types` is complete afterwards. Every operator without
    an activation is folded, however much its result grows: left in place it would be a layer that reads nothing.

    Raises InputError where control flow remains, and where a constant cannot be computed.
    """
    infer_types(graph)
    while _fold_once(graph):
        infer_types(graph)
    for node in graph.nodes:
        if node.op_type in _CONTROL_FLOW:
            raise InputError(
                f"{node.op_type} (operator {node.name or node.output[0]!r}) remains once constants are folded; "
                "Legion runs no control flow, so export the model without it"
            )


def _fold_once(graph: Graph) -> bool:
    """Go through the graph once; whether anything changed."""
    pending = graph.nodes[::-1]
    graph.nodes = []
    changed = False
    while pending:
        node = pending.pop()
        if node.op_type == "CastLike" and node.output[0] in graph.types:
            node = _cast(graph, node)
        inputs = _known_inputs(graph, node)
        if inputs is None:
            graph.nodes.append(node)
            continue
        changed = True
        if node.op_type == "If":
            pending += reversed(inline_branch(node, bool(inputs[node.input[0]].all())))
        else:
            graph.constants.update(_evaluate(graph, node, inputs))
    return changed


def _cast(graph: Graph, node: onnx.NodeProto) -> onnx.NodeProto:
    """Of a CastLike: nothing but the type of its second input counts."""
    to = helper.np_dtype_to_tensor_dtype(np.dtype(graph.types[node.output[0]].dtype))
    return helper.make_node("Cast", node.input[:1], node.output[:1], name=node.name, to=to)


def _known_inputs(graph: Graph, node: onnx.NodeProto) -> dict[str, Array] | None:
    """Values for all inputs of a node, if it can be folded. Of a shape that is known, any values do."""
    if node.op_type in _READS_SHAPE_ALONE and node.input[0] in graph.types:
        tensor = graph.types[node.input[0]]
        return None if tensor.dynamic else {node.input[0]: np.broadcast_to(np.float32(0), tensor.shape)}
    names = [name for name in node.input if name]
    if node.op_type in ("Loop", "Scan") or not all(name in graph.constants for name in names):
        return None
    return {name: graph.constants[name] for name in names}


def _evaluate(graph: Graph, node: onnx.NodeProto, inputs: Mapping[str, Array]) -> dict[str, Array]:
    outputs = [name for name in node.output if name]
    size_bytes = sum(graph.types[name].size_bytes for name in outputs if name in graph.types)
    if size_bytes > _LARGEST_FOLDED_BYTES:
        raise InputError(f"the constant {outputs[0]!r} would take {size_bytes:,} bytes; export a smaller model")
    body = helper.make_graph(
        [node],
        "constant",
        [helper.make_value_info(name, onnx.TypeProto()) for name in inputs],
        [helper.make_value_info(name, onnx.TypeProto()) for name in outputs],
    )
    try:
        with np.errstate(all="ignore"):
            evaluator = ReferenceEvaluator(body, opsets={"": graph.opset})
            values = cast("list[Array]", evaluator.run(None, dict(inputs)))  # pyright: ignore[reportUnknownMemberType] - partial stubs
    except Exception as exc:
        raise InputError(
            f"cannot compute the constant {outputs[0]!r} by {node.op_type}: {exc}; fold constants before the export"
        ) from exc
    return {name: np.asarray(value) for name, value in zip(outputs, values, strict=True)}
