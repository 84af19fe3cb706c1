"""Layers probed together, to see what they save by running as one.

Measured alone, each layer pays for a call, and for its tensors' way in and out: engines keep images in a layout of
their own, and fuse neighbours. One long stretch whole tells what that is on one device, and its pieces, of which tiles
are measured, what it is where several share the work.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby, pairwise

from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.profile.extents import MOST_WEIGHTS_BYTES, measurable, tile, weights_bytes, whole_extent

IMAGE_RANK = 4
"""Tensors of this rank or more have a layout that engines may change: (batch, channels, rows, columns...)."""

_PIECES = 8
TILES = 4
"""Of a piece, one of so many tiles is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Layers as one segment; `key` and `extent` are as in `LayerSample`, the latter of the last layer."""

    key: str
    extent: int
    segment: Segment


def joined_layers(model: Model, demand: Demand) -> tuple[Joined, ...]:
    """The longest stretch, whole, and tiles of the pieces that it falls into; all of two layers or more."""
    stretch = longest_stretch(model)
    if len(stretch) < 2:
        return ()
    pieces = min(_PIECES, len(stretch) // 2)
    bounds = [stretch.start + len(stretch) * place // pieces for place in range(pieces + 1)]
    parts = [range(first, last) for first, last in pairwise(bounds)]
    tiles = (_joined(model, demand, part, TILES) for part in parts if part != stretch)
    return (_joined(model, demand, stretch, 1), *tiles)


def longest_stretch(model: Model) -> range:
    """The most layers in a row whose weights are not too large, the first of several."""
    return max(_stretches(model), key=len, default=range(0))


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


def _joined(model: Model, demand: Demand, layers: range, tiles: int) -> Joined:
    """One of so many tiles of the layers, as large as its share of what is read later."""
    read = {tensor for layer in range(layers.stop, len(model.layers)) for tensor in model.layers[layer].inputs}
    read |= {port.name for port in model.outputs}
    extents = {layer: -(-whole_extent(model, demand, layer) // tiles) for layer in layers}
    boxes = {
        tensor: box
        for layer in layers
        for tensor, box in tile(model, demand, layer, extents[layer]).items()
        if tensor in read
    }
    return Joined(
        key=_key(model, layers, boxes), extent=extents[layers[-1]], segment=build_segment(demand, layers, boxes)
    )


def _key(model: Model, layers: Sequence[int], boxes: dict[str, Box]) -> str:
    """Equal stretches have equal keys: the same layers, of which the same is read later."""
    parts = [
        (layer_signature(model, layer), *(str(tensor in boxes) for tensor in model.layers[layer].outputs))
        for layer in layers
    ]
    signatures = "+".join(" ".join(part) for part in parts)
    return f"{len(layers)} layers {blake2b(signatures.encode(), digest_size=16).hexdigest()}"
