"""A whole cluster in one process: every message goes through codec, state machines and threads."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from legion.cluster.device import Device
from legion.engine.base import Loader, graph_key
from legion.engine.onnx_runtime import OnnxRuntimeEngine, OnnxRuntimeExecutable
from legion.engine.pacer import Pacer
from legion.errors import InputError, PeerError
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalGraph
from legion.profile.probes import plan_probes
from legion.profile.samples import MeasurementPolicy
from legion.runtime.calls import wait_at_most
from legion.runtime.controller import Controller, Timeouts
from legion.runtime.controller_events import DeviceLost
from legion.runtime.local import start_memory_workers
from legion.runtime.profiler import Profiler
from legion.runtime.switchboard import OpenCall
from legion.transport.memory import MemoryNetwork
from support.networks import small
from support.plans import split_plan

DEVICES = 3
SHARES = {"local-0": 0.5, "local-1": 0.3, "local-2": 0.2}


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def devices(network: MemoryNetwork) -> Iterator[tuple[Device, ...]]:
    with start_memory_workers(DEVICES, network, OnnxRuntimeEngine) as workers:
        yield workers.devices


@pytest.fixture
def controller(network: MemoryNetwork, devices: tuple[Device, ...]) -> Iterator[Controller]:
    with Controller(devices, network, timeouts=Timeouts(connect_s=2.0, run_s=30.0)) as made:
        made.connect()
        yield made


@pytest.mark.parametrize("via_controller", [True, False])
@pytest.mark.parametrize("name", ["vgg16", "resnet18", "yolov2"])
def test_split_answer_equals_the_whole(controller: Controller, name: str, via_controller: bool) -> None:
    subject = small(name)
    controller.install(split_plan(subject.model, SHARES, via_controller=via_controller))
    for _ in range(3):
        outputs = controller.run(subject.feeds)
        assert subject.error(outputs) <= 1e-5
        assert all(output.flags.writeable for output in outputs.values())


class RecordingEngine(OnnxRuntimeEngine):
    """Keeps what it was asked to prepare."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: list[LocalGraph] = []

    def prepare(self, graph: LocalGraph, load: Loader) -> OnnxRuntimeExecutable:
        self.prepared.append(graph)
        return super().prepare(graph, load)


def test_workers_make_graphs_for_the_extents_at_which_they_run(network: MemoryNetwork) -> None:
    engines = [RecordingEngine() for _ in range(DEVICES)]
    unused = iter(engines)
    plan = split_plan(small("resnet18").model, SHARES, via_controller=False)
    with (
        start_memory_workers(DEVICES, network, lambda: next(unused)) as workers,
        Controller(workers.devices, network, timeouts=Timeouts(connect_s=2.0, run_s=30.0)) as controller,
    ):
        controller.connect()
        controller.install(plan)
    extents = [entry.dims for engine in engines for graph in engine.prepared for entry in graph.inputs]
    assert len(extents) >= DEVICES
    assert all(dims is not None and None not in dims for dims in extents)


def test_probes_that_share_a_graph_leave_it_open_and_others_are_made_for_their_extents() -> None:
    model = small("resnet18").model
    plan = plan_probes(model, Demand(model))
    keys = [graph_key(probe.graph) for probe in plan.probes]
    engine = RecordingEngine()
    profiler = Profiler(engine, lambda constant: plan.constants[constant.digest or ""], Pacer().timed)
    profiler.measure(plan.probes, MeasurementPolicy(rounds=1, budget_s=0.1), lambda _: None)
    prepared = iter(engine.prepared[1:])  # the reference kernel is first
    for key, probe, graph in zip(keys, plan.probes, prepared, strict=True):
        assert graph == (probe.graph if keys.count(key) > 1 else probe.graph.made_for([probe.input_shapes]))
    assert 1 < len(set(keys)) < len(keys)


def test_timeline_has_every_instruction_in_order(controller: Controller) -> None:
    subject = small("resnet18")
    plan = split_plan(subject.model, SHARES, via_controller=False)
    controller.install(plan)
    controller.run(subject.feeds)
    controller.run(subject.feeds)
    timeline = controller.timeline()
    assert timeline.source == "measured"
    for name, node in plan.nodes.items():
        events = [event for event in timeline.events if event.node == name]
        assert [event.instruction for event in events] == list(range(len(node.program.instructions)))
        assert all(0 <= event.start_s <= event.end_s <= timeline.latency_s + 1.0 for event in events)


def test_reports_count_messages_and_bytes(controller: Controller) -> None:
    subject = small("resnet18")
    plan = split_plan(subject.model, SHARES, via_controller=True)
    controller.install(plan)
    controller.run(subject.feeds)
    reports = controller.reports()
    assert reports.keys() == plan.nodes.keys()
    assert sum(report.sent_messages for report in reports.values()) == sum(
        report.received_messages for report in reports.values()
    )
    assert all(report.dropped == 0 for report in reports.values())


def test_another_plan_takes_the_place_of_the_first(controller: Controller) -> None:
    for name, cuts in (("resnet18", None), ("vgg16", [5, 18])):
        subject = small(name)
        controller.install(split_plan(subject.model, SHARES, via_controller=True, cuts=cuts))
        assert subject.error(controller.run(subject.feeds)) <= 1e-5


