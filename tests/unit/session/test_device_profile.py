"""Devices are measured at the same time where they can be, and end together."""

import threading
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from legion.cluster.device import DeviceInfo
from legion.cost.fit import cost_model
from legion.cost.shares import whole_model_s
from legion.errors import PeerError
from legion.geometry.demand import Demand
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.ports import PortSample
from legion.profile.probes import plan_probes
from legion.profile.ring import RingSample
from legion.profile.samples import LayerSample, LinkSample, MeasurementPolicy, ProcessorSample, Profile
from legion.runtime.link_probe import LinkProbe
from legion.session.shared_links import SharedLinks
from legion.session.stages import profile_devices
from support.networks import small

NAMES = ("a", "b", "c")
MODEL = small("resnet18").model


ALONE_S, TOGETHER_S = (dict.fromkeys(("a", "b"), (seconds,)) for seconds in (1.0, 2.0))
PORT = PortSample(direction="set", size_bytes=1, alone_s=ALONE_S, together_s=TOGETHER_S)
RING = RingSample(devices=NAMES, size_bytes=1, seconds=(1.0,))


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """What devices share of the network, without frames: how often it was measured."""
    times = []
    found = SharedLinks(ports=(PORT,), ring=RING, cost=MeasurementCost(wall_s=3.0))
    monkeypatch.setattr("legion.session.stages.measure_shared_links", lambda _: times.append(1) or found)
    return times


class Devices:
    """A controller whose devices answer with ones, slow ones with more; `probing` is called in the thread that probes a
    device.
    """

    def __init__(self, probing, slow=None):
        self.probing = probing
        self.slow = slow or {}
        self.compared = []
        self.linked = []
        self.parts_s = {}
        self.probed = Counter()

    def probe_processor(self, device):
        self.compared.append(device)
        return ProcessorSample(reference_s=(self.slow.get(device, 1.0),), assembling_s=1.0, copy_bytes_per_s=1.0)

    def probe_layers(self, device, probes, policy, _constants, progress):
        self.probing(device, progress)
        progress(1.0)
        self.parts_s[device] = policy.budget_s / len(probes)
        self.probed.update((device, probe.key, probe.extent) for probe in probes)
        seconds = (self.slow.get(device, 1.0),)
        return tuple(
            LayerSample(key=probe.key, extent=probe.extent, seconds=seconds, reference_s=seconds) for probe in probes
        )

    def probe_link(self, device, *_):
        self.linked.append(device)
        samples = [LinkSample(direction=way, size_bytes=1, seconds=(1.0,)) for way in ("set", "get")]
        return LinkProbe(samples=tuple(samples), round_trip_s=1.0, handling_s=1.0, controller_handling_s=1.0)


def cluster_of(controller, *, share_machine):
    return SimpleNamespace(
        controller=controller,
        devices={name: device(name) for name in NAMES},
        exclusive=threading.RLock(),
        share_machine=share_machine,
    )


def device(name):
    return DeviceInfo(
        name=name, cores=1, threads=1, memory_bytes=1, machine="", engine="none", providers=(), versions={}
    )


