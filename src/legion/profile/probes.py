"""Which layers to measure, at which extents."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalGraph
from legion.geometry.localize import localize
from legion.geometry.segment import Segment
from legion.model.model import Array, Model
from legion.model.signature import layer_signature
from legion.profile.extents import measurable, measured_extents, tile
from legion.profile.pairs import largest_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProbe:
    """One layer, or a pair of layers, at one extent: a local graph with synthetic weights, and its inputs' shapes.

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
    """The largest pairs, and a ladder of extents for every distinct layer; see `measured_extents`.

    The ladder's samples together take about twice the whole, so its length costs little.
    A layer that can't be split is measured whole; one that is not `measurable`, never.
    """
    pool = ConstantPool(model, synthetic=True)
    segments = {(pair.key, pair.extent): pair.segment for pair in largest_pairs(model, demand)}
    seen: set[str] = set()
    for layer in range(len(model.layers)):
        key = layer_signature(model, layer)
        if key not in seen and measurable(model, layer):
            seen.add(key)
            for part in measured_extents(model, demand, layer):
                segments[key, part] = build_segment(demand, (layer,), tile(model, demand, layer, part))
    return ProbePlan(
        probes=tuple(layer_probe(model, pool, key, extent, segment) for (key, extent), segment in segments.items()),
        constants=pool.arrays,
    )


def layer_probe(model: Model, pool: ConstantPool, key: str, extent: int, segment: Segment) -> LayerProbe:
    """A segment as a probe."""
    local = localize(model, segment, pool)
    shapes = tuple(buffer.shape for buffer in local.buffers)
    return LayerProbe(key=key, extent=extent, graph=local.graph, input_shapes=shapes)
