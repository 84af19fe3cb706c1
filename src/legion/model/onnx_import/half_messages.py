"""Rounds what layers hand to one another: images between layers become float16, computing stays float32."""

from collections import Counter
from collections.abc import Mapping
from os import PathLike

import onnx
from onnx import TensorProto, helper

from legion.errors import InputError
from legion.model.model import Model
from legion.model.onnx_import.editing import file_bytes, free_name, replace_nodes, taken_names
from legion.model.onnx_import.half_precision import has_half_precision
from legion.model.onnx_import.load import load_model
from legion.model.onnx_import.parse import read

_IMAGE_OR_SEQUENCE_RANK = 3


def halve_messages(source: str | PathLike[str] | bytes, *, sizes: Mapping[str, int] | None = None) -> bytes:
    """The model as an ONNX file in which the images and sequences between its layers pass through float16.

    `source` is the path of an ONNX file or its bytes; `sizes` as in `load_model`. A Cast behind the operator that makes
    such a tensor, and one in front of each that reads it, round it whether it travels or not: the outputs do not
    depend on how the model is split. Inputs and outputs keep their types. Beyond 65504 a float16 is infinite.

    Raises InputError when the model cannot be imported, has float16 itself, or has no such tensor of float32.
    """
    file = read(source)
    model = load_model(file, sizes=sizes)
    if has_half_precision(file.graph):
        raise InputError("the model has float16 itself; use it as it is, or export it in float32")
    tensors = _handed_on(model) & _handed_on_in(file.graph)
    if not tensors:
        raise InputError("no layer hands a float32 image or sequence to another; use the model as it is")
    _round(file.graph, tensors)
    return file_bytes(file)


def _handed_on(model: Model) -> set[str]:
    """The images and sequences of float32 that one layer makes and others alone read."""
    read = {tensor for layer in model.layers for tensor in layer.inputs} - {port.name for port in model.outputs}
    made = {layer.outputs[0] for layer in model.layers if len(layer.outputs) == 1}
    types = {tensor: model.tensors[tensor] for tensor in made & read}
    return {
        tensor
        for tensor, kind in types.items()
        if kind.dtype == "float32" and len(kind.shape) >= _IMAGE_OR_SEQUENCE_RANK and not kind.dynamic
    }


def _handed_on_in(graph: onnx.GraphProto) -> set[str]:
    """What one operator of the file makes and another reads: import names some tensors itself."""
    made = {name for node in graph.node for name in node.output}
    return made & {name for node in graph.node for name in node.input}


def _round(graph: onnx.GraphProto, tensors: set[str]) -> None:
    taken = taken_names(graph)
    halves = {tensor: free_name(taken, f"{tensor}/half") for tensor in tensors}
    readers: Counter[str] = Counter()
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        for tensor in [name for name in dict.fromkeys(node.input) if name in halves]:
            restored = f"{halves[tensor]}/{readers[tensor]}"
            readers[tensor] += 1
            nodes.append(_cast(halves[tensor], restored, TensorProto.FLOAT))
            node.input[:] = [restored if name == tensor else name for name in node.input]
        nodes.append(node)
        nodes += [_cast(name, halves[name], TensorProto.FLOAT16) for name in node.output if name in halves]
    replace_nodes(graph, nodes)


def _cast(source: str, result: str, element_type: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], name=result, to=element_type)
