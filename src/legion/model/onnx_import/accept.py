"""Refuses, by name, what Legion does not run: other domains, randomness, sequences."""

import onnx
from onnx import helper

from legion.errors import InputError
from legion.model.onnx_import.editing import nodes_of

_RANDOM = frozenset({"Bernoulli", "Multinomial"})
_RANDOM_PREFIX = "Random"
_NUMBER_TYPES = frozenset(helper.get_all_tensor_dtypes()) - {onnx.TensorProto.STRING}


def refuse_unsupported(model: onnx.ModelProto) -> None:
    """Raise InputError for an operator of another domain, a random one, or one on sequences or optionals."""
    for node in nodes_of(model.graph):
        described = f"{node.op_type} (operator {node.name or node.output[0]!r})"
        if node.domain:
            raise InputError(
                f"{described} belongs to the domain {node.domain!r}; export the model with operators of ONNX alone"
            )
        if node.op_type in _RANDOM or node.op_type.startswith(_RANDOM_PREFIX) or _is_training(node):
            raise InputError(f"{described} is random or for training; export the model for inference")
        if not _has_as_many_outputs_as_it_says(node):
            raise InputError(f"{described} says that it has another number of outputs; export the model again")
        if "Sequence" in node.op_type or "Optional" in node.op_type:
            raise InputError(f"{described} handles sequences or optionals; Legion runs tensors only")
    for port in [*model.graph.input, *model.graph.output]:
        if port.type.WhichOneof("value") != "tensor_type":
            raise InputError(f"{port.name!r} is no tensor; Legion runs models whose inputs and outputs are tensors")
        if port.type.tensor_type.elem_type not in _NUMBER_TYPES:
            raise InputError(f"{port.name!r} holds no numbers; feed the model with numbers in place of strings")


def _is_training(node: onnx.NodeProto) -> bool:
    return any(attribute.name == "training_mode" and attribute.i for attribute in node.attribute)


def _has_as_many_outputs_as_it_says(node: onnx.NodeProto) -> bool:
    """Checked here because ONNX's shape inference ends the whole process over a Split that does not."""
    return all(attribute.i == len(node.output) for attribute in node.attribute if attribute.name == "num_outputs")