def test_devices_of_their_own_are_measured_at_the_same_time():
    together = threading.Barrier(len(NAMES), timeout=30)
    controller = Devices(lambda *_: together.wait())
    told = []
    profile = profile_devices(
        MODEL, cluster_of(controller, share_machine=False), progress=lambda *each: told.append(each)
    )
    assert tuple(profile.devices) == NAMES
    assert controller.linked == list(NAMES)
    fractions = [fraction for stage, fraction in told if stage == "profiling a, b, c"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_devices_of_one_machine_are_measured_one_after_the_other():
    running = []

    def alone(device, progress):
        assert not running
        running.append(device)
        progress(0.5)
        running.clear()

    told = []
    cluster = cluster_of(Devices(alone), share_machine=True)
    assert tuple(profile_devices(MODEL, cluster, progress=lambda *each: told.append(each)).devices) == NAMES
    assert {f"profiling {name}" for name in NAMES} <= {stage for stage, _ in told}


def test_when_one_fails_the_others_stop():
    stopped = []

    def failing(device, progress):
        if device == "b":
            raise PeerError("device b failed")
        try:
            while True:
                progress(0.1)
        except BaseException:
            stopped.append(device)
            raise

    with pytest.raises(PeerError, match="device b"):
        profile_devices(MODEL, cluster_of(Devices(failing), share_machine=False))
    assert sorted(stopped) == ["a", "c"]


def test_what_is_known_is_not_measured_again(shared):
    controller = Devices(lambda *_: None)
    cluster = cluster_of(controller, share_machine=False)
    known = profile_devices(MODEL, cluster, policy=MeasurementPolicy(rounds=1))
    controller.linked.clear()
    controller.compared.clear()
    assert profile_devices(MODEL, cluster, known=known) == known
    assert controller.linked == controller.compared == []
    assert (known.ports, known.ring) == ((PORT,), RING)
    assert len(shared) == 1


@pytest.mark.parametrize("ring", [None, replace(RING, devices=NAMES[:2])])
def test_devices_that_were_never_together_are_measured_together(shared, ring):
    controller = Devices(lambda *_: None)
    cluster = cluster_of(controller, share_machine=False)
    known = profile_devices(MODEL, cluster)
    shared.clear()
    controller.linked.clear()
    assert profile_devices(MODEL, cluster, known=replace(known, ring=ring)).ring == RING
    assert len(shared) == 1
    assert controller.linked == []


def test_what_was_measured_of_several_is_kept_where_one_is_alone(shared):
    cluster = cluster_of(Devices(lambda *_: None), share_machine=False)
    known = profile_devices(MODEL, cluster)
    cluster.devices = {"another": device("another")}
    more = profile_devices(MODEL, cluster, known=known)
    assert tuple(more.devices) == (*NAMES, "another")
    assert (more.ports, more.ring, more.shared_cost) == (known.ports, known.ring, known.shared_cost)
    assert len(shared) == 1


def test_a_faster_device_of_the_profile_that_is_not_there_leaves_no_one_without_samples():
    """Classes are of all that are known, or the cost model's would not be those that shared the measuring."""
    known = profile_devices(MODEL, cluster_of(Devices(lambda *_: None), share_machine=False))
    faster = replace(known.devices["c"], processor=replace(known.devices["c"].processor, reference_s=(0.93,)))
    with_another = Profile(devices={"another": faster})
    slow = {"a": 1.0, "b": 1.08, "c": 2.0}
    controller = Devices(lambda *_: None, slow=slow)
    profile = profile_devices(MODEL, cluster_of(controller, share_machine=False), known=with_another)
    assert cost_model(MODEL, Demand(MODEL), profile, NAMES).devices == NAMES


def test_the_comparison_counts_among_the_costs_once():
    cluster = cluster_of(Devices(lambda *_: None), share_machine=False)
    known = profile_devices(MODEL, cluster)
    before = {name: device.costs["comparison"] for name, device in known.devices.items()}
    assert all(cost.wall_s > 0 for cost in before.values())
    fewer = {name: replace(device, layers=()) for name, device in known.devices.items()}
    again = profile_devices(MODEL, cluster, known=replace(known, devices=fewer))
    assert {name: device.costs["comparison"] for name, device in again.devices.items()} == before
    assert (known.shared_cost.wall_s, again.shared_cost.wall_s) == (3.0, 6.0)


def test_equal_devices_share_the_measuring():
    controller = Devices(lambda *_: None)
    profile = profile_devices(MODEL, cluster_of(controller, share_machine=False))
    assert set(controller.probed.values()) == {1}
    who = Counter((key, extent) for _, key, extent in controller.probed)
    assert set(who.values()) == {2}
    assert len(who) == len(plan_probes(MODEL, Demand(MODEL)).probes)
    costs = cost_model(MODEL, Demand(MODEL), profile, NAMES[:1])
    assert costs.devices == NAMES[:1]
    most = max(Counter(device for device, _, _ in controller.probed).values())
    assert controller.parts_s == pytest.approx(dict.fromkeys(NAMES, MeasurementPolicy().budget_s / most))


def test_a_device_that_is_slower_than_its_kind_is_measured_whole_and_the_others_share():
    controller = Devices(lambda *_: None, slow={"b": 2.0})
    profile = profile_devices(MODEL, cluster_of(controller, share_machine=False))
    assert set(controller.probed.values()) == {1}
    count = len(plan_probes(MODEL, Demand(MODEL)).probes)
    by_device = Counter(device for device, _, _ in controller.probed)
    assert by_device["b"] == by_device["a"] + by_device["c"] == count
    costs = cost_model(MODEL, Demand(MODEL), profile, NAMES)
    assert whole_model_s(costs, "b") == pytest.approx(2 * whole_model_s(costs, "a"))
    assert controller.linked == list(NAMES)
