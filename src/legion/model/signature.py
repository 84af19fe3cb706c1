"""What makes two layers the same to a device: everything but names and the values of weights."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from legion.model.model import Model, Operator

_LARGEST_PARAMETER = 1024
"""Integer constants of up to so many elements are axes, extents and indices: they shape the work."""


def layer_signature(model: Model, layer_index: int) -> str:
    """A digest of a layer's operators, attributes, shapes and dtypes, equal for identical layers.

    Tensors are numbered in order of appearance; small integer constants count by value, weights by shape.
    """
    layer = model.layers[layer_index]
    numbers: dict[str, int] = {}
    for tensor in _names(layer.operators):
        numbers.setdefault(tensor, len(numbers))
    description = (
        model.opset,
        [_described_tensor(model, tensor) for tensor in numbers],
        [
            (
                operator.op_type,
                [numbers[tensor] for tensor in operator.inputs],
                [numbers[tensor] for tensor in operator.outputs],
                sorted(operator.attributes.items()),
            )
            for operator in layer.operators
        ],
        [numbers[tensor] for tensor in layer.outputs],
    )
    return blake2b(repr(description).encode(), digest_size=16).hexdigest()


def _names(operators: Iterable[Operator]) -> Iterable[str]:
    for operator in operators:
        yield from operator.inputs
        yield from operator.outputs


def _described_tensor(model: Model, name: str) -> object:
    if not name:
        return "omitted"
    if name in model.tensors:
        tensor = model.tensors[name]
        return (tensor.shape, tensor.dtype, tensor.dynamic)
    values = model.constants[name]
    is_parameter = not np.issubdtype(values.dtype, np.inexact) and values.size <= _LARGEST_PARAMETER
    return (values.shape, str(values.dtype), values.tolist() if is_parameter else "weights")
