"""Pairs of neighbouring layers, probed together to see what a tensor saves that never leaves the engine.

Measured alone, each layer pays for its tensors' way in and out: engines keep images in a layout of their own, and fuse
neighbours. The largest tensors tell this best; small ones drown in noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.profile.extents import measurable, tile, whole_extent

_PAIRS = 6
IMAGE_RANK = 4
"""Tensors of this rank or more have a layout that engines may change: (batch, channels, rows, columns...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two layers as one segment, on a quarter of the second's extent; `tensor` is what the first hands to the second.

    `key` and `extent` are as in `LayerSample`.
    """

    key: str
    extent: int
    tensor: str
    segment: Segment


def largest_pairs(model: Model, demand: Demand) -> tuple[Pair, ...]:
    """The pairs that hand over the largest images, no two of the same kind."""
    pairs: dict[str, Pair] = {}
    by_size = sorted(_neighbours(model), key=lambda found: -model.tensors[found[1]].size_bytes)
    for first, tensor, second in by_size:
        key = f"{layer_signature(model, first)}+{layer_signature(model, second)}"
        if key not in pairs:
            extent = -(-whole_extent(model, demand, second) // 4)
            segment = build_segment(demand, (first, second), tile(model, demand, second, extent))
            pairs[key] = Pair(key=key, extent=extent, tensor=tensor, segment=segment)
        if len(pairs) == _PAIRS:
            break
    return tuple(pairs.values())


def _neighbours(model: Model) -> Iterator[tuple[int, str, int]]:
    """Each layer with each image that it makes and the first layer that reads it."""
    readers: dict[str, int] = {}
    for index, layer in enumerate(model.layers):
        for tensor in layer.inputs:
            readers.setdefault(tensor, index)
    for index, layer in enumerate(model.layers):
        for tensor in layer.outputs:
            reader = readers.get(tensor)
            if reader is None or len(model.tensors[tensor].shape) < IMAGE_RANK:
                continue
            if measurable(model, index) and measurable(model, reader):
                yield index, tensor, reader
