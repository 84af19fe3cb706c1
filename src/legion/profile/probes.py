"""Which single layers to measure, at which extents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalGraph
from legion.geometry.localize import localize
from legion.geometry.splitting import split_axis
from legion.model.model import Array, Model
from legion.model.signature import layer_signature


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProbe:
    """One layer at one extent: a local graph with synthetic weights, and its inputs' shapes.

    `key` and `extent` as in `LayerSample`; `input_shapes` stand in the order of the graph's inputs.
    """

    key: str
    extent: int
    graph: LocalGraph
    input_shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """The probes of a model, and the bytes of those constants that are not synthetic, by digest."""

    probes: tuple[LayerProbe, ...]
    constants: Mapping[str, Array]


def plan_probes(model: Model, demand: Demand) -> ProbePlan:
    """A ladder of extents for every distinct layer: the whole, then halves down to one.

    The ladder's samples together take less than twice the whole, so its length costs little, and thin tiles are where
    seconds are least proportional. A layer that can't be split is measured whole; one that is not `measurable`, never.
    """
    pool = ConstantPool(model, synthetic=True)
    probes: list[LayerProbe] = []
    seen: set[str] = set()
    for layer in range(len(model.layers)):
        key = layer_signature(model, layer)
        if key in seen or not measurable(model, layer):
            continue
        seen.add(key)
        for extent in _ladder(whole_extent(model, demand, layer)):
            segment = build_segment(demand, (layer,), tile(model, demand, layer, extent))
            local = localize(model, segment, pool)
            shapes = tuple(buffer.shape for buffer in local.buffers)
            probes.append(LayerProbe(key=key, extent=extent, graph=local.graph, input_shapes=shapes))
    return ProbePlan(probes=tuple(probes), constants=pool.arrays)


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


def _ladder(extent: int) -> Iterator[int]:
    yield extent
    while extent > 1:
        extent = (extent + 1) // 2
        yield extent
