"""Which groups AOFL considers: runs of plain layers, and residual blocks, alone or two together."""

from itertools import groupby, pairwise

from legion.cost.groups import connected_groups
from legion.model.model import Layer, Model

_JOINS = frozenset({"Add", "Sum"})


def aofl_groups(model: Model) -> tuple[tuple[int, int], ...]:
    """First and last layer of each group.

    A residual block is what lies between two places that one tensor alone passes, if it ends with a sum. A block is
    fused whole, alone or with one neighbouring block; other neighbouring layers are fused as on a chain, but not with a
    block. Any layer may be a group of its own.
    """
    connected = connected_groups(model)
    groups = {(layer, layer) for layer in range(len(model.layers))}
    spans = list(pairwise(_cuts(model)))
    for is_block, run in groupby(spans, key=lambda span: _is_block(model, *span)):
        neighbours = list(run)
        if is_block:
            groups |= {(first, end - 1) for first, end in neighbours}
            groups |= {(one[0], other[1] - 1) for one, other in pairwise(neighbours)}
        else:
            layers = range(neighbours[0][0], neighbours[-1][1])
            groups |= {(first, last) for first in layers for last in layers if first <= last and connected[first, last]}
    return tuple(sorted(groups))


def _cuts(model: Model) -> list[int]:
    """The places between layers that one tensor alone passes, and both ends."""
    readers = {tensor: index for index, layer in enumerate(model.layers) for tensor in layer.inputs}
    passing = {port.name for port in model.inputs}
    cuts = [0]
    for index, layer in enumerate(model.layers):
        passing = {tensor for tensor in (*passing, *layer.outputs) if readers.get(tensor, -1) > index}
        if len(passing) == 1:
            cuts.append(index + 1)
    return [*cuts, len(model.layers)] if cuts[-1] != len(model.layers) else cuts


def _is_block(model: Model, first: int, end: int) -> bool:
    return end - first > 1 and _adds_up(model.layers[end - 1])


def _adds_up(layer: Layer) -> bool:
    anchor = next(operator for operator in layer.operators if operator.name == layer.name)
    return anchor.op_type in _JOINS and len(layer.inputs) > 1
