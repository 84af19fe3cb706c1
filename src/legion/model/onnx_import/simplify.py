"""Rewrites that keep what a model computes and leave fewer, plainer operators."""

import numpy as np
import onnx
from onnx import defs, helper, numpy_helper

from legion.errors import InputError
from legion.model.onnx_import.graph import Graph

_VARIADIC = frozenset({"Concat", "Max", "Mean", "Min", "Sum"})
_OPTIONAL = defs.OpSchema.FormalParameterOption.Optional
_SHAPING = frozenset({"Expand", "Flatten", "Reshape", "Squeeze", "Unsqueeze"})


def remove_identities(graph: Graph) -> None:
    """Remove operators that hand their input on: Identity, Dropout, casts and views to what is there already.

    Outputs that nobody reads are gone by now. An operator that stands between an input or another output and
    an output stays, as an Identity.
    """
    kept: list[onnx.NodeProto] = []
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if not _hands_its_input_on(graph, node):
            kept.append(node)
        elif node.output[0] not in graph.output_names:
            renamed[node.output[0]] = node.input[0]
        else:
            kept.append(helper.make_node("Identity", node.input[:1], node.output[:1], name=node.name))
    graph.nodes = kept
    _merge_output_identities(graph)


def _hands_its_input_on(graph: Graph, node: onnx.NodeProto) -> bool:
    if node.op_type in ("Cast", *_SHAPING):
        source, result = graph.types.get(node.input[0]), graph.types[node.output[0]]
        if source is None:  # a constant: only an Expand to a shape that depends on data still reads one alone
            return False
        return source.dtype == result.dtype if node.op_type == "Cast" else not source.dynamic and source == result
    if node.op_type == "Dropout":
        return _is_inference_dropout(graph, node)
    return node.op_type == "Identity" or (node.op_type in _VARIADIC and len(node.input) == 1)


def _is_inference_dropout(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether nobody reads the mask; in training it would be random, which is refused."""
    training = node.input[2] if len(node.input) > 2 else ""
    if training and (training not in graph.constants or graph.constants[training].any()):
        raise InputError(f"Dropout (operator {node.name or node.output[0]!r}) is in training; export for inference")
    return len(node.output) == 1


def _merge_output_identities(graph: Graph) -> None:
    """Let what computes an output give it its name, where nothing else bears on the name."""
    producers = graph.producers()
    for node in list(graph.nodes):
        source, output = node.input[0] if node.input else "", node.output[0]
        if node.op_type != "Identity" or source not in producers or source in graph.output_names:
            continue
        graph.nodes.remove(node)
        for other in graph.nodes:
            other.input[:] = [output if name == source else name for name in other.input]
            other.output[:] = [output if name == source else name for name in other.output]
        producers = graph.producers()


def replace_splits(graph: Graph) -> None:
    """Turn each Split of known extents into one Slice per output."""
    nodes: list[onnx.NodeProto] = []
    for node in graph.nodes:
        types = [graph.types[name] for name in node.output]
        if node.op_type != "Split" or any(tensor.dynamic for tensor in types):
            nodes.append(node)
            continue
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        start = 0
        for name, tensor in zip(node.output, types, strict=True):
            end = start + tensor.shape[axis]
            bounds = [
                graph.add_constant(f"{name}/{role}", np.array([value], np.int64))
                for role, value in (("start", start), ("end", end), ("axis", axis))
            ]
            nodes.append(
                helper.make_node("Slice", [node.input[0], *bounds], [name], name=f"{node.name or 'split'}/{name}")
            )
            start = end
    graph.nodes = nodes


def replace_dynamic_fills(graph: Graph) -> None:
    """Turn each ConstantOfShape, whose shape depends on data if it is still there, into an Expand of its value."""
    for node in graph.nodes:
        if node.op_type == "ConstantOfShape":
            value = numpy_helper.to_array(node.attribute[0].t) if node.attribute else np.zeros(1, np.float32)
            name = graph.add_constant(f"{node.output[0]}/value", value)
            node.CopyFrom(helper.make_node("Expand", [name, node.input[0]], [node.output[0]], name=node.name))


def drop_unused(graph: Graph) -> None:
    """Drop operators whose results nobody reads, optional outputs that nobody reads, and unread constants."""
    read = set(graph.output_names)
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.nodes):
        if read.isdisjoint(node.output):
            continue
        _drop_optional_outputs(node, read, graph.opset)
        read.update(node.input)
        kept.append(node)
    graph.nodes = kept[::-1]
    graph.constants = {name: values for name, values in graph.constants.items() if name in read}


def _drop_optional_outputs(node: onnx.NodeProto, read: set[str], opset: int) -> None:
    declared = defs.get_schema(node.op_type, opset).outputs
    optional = {index for index, output in enumerate(declared) if output.option == _OPTIONAL}
    while len(node.output) - 1 in optional and node.output[-1] not in read:
        del node.output[-1]
