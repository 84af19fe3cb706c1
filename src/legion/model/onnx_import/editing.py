"""What edits of an ONNX file need: its graphs and operators, names that are free, and the file's bytes."""

from collections.abc import Iterator, Set

import onnx
from google.protobuf.message import EncodeError

from legion.errors import InputError


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and those inside its operators."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g)


def nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The operators of the graph and of those inside it."""
    return (node for inner in graphs_of(graph) for node in inner.node)


def taken_names(graph: onnx.GraphProto) -> Set[str]:
    """The names of all tensors and operators, those of inner graphs too."""
    ports = {port.name for inner in graphs_of(graph) for port in (*inner.input, *inner.initializer)}
    return ports | {name for node in nodes_of(graph) for name in (*node.output, node.name)}


def free_name(taken: Set[str], stem: str) -> str:
    """`stem`, made longer until no name that is taken is it or begins with it."""
    while any(name.startswith(stem) for name in taken):
        stem += "_"
    return stem


def name_omitted_outputs(node: onnx.NodeProto) -> None:
    """An output that is left out before one that is not becomes one that nobody reads."""
    stem = next(name for name in node.output if name)
    node.output[:] = [name or f"{stem}/omitted{index}" for index, name in enumerate(node.output)]


def replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Let the graph have these operators and no others; they may be its own."""
    del graph.node[:]
    graph.node.extend(nodes)


def file_bytes(model: onnx.ModelProto) -> bytes:
    """The model as one file. Raises InputError where it is too large for that."""
    try:
        return model.SerializeToString()
    except (EncodeError, ValueError) as exc:
        raise InputError(f"the prepared model cannot be one file: {exc}; such files end at 2 GB") from exc
