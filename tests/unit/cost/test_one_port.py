"""T with ports that carry one message at a time: against the simulator, which knows ports, and against bounds."""

from dataclasses import replace

import numpy as np
import pytest
from cost_building import chain_model, convolution, loaded, residual_model
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.cost.fit import cost_model
from legion.cost.group_terms import GroupTerms
from legion.cost.groups import connected_groups
from legion.cost.layer_cost import NO_SAVING
from legion.cost.matrices import build_matrices
from legion.cost.one_port import one_port_s
from legion.geometry.demand import Demand
from legion.model.part import part_of
from legion.plan.assign import assign
from legion.plan.lower import lower
from legion.plan.scheme import CONTROLLER
from legion.profile.samples import Profile
from legion.simulate.simulate import simulate
from unit.profile.profile_building import random_profile

MODELS = {"chain": chain_model(), "residual": residual_model()}
SECONDS = st.floats(0.01, 1.0)
DEVICES = st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=5)


def wires_and_runs_alone(cost, handling_s=0.0):
    """The same cost model on machines that copy for nothing, and hand over for as much at each end."""
    nodes = (*cost.devices, CONTROLLER)
    return replace(
        cost,
        savings=dict.fromkeys(cost.devices, NO_SAVING),
        call_s=dict.fromkeys(cost.devices, 0.0),
        assembling_s=dict.fromkeys(nodes, 0.0),
        copy_bytes_per_s=dict.fromkeys(nodes, float("inf")),
        handling_s=dict.fromkeys(nodes, handling_s),
    )


def one_latency(profile):
    """The same devices on links of one latency: the order of the last messages does not matter then."""
    ports = {"set": 1.5e-4, "get": 2.5e-4}

    def even(link):
        return replace(link, seconds=(ports[link.direction] + link.size_bytes * 1e-8 * (1 + len(link.direction)),))

    return Profile(
        devices={
            name: replace(device, links=tuple(map(even, device.links))) for name, device in profile.devices.items()
        }
    )


def with_controller(cost, filling):
    """The same with a controller whose ports messages fill for this fraction of their time."""
    return replace(cost, ports={name: ports.at_controller(filling, filling) for name, ports in cost.ports.items()})


@settings(max_examples=60)
@given(
    st.sampled_from([("chain", 1.0), ("residual", 1.0), ("chain", 0.3), ("chain", 0.0)]),
    st.lists(st.floats(0.05, 1), min_size=1, max_size=4),
    st.integers(0, 9),
)
def test_every_group_is_as_simulated(case, fractions, seed):
    name, filling = case
    shares = {f"d{index}": fraction / sum(fractions) for index, fraction in enumerate(fractions)}
    groups_are_as_simulated(MODELS[name], shares, filling, seed, handling_s=0.0)


@pytest.mark.parametrize("filling", [1.0, 0.3])
def test_both_ends_handle_a_message_in_every_group(filling):
    """One device and tensors one at a time: otherwise whoever hands over several is busy with one after another."""
    groups_are_as_simulated(MODELS["chain"], {"d0": 1.0}, filling, seed=1, handling_s=3e-4)


def groups_are_as_simulated(model, shares, filling, seed, handling_s):
    demand = Demand(model)
    profile = one_latency(random_profile(model, demand, tuple(shares), seed))
    alone = wires_and_runs_alone(cost_model(model, demand, profile, tuple(shares)), handling_s)
    cost = with_controller(alone, filling)
    costs = build_matrices(model, demand, cost, shares, ports="one at a time").T
    for first, last in np.argwhere(costs >= 0).tolist():
        part, layers = part_of(model, first, last + 1), slice(first, last + 1)
        scheme = assign(part, Demand(part), [range(len(part.layers))], shares, via_controller=True, policy="")
        curves = {device: of_layers[layers] for device, of_layers in cost.curves.items()}
        part_cost = replace(cost, layers=cost.layers[layers], curves=curves)
        simulated = simulate(lower(part, Demand(part), scheme), part, part_cost).latency_s
        assert costs[first, last] == pytest.approx(simulated), (first, last)
    assert ((costs >= 0) == connected_groups(model)).all()


def pointwise_model():
    parts = [convolution("x", "a", 1, 1, 0), convolution("a", "b", 1, 1, 0), convolution("b", "c", 1, 1, 0)]
    return loaded([node for node, _ in parts], ["c"], [weights for _, weights in parts])


def test_a_controller_that_no_message_fills_is_the_papers():
    """T is then the maximum over devices, but for what it says of halos: here no layer has any."""
    model, shares = pointwise_model(), {"a": 0.5, "b": 0.25, "c": 0.25}
    demand = Demand(model)
    profile = random_profile(model, demand, tuple(shares), 0)
    cost = with_controller(wires_and_runs_alone(cost_model(model, demand, profile, tuple(shares))), 0.0)
    one_port, parallel = (
        build_matrices(model, demand, cost, shares, ports=ports).T for ports in ("one at a time", "parallel")
    )
    np.testing.assert_allclose(one_port, parallel)


def terms_of(devices, latency_s=0.0):
    """From (set, run, get) of each device."""
    set_s, run_s, get_s = map(np.array, zip(*devices, strict=True))
    latency = np.full(len(devices), latency_s)
    return GroupTerms(
        set_filling_s=set_s,
        set_latency_s=np.where(set_s > 0, latency, 0.0),
        run_s=run_s,
        get_filling_s=get_s,
        get_latency_s=np.where(get_s > 0, latency, 0.0),
    )


@given(DEVICES, st.floats(0, 0.01))
def test_between_all_at_once_and_one_after_the_other(devices, latency_s):
    seconds = one_port_s(terms_of(devices, latency_s))
    assert max(map(sum, devices)) + 2 * latency_s <= seconds * (1 + 1e-9)
    assert seconds <= (sum(map(sum, devices)) + 2 * latency_s) * (1 + 1e-9)


def test_by_hand():
    """Fed till 1 and 3, inputs are there at 1.5 and 3.5; ready at 6.5 and 4.5, the latter hands over first, till 7.5"""
    assert one_port_s(terms_of([(1.0, 5.0, 1.0), (2.0, 1.0, 3.0)], latency_s=0.5)) == 4.5 + 3.0 + 1.0 + 0.5


def test_who_has_nothing_to_do_does_not_matter():
    busy = [(1.0, 1.0, 1.0), (1.0, 2.0, 1.0)]
    idle = (0.0, 0.0, 0.0)
    assert one_port_s(terms_of([busy[0], idle, busy[1]], 0.5)) == one_port_s(terms_of(busy, 0.5))
    assert one_port_s(terms_of([*busy, idle], 0.5)) == one_port_s(terms_of(busy, 0.5))
