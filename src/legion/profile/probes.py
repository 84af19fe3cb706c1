"""Which layers to measure, at which extents."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalGraph, LocalInput
from legion.geometry.localize import localize
from legion.geometry.segment import Segment
from legion.geometry.work import segment_work
from legion.model.model import Array, Model, Operator
from legion.model.signature import layer_signature
from legion.profile.extents import measurable, measured_extents, tile
from legion.profile.joined import joined_layers

CALL = "call"
"""Of samples: a run that has next to nothing to compute, which is what any run takes besides its layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProbe:
    """One layer, layers joined, or a mere call, at one extent: a local graph with synthetic weights.

    `input_shapes` are those of the graph's inputs, in their order; `key` and `extent` are as in `LayerSample`. `work`
    tells roughly how long it runs, against others; see `legion.geometry.work`.
    """

    key: str
    extent: int
    graph: LocalGraph
    input_shapes: tuple[tuple[int, ...], ...]
    work: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """The probes of a model, and the bytes of those constants that are not synthetic, by digest."""

    probes: tuple[LayerProbe, ...]
    constants: Mapping[str, Array]


def plan_probes(model: Model, demand: Demand) -> ProbePlan:
    """A mere call, layers joined, and a ladder of extents for every distinct layer; see `measured_extents`.

    The ladder's samples together take about twice the whole, so its length costs little.
    A layer that can't be split is measured whole; one that is not `measurable`, never.
    """
    pool = ConstantPool(model, synthetic=True)
    segments = {(joined.key, joined.extent): joined.segment for joined in joined_layers(model, demand)}
    seen: set[str] = set()
    for layer in range(len(model.layers)):
        key = layer_signature(model, layer)
        if key not in seen and measurable(model, layer):
            seen.add(key)
            for part in measured_extents(model, demand, layer):
                segments[key, part] = build_segment(demand, (layer,), tile(model, demand, layer, part))
    return ProbePlan(
        probes=(
            call_probe(),
            *(layer_probe(demand, pool, key, extent, segment) for (key, extent), segment in segments.items()),
        ),
        constants=pool.arrays,
    )


def layer_probe(demand: Demand, pool: ConstantPool, key: str, extent: int, segment: Segment) -> LayerProbe:
    """A segment as a probe."""
    local = localize(demand.model, segment, pool)
    shapes = tuple(buffer.shape for buffer in local.buffers)
    work = segment_work(demand, segment)
    return LayerProbe(key=key, extent=extent, graph=local.graph, input_shapes=shapes, work=work)


def call_probe() -> LayerProbe:
    """A mere call: the negative of one number."""
    graph = LocalGraph(
        opset=18,
        operators=(Operator(name=CALL, op_type="Neg", inputs=("input",), outputs=("output",), attributes={}),),
        inputs=(LocalInput(name="input", dtype="float32", dims=(1,)),),
        outputs=("output",),
        constants=(),
    )
    return LayerProbe(key=CALL, extent=1, graph=graph, input_shapes=((1,),), work=1.0)