def test_weights_travel_once(network: MemoryNetwork, controller: Controller) -> None:
    plan = split_plan(small("resnet18").model, SHARES, via_controller=True)
    told: list[float] = []
    controller.install(plan, lambda _, fraction: told.append(fraction))
    first = len(told)
    told.clear()
    controller.install(plan, lambda _, fraction: told.append(fraction))
    assert len(told) < first
    assert told[-1] == 1.0


def test_outputs_by_name_and_unknown_ones(controller: Controller) -> None:
    subject = small("vgg16")
    controller.install(split_plan(subject.model, SHARES, via_controller=True))
    inner = subject.model.layers[3].outputs[0]
    outputs = controller.run(subject.feeds, outputs=[inner, "output"])
    assert outputs[inner].shape == subject.model.tensors[inner].shape
    with pytest.raises(InputError, match="does not bring 'nothing'"):
        controller.run(subject.feeds, outputs=["nothing"])
    with pytest.raises(InputError, match="'input' is missing"):
        controller.run({})
    assert subject.error(controller.run(subject.feeds)) <= 1e-5


def test_the_caller_may_change_inputs_and_outputs_after_a_run(controller: Controller) -> None:
    subject = small("resnet18")
    controller.install(split_plan(subject.model, SHARES, via_controller=False))
    feeds = {name: feed.copy() for name, feed in subject.feeds.items()}
    first = controller.run(feeds)
    kept = {name: output.copy() for name, output in first.items()}
    for feed in feeds.values():
        feed[...] = 0
    controller.run(feeds)
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


def test_a_plan_for_strangers_is_refused(controller: Controller) -> None:
    plan = split_plan(small("resnet18").model, {"nobody": 1.0}, via_controller=True)
    with pytest.raises(InputError, match="nobody"):
        controller.install(plan)
    with pytest.raises(InputError, match="no plan is installed"):
        controller.run({})


def test_second_controller_learns_who_has_the_devices(
    network: MemoryNetwork, devices: tuple[Device, ...], controller: Controller
) -> None:
    with (
        Controller(devices[:1], network, name="second") as second,
        pytest.raises(PeerError, match=r"local-0 is in use by controller .+; wait for it or stop it"),
    ):
        second.connect()
    assert controller.connect().keys() == SHARES.keys()


def test_a_name_that_is_not_known_is_refused(controller: Controller) -> None:
    with pytest.raises(InputError, match="nobody is not one of the devices"):
        controller.connect(["local-0", "nobody"])
    assert controller.connect(["local-1"]).keys() == {"local-1"}


def test_devices_are_free_after_close(network: MemoryNetwork, devices: tuple[Device, ...]) -> None:
    for name in ("first", "second"):
        with Controller(devices, network, name=name) as controller:
            assert controller.connect()["local-1"].engine == "onnxruntime"


def test_unreachable_device_is_named(network: MemoryNetwork, devices: tuple[Device, ...]) -> None:
    absent = Device(name="absent", address="memory:9999")
    with (
        Controller([devices[0], absent], network, timeouts=Timeouts(connect_s=0.3)) as controller,
        pytest.raises(PeerError, match="absent at memory:9999 does not answer"),
    ):
        controller.connect()


def test_a_device_that_answered_while_another_was_waited_for_in_vain_is_there(
    network: MemoryNetwork, devices: tuple[Device, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(calls: list[OpenCall], seconds: float) -> None:
        wait_at_most(calls, seconds)
        raise KeyboardInterrupt

    with Controller(devices, network) as controller:
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr("legion.runtime.controller.wait_at_most", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    controller.connect()
            assert controller._welcomes == {}
            assert controller.connect().keys() == SHARES.keys()
            for name in SHARES:
                controller._switchboard.post(DeviceLost(device=name))
            while controller._switchboard.is_ready("local-2"):
                time.sleep(0.001)


def test_link_probe_has_both_directions(controller: Controller) -> None:
    sizes = (50_000, 1_000)
    probe = controller.probe_link("local-1", sizes, rounds=3)
    assert [(sample.direction, sample.size_bytes) for sample in probe.samples] == [
        (direction, size) for direction in ("set", "get") for size in sizes
    ]
    assert all(len(sample.seconds) == 3 and min(sample.seconds) >= 0 for sample in probe.samples)
    assert min(probe.round_trip_s, probe.handling_s, probe.controller_handling_s) > 0
    hurried = controller.probe_link("local-1", sizes, rounds=9, budget_s=0.0)
    assert {len(sample.seconds) for sample in hurried.samples} == {3}


def test_processor_is_timed_run_by_run(controller: Controller) -> None:
    sample = controller.probe_processor("local-1")
    assert len(sample.reference_s) >= 5
    assert min(*sample.reference_s, sample.assembling_s, sample.copy_bytes_per_s) > 0


def test_duplicate_names_are_refused(network: MemoryNetwork) -> None:
    device = Device(name="a", address="memory:1")
    with pytest.raises(InputError, match="distinct names"):
        Controller([device, device], network)
