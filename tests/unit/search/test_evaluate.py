"""The search's latency against the simulator's, and the bound against both."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.cost.fit import cost_model
from legion.cost.layer_cost import NO_SAVING
from legion.cost.tables import Edge, Tables, build_tables
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.lower import lower
from legion.plan.scheme import CONTROLLER
from legion.policy.auto import scheme_of
from legion.policy.base import Request
from legion.search.bound import least_s
from legion.search.evaluate import latencies_s
from legion.search.native import NativeTables
from legion.search.row_plans import RowPlans, joined
from legion.search.seeds import alone, seeds, shared
from legion.simulate.simulate import simulate
from support.profiles import counted_profile
from unit.geometry.geometry_building import make_model, node
from unit.search.problems import NETWORKS, SPEEDS, changed, problem, simulated_s

BURST_BYTES = 6_000
"""More than most messages have in these networks."""


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("parts", "faster", "burst_bytes", "filling"),
    [(1, 1, 0, 1), (2, 1, 0, 1), (4, 1, 0, 1), (1, 60, BURST_BYTES, 1), (1, 60, 0, 0.2), (1, 20, BURST_BYTES, 0.2)],
)
def test_latencies_agree_with_the_simulator(
    name: str, parts: int, faster: float, burst_bytes: int, filling: float
) -> None:
    """Within a tenth, but for one plan in twenty: the order differs in which messages take a port."""
    tables, errors = problem(name, faster, burst_bytes, filling)[3], []
    for seed in range(20):
        plan = changed(tables, 37 * seed, seed % 13)
        plan.parts[:] = parts
        simulated = simulated_s(name, plan, faster, burst_bytes, filling)
        errors.append(abs(float(latencies_s(NativeTables(tables), plan)[0]) / simulated - 1))
    assert max(errors) <= 0.15
    assert sorted(errors)[-2] <= 0.1
    assert np.mean(errors) <= 0.03


@pytest.mark.parametrize(("faster", "parts", "pays"), [(60, 2, True), (60, 3, True), (20, 3, False), (20, 4, False)])
def test_parts_gain_and_cost_what_the_simulator_says(faster: int, parts: int, pays: bool) -> None:
    """On devices so fast that feeding them takes about as long as the first group does, and on slower ones."""
    tables = problem("resnet18", faster)[3]
    plan = shared(tables, tables.speeds)[[2]]
    whole_s, simulated_whole_s = (
        float(latencies_s(NativeTables(tables), plan)[0]),
        simulated_s("resnet18", plan, faster),
    )
    plan.parts[:] = parts
    gain_s = whole_s - float(latencies_s(NativeTables(tables), plan)[0])
    simulated_gain_s = simulated_whole_s - simulated_s("resnet18", plan, faster)
    assert abs(simulated_gain_s) > 0.03 * simulated_whole_s
    assert (simulated_gain_s > 0) == pays
    assert gain_s == pytest.approx(simulated_gain_s, rel=0.3)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_device_alone_is_priced_as_by_the_simulator(name: str) -> None:
    tables = problem(name)[3]
    for device in range(len(SPEEDS)):
        plan = alone(tables, device)
        assert float(latencies_s(NativeTables(tables), plan)[0]) == pytest.approx(simulated_s(name, plan), rel=0.01)


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    moves=st.integers(0, 12),
    parts=st.integers(1, 8),
    burst_bytes=st.sampled_from([0, BURST_BYTES, 10 * BURST_BYTES]),
    filling=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_no_plan_beats_the_bound(
    name: str, seed: int, moves: int, parts: int, burst_bytes: int, filling: float
) -> None:
    tables = problem(name, burst_bytes=burst_bytes, filling=filling)[3]
    plan = changed(tables, seed, moves)
    plan.parts[:] = parts
    assert least_s(tables) <= simulated_s(name, plan, burst_bytes=burst_bytes, filling=filling) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("others_s", "burst_s", "seconds"),
    [([0.0, 0.0], 0.0, 2 + 2 * 5 + 3), ([2.0, 0.0], 0.0, 3 + 2 * 5 + 3), ([0.0, 0.0], 2.0, 4 + 5 + 1)],
)
def test_a_way_in_carries_one_message_at_a_time(others_s: list[float], burst_s: float, seconds: float) -> None:
    """One unit each for three devices, fed after 1, 2 and 3 s; 5 s each from two of them to the first; 3 s out.

    Who asks first goes first, and the other asks while it is on its way: the second device's, or, where that computes
    for 2 s, the third's. Where ports carry what takes 2 s at once, all are fed after 0, 0 and 1 s, of which the first
    device's way in has made up by then: of 5 s there pass 4, then 5, and on its way out 1 of 3.
    """
    each, whole = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 3])
    nobody = np.zeros(4)
    computing = np.outer([0.0, *others_s], np.arange(4.0))
    tables = Tables(
        devices=("a", "b", "c"),
        extents=np.array([3, 3, 3]),
        bytes_per_unit=np.array([5.0, 1.0, 1.0]),
        seconds=(computing, np.zeros((3, 4))),
        saved_s=(np.zeros((3, 4)), np.zeros((3, 4))),
        breadths=np.ones(2),
        edges=((Edge(source=2, low=each, high=whole),), (Edge(source=0, low=each, high=whole),)),
        is_output=np.array([False, True]),
        call_s=np.zeros(3),
        constant_bytes=np.zeros(2),
        splits_constants=np.zeros(2, dtype=np.bool_),
        memory_bytes=np.full(3, np.inf),
        message_s=nobody,
        assembling_s=nobody,
        copy_s_per_byte=nobody,
        latency_s=np.zeros((4, 4)),
        seconds_per_byte=np.ones((4, 4)),
        burst_s=np.full((4, 4), burst_s),
        outward_fraction=np.ones((4, 4)),
        inward_fraction=np.ones((4, 4)),
    )
    cuts = np.array([[[0, 1, 2, 3], [0, 3, 3, 3]]])
    plan = RowPlans(
        starts=np.ones((1, 2), dtype=np.bool_),
        cuts=cuts,
        borders=np.zeros((1, 2), dtype=np.bool_),
        parts=np.ones(1, dtype=np.int64),
    )
    assert latencies_s(NativeTables(tables), plan)[0] == pytest.approx(seconds)


@pytest.mark.parametrize(("borders", "seconds"), [(False, 2 + 3 + 2), (True, 1 + 3 + 2)])
def test_borders_that_go_first_arrive_sooner(borders: bool, seconds: float) -> None:
    """Two units each for two devices, a second to compute one, three to send one; a unit demands its neighbours."""
    counted = (np.arange(5.0),) * 2
    low, high = np.array([0, 0, 1, 2, 2]), np.array([2, 2, 3, 4, 4])
    nobody = np.zeros(3)
    tables = Tables(
        devices=("a", "b"),
        extents=np.array([4, 4, 4]),
        bytes_per_unit=np.ones(3),
        seconds=(np.array(counted), np.array(counted)),
        saved_s=(np.zeros((2, 5)), np.zeros((2, 5))),
        breadths=np.ones(2),
        edges=((Edge(source=2, low=np.arange(5), high=np.arange(5)),), (Edge(source=0, low=low, high=high),)),
        is_output=np.array([False, True]),
        call_s=np.zeros(2),
        constant_bytes=np.zeros(2),
        splits_constants=np.zeros(2, dtype=np.bool_),
        memory_bytes=np.full(2, np.inf),
        message_s=nobody,
        assembling_s=nobody,
        copy_s_per_byte=nobody,
        latency_s=np.zeros((3, 3)),
        seconds_per_byte=np.array([[0, 3, 0], [3, 0, 0], [0, 0, 0]]),
        burst_s=np.zeros((3, 3)),
        outward_fraction=np.ones((3, 3)),
        inward_fraction=np.ones((3, 3)),
    )
    plan = RowPlans(
        starts=np.ones((1, 2), dtype=np.bool_),
        cuts=np.array([[[0, 2, 4]] * 2]),
        borders=np.array([[borders, False]]),
        parts=np.ones(1, dtype=np.int64),
    )
    assert latencies_s(NativeTables(tables), plan)[0] == pytest.approx(seconds)


def handmade(name: str) -> Model:
    """A pool that passes over its input's last row and column; tokens of two kinds, one behind the other."""
    random = np.random.default_rng(0)
    if name == "pool":
        nodes = [
            node("Conv", ("x", "w"), "a", kernel_shape=(3, 3), pads=(1, 1, 1, 1)),
            node("MaxPool", ("a",), "y", kernel_shape=(2, 2), strides=(2, 2)),
        ]
        weights = random.random((8, 3, 3, 3), np.float32)
        return make_model(nodes, {"x": random.random((1, 3, 27, 27), np.float32)}, {"w": weights})
    nodes = [
        node("MatMul", ("x", "w"), "a"),
        node("MatMul", ("z", "w"), "b"),
        node("Concat", ("a", "b"), "c", axis=1),
        node("MatMul", ("c", "w"), "y"),
    ]
    tokens = {"x": random.random((1, 7, 64), np.float32), "z": random.random((1, 30, 64), np.float32)}
    return make_model(nodes, tokens, {"w": random.random((64, 64), np.float32)})


