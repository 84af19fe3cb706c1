"""How much of a layer is measured, and where it is cut from."""

from collections.abc import Iterator

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.splitting import split_axis
from legion.model.model import Model


def measurable(model: Model, layer: int) -> bool:
    """Whether the layer's cost is known before it runs on real data: all its shapes are."""
    ends = (*model.layers[layer].inputs, *model.layers[layer].outputs)
    return not any(model.tensors[tensor].dynamic for tensor in ends)


def whole_extent(model: Model, demand: Demand, layer: int) -> int:
    """The length of the layer's output on its split axis; 1 stands for all of a layer that can't be split."""
    axis = split_axis(demand, layer)
    return 1 if axis is None else model.tensors[model.layers[layer].outputs[0]].shape[axis]


def tile(model: Model, demand: Demand, layer: int, extent: int) -> dict[str, Box]:
    """The boxes of the layer's outputs of which `extent` is computed: a tile from the middle, away from the borders."""
    wholes = {tensor: Box.whole(model.tensors[tensor].shape) for tensor in model.layers[layer].outputs}
    axis = split_axis(demand, layer)
    if axis is None:
        return wholes
    low = (whole_extent(model, demand, layer) - extent) // 2
    return {tensor: whole.replace(axis, (low, low + extent)) for tensor, whole in wholes.items()}


def ladder(extent: int) -> Iterator[int]:
    """The extent, then halves of it down to one."""
    yield extent
    while extent > 1:
        extent = (extent + 1) // 2
        yield extent
