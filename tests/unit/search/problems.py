"""What the tests of the search search in: small networks of the zoo on three devices, and tables that are drawn."""

from dataclasses import replace
from functools import cache

import numpy as np

from legion.cost.fit import cost_model
from legion.cost.link_cost import Ports
from legion.cost.model import CostModel
from legion.cost.tables import Array, Edge, Places, Tables, build_tables
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.lower import lower
from legion.plan.verify import verify
from legion.policy.auto import scheme_of
from legion.policy.base import Request
from legion.search.moves import descend
from legion.search.native import NativeTables
from legion.search.row_plans import RowPlans, room
from legion.search.seeds import seeds
from legion.simulate.simulate import simulate
from support.networks import small
from support.profiles import counted_profile
from unit.geometry.geometry_building import make_model, node

PYRAMID = "pyramid"
"""A network of which a large output leaves early."""

NETWORKS = ("vgg16", "resnet18", "mobilenetv2", "yolov2", PYRAMID)
SPEEDS = {"a": 0.01, "b": 0.004, "c": 0.007}
"""Slow against the links, so that splitting pays even for small networks."""


@cache
def problem(
    name: str, faster: float = 1.0, burst_bytes: float = 0.0, filling: float = 1.0
) -> tuple[Model, Demand, CostModel, Tables]:
    """`filling` is the fraction of a message's time for which it fills the controller's port."""
    model = _pyramid() if name == PYRAMID else small(name).model
    demand = Demand(model)
    profile = counted_profile(model, {device: faster * speed for device, speed in SPEEDS.items()})
    cost = with_links(cost_model(model, demand, profile, tuple(SPEEDS)), burst_bytes, filling)
    return model, demand, cost, build_tables(model, demand, cost, tuple(SPEEDS))


def _pyramid() -> Model:
    """Convolutions in a row, and a head of the first of them that nobody else reads."""
    nodes = [node("Conv", ["x", "w"], "t0", pads=[1, 1, 1, 1]), node("Conv", ["t0", "w"], "head", pads=[1, 1, 1, 1])]
    nodes += [node("Conv", [f"t{at}", "w"], f"t{at + 1}", pads=[1, 1, 1, 1]) for at in range(5)]
    weights = np.full((16, 16, 3, 3), 0.01, np.float32)
    return make_model(nodes, {"x": np.zeros((1, 16, 48, 48), np.float32)}, {"w": weights})


def with_links(cost: CostModel, burst_bytes: float, filling: float) -> CostModel:
    """The same on links that let so much pass at once, and a controller whose ports messages fill for this fraction."""

    def changed(ports: Ports) -> Ports:
        inward, outward = (replace(link, burst_bytes=burst_bytes) for link in (ports.inward, ports.outward))
        return Ports(inward=inward, outward=outward).at_controller(filling, filling)

    return replace(cost, ports={device: changed(ports) for device, ports in cost.ports.items()})


def simulated_s(
    name: str, plan: RowPlans, faster: float = 1.0, burst_bytes: float = 0.0, filling: float = 1.0
) -> float:
    model, demand, cost, tables = problem(name, faster, burst_bytes, filling)
    scheme = scheme_of(Request(model=model, demand=demand, cost=cost), tables, plan)
    programs = lower(model, demand, scheme)
    verify(model, demand, programs)
    return simulate(programs, model, cost).latency_s


def changed(tables: Tables, seed: int, moves: int) -> RowPlans:
    """A seed with some moves made."""
    starts = seeds(tables)
    return descended(tables, starts[[seed % len(starts)]], moves, np.random.PCG64(seed))


def descended(tables: Tables, plan: RowPlans, times: int, random: np.random.BitGenerator) -> RowPlans:
    """The plan, with up to a few moves made so many times."""
    for _ in range(times):
        new = room(plan, 1)
        descend(NativeTables(tables), plan, new, random)
        plan = new
    return plan


def random_tables(seed: int) -> Tables:
    """Three or four layers on two devices."""
    random = np.random.default_rng(seed)
    layers = int(random.integers(3, 5))
    extents = np.append(random.integers(2, 6 if layers == 3 else 5, size=layers), 5)
    return drawn_tables(random, extents, 2)


def drawn_tables(random: np.random.Generator, extents: Places, devices: int) -> Tables:
    """Layers in a row, which have these extents, the model's input the last; as often as not with a short cut past the
    last but one. All costs are drawn.
    """
    layers, nodes = len(extents) - 1, devices + 1
    seconds = tuple(drawn_seconds(random, int(extent), devices) for extent in extents[:layers])
    sources = [layers, *range(layers - 1)]
    edges = [(edge(random, int(extents[source]), int(extents[layer]), source),) for layer, source in enumerate(sources)]
    if layers > 2 and random.integers(2):
        edges[-1] += (edge(random, int(extents[layers - 3]), int(extents[layers - 1]), layers - 3),)
    return Tables(
        devices=tuple("abcdef"[:devices]),
        extents=extents,
        bytes_per_unit=random.uniform(0.5, 2.0, layers + 1),
        seconds=seconds,
        saved_s=tuple(0.1 * each for each in seconds),
        breadths=np.ones(layers),
        edges=tuple(edges),
        is_output=np.arange(layers) == layers - 1,
        call_s=random.uniform(0.0, 0.1, devices),
        constant_bytes=np.zeros(layers),
        splits_constants=np.zeros(layers, dtype=np.bool_),
        memory_bytes=np.full(devices, np.inf),
        message_s=random.uniform(0.0, 0.1, nodes),
        assembling_s=random.uniform(0.0, 0.1, nodes),
        copy_s_per_byte=random.uniform(0.0, 0.02, nodes),
        latency_s=random.uniform(0.0, 0.05, (nodes, nodes)),
        seconds_per_byte=random.uniform(0.0, 0.3, (nodes, nodes)),
        burst_s=random.uniform(0.0, 0.3, (nodes, nodes)),
        outward_fraction=random.uniform(0.1, 1.0, (nodes, nodes)),
        inward_fraction=random.uniform(0.1, 1.0, (nodes, nodes)),
    )


def drawn_seconds(random: np.random.Generator, extent: int, devices: int) -> Array:
    """(device, extent + 1): the more units the longer, the less for each."""
    units = np.arange(extent + 1)
    return random.uniform(0.5, 3.0, (devices, 1)) * (units / extent) ** random.uniform(0.6, 1.0)


def edge(random: np.random.Generator, source_extent: int, extent: int, source: int) -> Edge:
    """A window around the place in proportion."""
    reach = int(random.integers(0, 2))
    low = np.floor(np.arange(extent) * source_extent / extent).astype(np.int64) - reach
    high = np.ceil(np.arange(1, extent + 1) * source_extent / extent).astype(np.int64) + reach
    low, high = np.maximum(low, 0), np.minimum(high, source_extent)
    return Edge(source=source, low=np.append(low, low[-1]), high=np.append(high[0], high))
