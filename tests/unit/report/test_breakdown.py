"""The parts of a frame's latency add up, whatever the plan, and each stands for what its name says."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.cost.link_cost import Link, Ports
from legion.cost.tables import build_tables
from legion.plan.program import Receive, Run
from legion.policy.policies import POLICIES
from legion.report.breakdown import Account, Breakdown
from legion.report.explain import explain
from legion.report.explanation_text import bound_line, breakdown_table, what_if_line
from legion.report.node_times import Frame
from legion.session.stages import Planning
from support.networks import prepared, small
from support.profiles import counted_profile

pytestmark = pytest.mark.usefixtures("short_search")

SPEEDS = (1.0, 0.6, 0.3)


@cache
def planned(network, policy, devices, image="floats"):
    model = (prepared if image == "bytes" else small)(network).model
    speeds = {f"d{index}": speed for index, speed in enumerate(SPEEDS[:devices])}
    planning = Planning(model, counted_profile(model, speeds))
    choice = planning.choose(policy)
    return planning, choice, planning.programs(choice.scheme)


def account_of(planning, programs):
    tables = build_tables(planning.model, planning.demand, planning.costs, planning.costs.devices)
    return Account(planning.model, planning.costs, tables, programs, planning.predict(programs))


def explained(planning, programs, costs=None, measured=None):
    return explain(planning.model, planning.demand, costs or planning.costs, programs, measured)


def with_links(costs, latency_s, seconds_per_byte):
    link = Link(latency_s=latency_s, seconds_per_byte=seconds_per_byte)
    return replace(costs, ports=dict.fromkeys(costs.ports, Ports(inward=link, outward=link)))


def waiting_s(breakdown):
    return breakdown.feeding_s + breakdown.halos_s + breakdown.imbalance_s + breakdown.outputs_s


def as_measured(timeline, random):
    """The same events on a worse machine: stretched and shifted at random, with ends that no clock would agree on."""
    events = []
    for event in timeline.events:
        start_s = event.start_s * random.uniform(0.8, 1.3)
        events.append(replace(event, start_s=start_s, end_s=start_s + event.end_s * random.uniform(0.0, 0.5)))
    latency_s = timeline.latency_s * random.uniform(0.9, 1.4)
    return replace(timeline, source="measured", latency_s=latency_s, events=tuple(events))


@settings(max_examples=60)
@given(
    network=st.sampled_from(("vgg16", "resnet18", "mobilenetv2")),
    policy=st.sampled_from(sorted(POLICIES)),
    devices=st.integers(1, 3),
    random=st.randoms(use_true_random=False),
)
def test_the_parts_add_up_to_the_latency(network, policy, devices, random):
    planning, _, programs = planned(network, policy, devices)
    predicted = planning.predict(programs)
    account = account_of(planning, programs)
    parts = account.breakdown(predicted).parts
    assert sum(parts.values()) == pytest.approx(predicted.latency_s, rel=1e-9)
    assert min(parts.values()) >= -1e-9
    assert parts["beyond_prediction_s"] == pytest.approx(0.0, abs=1e-12)
    measured = as_measured(predicted, random)
    measured_parts = account.breakdown(measured).parts
    assert sum(measured_parts.values()) == pytest.approx(measured.latency_s, rel=1e-9)
    for name in ("computing_s", "left_out_s", "computed_twice_s", "thin_tiles_s", "assembling_s"):
        assert measured_parts[name] == parts[name]
    for name in ("messages_s", "feeding_s", "halos_s", "imbalance_s", "outputs_s"):
        assert measured_parts[name] >= 0


@pytest.mark.parametrize("network", ["vgg16", "resnet18", "mobilenetv2"])
@pytest.mark.parametrize("policy", ["legion", "auto"])
def test_one_device_loses_nothing_to_others(network, policy):
    planning, _, programs = planned(network, policy, 1)
    parts = explained(planning, programs).predicted
    for name in ("left_out_s", "halos_s", "imbalance_s", "beyond_prediction_s"):
        assert getattr(parts, name) == pytest.approx(0.0, abs=1e-12)
    in_parts = len([step for step in programs["d0"].instructions if isinstance(step, Run) and step.group == 0]) > 1
    assert (parts.computed_twice_s > 1e-12) == in_parts
    assert in_parts == (policy == "auto")
    assert parts.computing_s > 0 < parts.feeding_s
    assert parts.thin_tiles_s >= -1e-12


@pytest.mark.parametrize(("policy", "twice"), [("modnn", False), ("coedge", False), ("early-fused", True)])
def test_only_fusing_computes_twice(policy, twice):
    planning, _, programs = planned("vgg16", policy, 3)
    assert (explained(planning, programs).predicted.computed_twice_s > 1e-6) == twice


@pytest.mark.parametrize("network", ["vgg16", "resnet18", "mobilenetv2"])
def test_slower_links_never_lower_the_waiting(network):
    planning, _, programs = planned(network, "coedge", 2)
    waits = [
        waiting_s(explained(planning, programs, with_links(planning.costs, 1e-4, seconds_per_byte)).predicted)
        for seconds_per_byte in (0.0, 2e-8, 4e-8, 8e-8, 1.6e-7)
    ]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


def test_runs_that_take_longer_than_predicted_are_their_own_part():
    planning, _, programs = planned("resnet18", "legion", 1)
    predicted = planning.predict(programs)
    late_s = 0.01
    events = tuple(
        replace(event, end_s=event.end_s + late_s) if event.kind == "run" else event for event in predicted.events
    )
    assert sum(event.kind == "run" for event in events) == 1
    measured = replace(predicted, source="measured", latency_s=predicted.latency_s + late_s, events=events)
    explanation = explained(planning, programs, measured=measured)
    difference = {
        name: seconds - explanation.predicted.parts[name] for name, seconds in explanation.measured.parts.items()
    }
    assert difference.pop("beyond_prediction_s") == pytest.approx(late_s)
    assert max(map(abs, difference.values())) < 1e-12


@pytest.mark.parametrize("policy", ["coedge", "modnn"])
def test_a_wait_for_a_late_peer_is_imbalance_and_the_rest_is_on_the_way(policy):
    planning, _, programs = planned("vgg16", policy, 2)
    inputs = frozenset(port.name for port in planning.model.inputs)
    free = replace(
        with_links(planning.costs, 0.0, 0.0),
        handling_s=dict.fromkeys(planning.costs.handling_s, 0.0),
        assembling_s=dict.fromkeys(planning.costs.assembling_s, 0.0),
        copy_bytes_per_s=dict.fromkeys(planning.costs.copy_bytes_per_s, float("inf")),
    )
    explanation = explained(planning, programs, free)
    assert explanation.predicted.halos_s == pytest.approx(0.0, abs=1e-12)
    assert explanation.predicted.imbalance_s > 0
    frame = Frame(programs, inputs, planning.predict(programs))
    assert frame.times("d0").halos_s + frame.times("d1").halos_s > 0


def test_only_inputs_are_fed():
    planning, _, programs = planned("vgg16", "modnn", 2)
    inputs = {port.name for port in planning.model.inputs}
    timeline = planning.predict(programs)
    ends = {(event.node, event.instruction): event for event in timeline.events}
    frame = Frame(programs, frozenset(inputs), timeline)
    for device in ("d0", "d1"):
        fed = [
            ends[device, index]
            for index, step in enumerate(programs[device].instructions)
            if isinstance(step, Receive) and step.tensor in inputs
        ]
        assert frame.times(device).feeding_s == pytest.approx(sum(event.end_s - event.start_s for event in fed))


def test_devices_left_out_are_counted_against_the_least_of_all():
    planning, _, _ = planned("vgg16", "legion", 3)
    alone = planning.programs(planning.choose("legion", shares={"d0": 1.0, "d1": 0.0, "d2": 0.0}).scheme)
    assert [name for name, each in alone.items() if any(isinstance(step, Run) for step in each.instructions)] == ["d0"]
    parts = explained(planning, alone).predicted
    assert parts.left_out_s / (parts.computing_s + parts.left_out_s) == pytest.approx(0.9 / 1.9, rel=1e-2)


def test_the_bound_is_that_of_the_plan_and_its_line_accounts_for_the_rest():
    planning, choice, programs = planned("vgg16", "auto", 3)
    explanation = explained(planning, programs)
    assert explanation.bound.latency_s == pytest.approx(choice.bound_s)
    assert explanation.bound.computing_s == pytest.approx(explanation.predicted.computing_s)
    above, told = bound_line(explanation).split(", of which: ")
    assert f"{explanation.predicted_s * 1e3:.2f} ms" in above
    told_ms = sum(float(each.split(" ms")[0]) for each in told.split(", ") if " ms" in each)
    assert told_ms == pytest.approx(1e3 * (explanation.predicted_s - choice.bound_s), abs=0.06)


def test_changes_are_told_best_first():
    planning, _, programs = planned("vgg16", "auto", 3)
    explanation = explained(planning, programs)
    latencies = {each.change: each.latency_s for each in explanation.what_ifs}
    assert list(latencies.values()) == sorted(latencies.values())
    assert set(latencies) == {"links infinitely fast", "messages free", "8-bit input", "every device 10 % faster"}
    assert max(latencies.values()) < explanation.predicted_s
    line = what_if_line(explanation)
    assert [change in line for change in latencies] == [True, True, False, False]
    bytes_planning, _, bytes_programs = planned("vgg16", "auto", 3, "bytes")
    assert "8-bit input" not in {each.change for each in explained(bytes_planning, bytes_programs).what_ifs}


def test_the_table_has_a_row_for_each_part():
    planning, _, programs = planned("resnet18", "coedge", 2)
    predicted = planning.predict(programs)
    assert len(breakdown_table(explained(planning, programs)).columns) == 2
    table = breakdown_table(explained(planning, programs, measured=predicted))
    assert len(table.columns) == 4
    assert table.row_count == len(Breakdown.__dataclass_fields__) + 1
