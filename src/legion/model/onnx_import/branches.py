"""Puts the branch that a constant condition takes in place of its If."""

from collections.abc import Mapping

import onnx
from onnx import helper

from legion.model.onnx_import.editing import name_omitted_outputs


def inline_branch(node: onnx.NodeProto, condition: bool) -> list[onnx.NodeProto]:
    """The operators of the branch taken; tensors of its own get names that start with the If's output."""
    name = "then_branch" if condition else "else_branch"
    branch = next(attribute.g for attribute in node.attribute if attribute.name == name)
    constants = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in branch.initializer]
    body = [*constants, *branch.node]
    for inner in branch.node:
        name_omitted_outputs(inner)
    own = [output for inner in body for output in inner.output]
    renamed = {tensor: f"{node.output[0]}/{tensor}" for tensor in own}
    results = [
        helper.make_node("Identity", [renamed.get(port.name, port.name)], [output])
        for port, output in zip(branch.output, node.output, strict=True)
        if output
    ]
    return [*(_with_renamed_tensors(inner, renamed) for inner in body), *results]


def _with_renamed_tensors(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy; graphs inside it are renamed too, but for names that they define themselves."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(tensor, tensor) for tensor in node.input]
    copy.output[:] = [names.get(tensor, tensor) for tensor in node.output]
    for attribute in copy.attribute:
        if attribute.HasField("g"):
            _rename_captured(attribute.g, names)
    return copy


def _rename_captured(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    own = {output for node in graph.node for output in node.output}
    own.update(tensor.name for tensor in graph.initializer)
    own.update(port.name for port in graph.input)
    captured = {old: new for old, new in names.items() if old not in own}
    nodes = [_with_renamed_tensors(node, captured) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for port in graph.output:
        port.name = captured.get(port.name, port.name)
