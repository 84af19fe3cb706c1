"""How much of a layer is measured, and where it is cut from."""

from collections.abc import Iterator

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.splitting import split_axis, splits_features
from legion.model.model import Model

MOST_WEIGHTS_BYTES = 64 << 20
"""The most weights of which something is measured: making a session of all of VGG-16's takes seconds."""

_FEATURES_FACTOR = 8


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


def measured_extents(model: Model, demand: Demand, layer: int) -> Iterator[int]:
    """The extents at which a layer is measured, descending.

    The whole, then halves of it down to one, since thin tiles are where seconds are least proportional. Features are
    each computed from weights of their own, so that few of them tell what many take: a part that needs little memory,
    and fractions of it.
    """
    extent = whole_extent(model, demand, layer)
    factor = 2
    if split_axis(demand, layer) is not None and splits_features(model, layer):
        feature_bytes = weights_bytes(model, layer) / extent
        while extent > 1 and extent * feature_bytes > MOST_WEIGHTS_BYTES:
            extent = (extent + 1) // 2
        factor = _FEATURES_FACTOR
    yield extent
    while extent > 1:
        extent = -(-extent // factor)
        yield extent


def weights_bytes(model: Model, layer: int) -> int:
    """The constants that the layer reads."""
    read = {name for operator in model.layers[layer].operators for name in operator.inputs}
    return sum(array.nbytes for name, array in model.constants.items() if name in read)