@pytest.mark.parametrize(("name", "speeds"), [("pool", {"a": 1e-5}), ("tokens", {"a": 1.0, "b": 0.5})])
def test_parts_that_nobody_reads_are_neither_fed_nor_in_the_bound(name: str, speeds: dict[str, float]) -> None:
    model = handmade(name)
    demand = Demand(model)
    measured = cost_model(model, demand, counted_profile(model, speeds), tuple(speeds))
    nothing = dict.fromkeys(speeds, 0.0)
    cost = replace(measured, handling_s={**nothing, CONTROLLER: 0.0}, savings=dict.fromkeys(nothing, NO_SAVING))
    tables = build_tables(model, demand, cost, tuple(speeds))
    plans = seeds(tables)
    for place, latency_s in enumerate(latencies_s(NativeTables(tables), plans)):
        scheme = scheme_of(Request(model=model, demand=demand, cost=cost), tables, plans[[place]])
        simulated = simulate(lower(model, demand, scheme), model, cost).latency_s
        assert least_s(tables) <= simulated * (1 + 1e-9)
        assert float(latency_s) == pytest.approx(simulated, rel=0.1)


def test_the_bound_of_equal_devices_is_near_a_fair_share() -> None:
    model, demand, _, _ = problem("vgg16")
    names = tuple("abcd")
    cost = cost_model(model, demand, counted_profile(model, dict.fromkeys(names, 0.01)), names)
    tables = build_tables(model, demand, cost, names)
    shares = float(latencies_s(NativeTables(tables), alone(tables, 0))[0]) / len(names)
    assert 0.5 * shares < least_s(tables) < 1.1 * shares


@pytest.mark.parametrize("fused", (0.1, 0.9))
def test_a_batch_is_priced_as_its_plans_alone(fused: float) -> None:
    """Nothing of one plan stays in the room for the next."""
    tables = problem("resnet18")[3]
    plans = joined([seeds(tables), *(changed(tables, seed, 12) for seed in range(20))])
    random = np.random.default_rng(0)
    plans.starts[:, 1:] &= random.random(plans.starts[:, 1:].shape) > fused
    plans.parts[:] = random.integers(1, 5, len(plans))
    together = latencies_s(NativeTables(tables), plans)
    for place in range(0, len(plans), 7):
        assert latencies_s(NativeTables(tables), plans[[place]])[0] == pytest.approx(together[place], rel=1e-12)
