"""The ring's probe runs on devices, and the cost model that it yields takes as long for it as was measured."""

from dataclasses import replace
from math import inf
from types import SimpleNamespace

import pytest

from legion.cost.fit import cost_model
from legion.cost.link_cost import Link, Ports, between
from legion.geometry.demand import Demand
from legion.model.model import Port, TensorType
from legion.plan.scheme import CONTROLLER
from legion.profile.ring import RingSample
from legion.profile.samples import Profile
from legion.runtime.ring_probe import ring_inputs, ring_plan, ring_sample
from legion.simulate.simulate import simulate
from legion.wire.messages import Record
from support.memory_cluster import memory_cluster
from support.networks import small
from unit.profile.profile_building import random_profile

MODEL = small("resnet18").model
DEMAND = Demand(MODEL)
SIZE_BYTES = 200
HANDLING_S = (2e-4, 9e-4, 1e-4, 5e-4, 2e-4, 1e-4)


@pytest.mark.parametrize("count", [2, 3])
def test_devices_in_memory_answer_the_probe(count):
    with memory_cluster(count) as cluster:
        devices = tuple(cluster.devices)
        plan, frames = ring_plan(devices, SIZE_BYTES), []
        for _ in range(3):
            cluster.run(plan, ring_inputs(devices, SIZE_BYTES), ())
            frames.append(cluster.controller.reports())
    sample = ring_sample(devices, SIZE_BYTES, frames)
    assert (sample.devices, sample.size_bytes) == (devices, SIZE_BYTES)
    assert len(sample.seconds) == 3
    assert min(sample.seconds) > 0


@pytest.mark.parametrize("names", ["ab", "abcdef"])
@pytest.mark.parametrize("seconds", [(2e-3,), (1e-2, 1.0, 2e-2)])
def test_the_cost_model_takes_for_the_probe_what_was_measured(names, seconds):
    cost = costs(tuple(names), seconds)
    assert simulated(cost).seconds[0] == pytest.approx(sorted(seconds)[len(seconds) // 2])


def test_messages_between_devices_may_be_faster_than_those_to_the_controller():
    names = tuple("abcd")
    apart = costs(names, None)
    faster_s = 0.9 * simulated(apart).seconds[0]
    together = costs(names, (faster_s,))
    assert together.exchange_s < 0
    assert simulated(together).seconds[0] == pytest.approx(faster_s)


def test_no_message_arrives_before_it_is_sent():
    cost = costs(tuple("ab"), (0.0,))
    assert cost.link("a", "b").latency_s == 0


def test_what_devices_exchange_says_nothing_of_the_controllers_links():
    apart, together = costs(tuple("ab"), None), costs(tuple("ab"), (1.0,))
    assert together.link(CONTROLLER, "a") == apart.link(CONTROLLER, "a")
    assert together.link("a", CONTROLLER) == apart.link("a", CONTROLLER)
    assert apart.link("a", "b") == between(apart.ports["a"], apart.ports["b"])
    later_s = together.link("a", "b").latency_s - apart.link("a", "b").latency_s
    assert later_s == pytest.approx(1.0 - simulated(apart).seconds[0])


def test_a_slow_link_does_not_look_like_a_crowd():
    """A ring that takes what the links to the controller say, filled to the full by one of them, adds nothing.

    But for a call of the engine, which takes place meanwhile.
    """
    apart = costs(tuple("abcd"), None, slowed=1e4)
    taken_s = simulated(apart).seconds[0]
    assert taken_s == pytest.approx(apart.ports["d"].inward.seconds_per_byte * SIZE_BYTES, abs=1e-5)
    assert costs(tuple("abcd"), (taken_s,), slowed=1e4).exchange_s == pytest.approx(0.0, abs=1e-5)


def test_what_devices_run_does_not_count():
    quick = costs(tuple("abcdef"), None)
    slow = replace(quick, call_s=dict(zip(quick.devices, (3e-4, 1e-4, 1e-4, 2e-4, 4e-4, 2e-4), strict=True)))
    assert simulated(slow).seconds[0] == pytest.approx(simulated(quick).seconds[0])


def test_equal_devices_send_in_turn_and_not_in_heaps():
    names = tuple("abcdef")
    link = Link(latency_s=3e-4, seconds_per_byte=1e-6)
    ports = dict.fromkeys(names, Ports(inward=link, outward=link))
    handling_s = dict.fromkeys((CONTROLLER, *names), 1e-4)
    equal = replace(costs(names, None), ports=ports, handling_s=handling_s, call_s=dict.fromkeys(names, 1e-5))
    events = frame_of(equal).events
    sends = sorted((event.start_s, event.node) for event in events if event.kind == "send" and event.node in names)
    senders = [node for _, node in sends[-12 * len(names) :]]
    for first in range(len(senders) - len(names)):
        assert len(set(senders[first : first + len(names)])) >= len(names) - 1


def test_devices_that_are_left_out_count_as_they_were_measured():
    names = tuple("abc")
    profile = replace(
        random_profile(MODEL, DEMAND, names), ring=RingSample(devices=names, size_bytes=SIZE_BYTES, seconds=(1.0,))
    )
    fewer = cost_model(MODEL, DEMAND, profile, names[:2])
    assert fewer.exchange_s == cost_model(MODEL, DEMAND, profile, names).exchange_s


def costs(names, seconds, slowed=1.0):
    """A cost model from a ring that took so long, or none: the first three devices are equal, the others differ.

    The last one's link has so many times less bandwidth. Copying takes nothing: the simulator would count it for a row
    of an array, which the runtime sends as it lies.
    """
    profile = random_profile(MODEL, DEMAND, names)
    devices = {
        name: replace(device, handling_s=handling_s)
        for (name, device), handling_s in zip(profile.devices.items(), HANDLING_S, strict=False)
    }
    for name in names[1:3]:
        devices[name] = replace(devices[name], device=replace(devices[names[0]].device, name=name))
    last = devices[names[-1]]
    slower = tuple(
        replace(link, seconds=tuple(each + slowed * link.size_bytes * 1e-8 for each in link.seconds))
        for link in last.links
    )
    devices[names[-1]] = replace(last, links=slower)
    ring = RingSample(devices=names, size_bytes=SIZE_BYTES, seconds=seconds) if seconds else None
    cost = cost_model(MODEL, DEMAND, Profile(devices=devices, ring=ring), names)
    nodes = (CONTROLLER, *names)
    return replace(cost, assembling_s=dict.fromkeys(nodes, 0.0), copy_bytes_per_s=dict.fromkeys(nodes, inf))


def frame_of(cost):
    """A frame of the ring's own programs in the simulator."""
    programs = {name: node.program for name, node in ring_plan(cost.devices, SIZE_BYTES).nodes.items()}
    arrays = ring_inputs(cost.devices, SIZE_BYTES)
    kinds = {name: TensorType(shape=array.shape, dtype=array.dtype.name) for name, array in arrays.items()}
    inputs = [Port(name=name, dims=kind.shape, type=kind) for name, kind in kinds.items()]
    return simulate(programs, SimpleNamespace(tensors=kinds, inputs=inputs), cost)


def simulated(cost):
    """The ring's sample from that frame."""
    events = frame_of(cost).events
    reports = {
        device: SimpleNamespace(
            records=[
                Record(event.instruction, event.start_s, event.end_s, event.size_bytes)
                for event in events
                if event.node == device
            ]
        )
        for device in cost.devices
    }
    return ring_sample(cost.devices, SIZE_BYTES, [reports])
