"""Layers probed together, to see what a tensor saves that never leaves the engine.

Measured alone, each layer pays for its tensors' way in and out: engines keep images in a layout of their own, and fuse
neighbours. Pairs tell this best where tensors are large; a long stretch of layers tells what many small ones save.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby

from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.profile.extents import MOST_WEIGHTS_BYTES, measurable, tile, weights_bytes, whole_extent

_PAIRS = 6
IMAGE_RANK = 4
"""Tensors of this rank or more have a layout that engines may change: (batch, channels, rows, columns...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Layers as one segment; `key` and `extent` are as in `LayerSample`, the latter of the last layer."""

    key: str
    extent: int
    segment: Segment


def joined_layers(model: Model, demand: Demand) -> tuple[Joined, ...]:
    """The largest pairs, and the longest stretch, unless that is one of them."""
    pairs = largest_pairs(model, demand)
    stretch = longest_stretch(model, demand)
    return pairs if stretch is None else (*pairs, stretch)


def largest_pairs(model: Model, demand: Demand) -> tuple[Joined, ...]:
    """Of the pairs that hand over the largest images a quarter of the second's extent, no two of the same kind."""
    pairs: dict[str, Joined] = {}
    for first, second, _ in sorted(_neighbours(model), key=lambda found: -found[2]):
        key = _key(model, (first, second))
        if key not in pairs:
            extent = -(-whole_extent(model, demand, second) // 4)
            segment = build_segment(demand, (first, second), tile(model, demand, second, extent))
            pairs[key] = Joined(key=key, extent=extent, segment=segment)
        if len(pairs) == _PAIRS:
            break
    return tuple(pairs.values())


def longest_stretch(model: Model, demand: Demand) -> Joined | None:
    """The most layers in a row, whole, whose weights are not too large; None where that is not even three."""
    layers = max(_stretches(model), key=len, default=range(0))
    if len(layers) <= 2:
        return None
    made = {tensor for layer in layers for tensor in model.layers[layer].outputs}
    read = {tensor for layer in range(layers.stop, len(model.layers)) for tensor in model.layers[layer].inputs}
    wanted = made & (read | {port.name for port in model.outputs})
    segment = build_segment(demand, layers, {tensor: Box.whole(model.tensors[tensor].shape) for tensor in wanted})
    return Joined(key=_key(model, layers), extent=whole_extent(model, demand, layers[-1]), segment=segment)


def _stretches(model: Model) -> Iterator[range]:
    """From each layer as far as it goes."""
    sizes = [weights_bytes(model, layer) for layer in range(len(model.layers))]
    for can_be, found in groupby(range(len(model.layers)), key=lambda layer: measurable(model, layer)):
        layers = list(found) if can_be else []
        for first in layers:
            stop, total_bytes = first, 0
            while stop <= layers[-1] and total_bytes + sizes[stop] <= MOST_WEIGHTS_BYTES:
                total_bytes += sizes[stop]
                stop += 1
            yield range(first, stop)


def _key(model: Model, layers: Sequence[int]) -> str:
    signatures = "+".join(layer_signature(model, layer) for layer in layers)
    return f"{len(layers)} layers {blake2b(signatures.encode(), digest_size=16).hexdigest()}"


def _neighbours(model: Model) -> Iterator[tuple[int, int, int]]:
    """Each layer with the first that reads an image of its, and the bytes of that."""
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
                yield index, reader, model.tensors[tensor].size_bytes
