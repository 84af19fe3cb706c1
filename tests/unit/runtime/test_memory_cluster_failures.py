"""What goes wrong on a device is told by name, and the next attempt is untouched by it."""

import errno
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from legion.engine.base import Executable, Loader
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.errors import InputError, InternalError, PeerError
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalGraph
from legion.model.model import Array
from legion.profile.probes import plan_probes
from legion.profile.samples import MeasurementPolicy
from legion.runtime.controller import Controller, Timeouts
from legion.runtime.local import start_memory_workers
from legion.transport.base import Frame
from legion.transport.memory import MemoryNetwork, MemoryOutPort
from support.networks import small
from support.plans import split_plan

SHARES = {"local-0": 0.6, "local-1": 0.4}


class Mischief:
    """What the engines of all workers do before each run."""

    def __init__(self) -> None:
        self.before_run: Callable[[], None] = lambda: None


class MischievousEngine(OnnxRuntimeEngine):
    def __init__(self, mischief: Mischief) -> None:
        super().__init__()
        self._mischief = mischief

    def prepare(self, graph: LocalGraph, load: Loader) -> "MischievousExecutable":  # type: ignore[override]
        return MischievousExecutable(super().prepare(graph, load), self._mischief)


class MischievousExecutable:
    def __init__(self, inner: Executable, mischief: Mischief) -> None:
        self._inner, self._mischief = inner, mischief

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self._mischief.before_run()
        return self._inner.run(inputs)


@pytest.fixture
def mischief() -> Mischief:
    return Mischief()


@pytest.fixture
def controller(mischief: Mischief) -> Iterator[Controller]:
    network = MemoryNetwork()
    with (
        start_memory_workers(2, network, lambda: MischievousEngine(mischief)) as workers,
        Controller(workers.devices, network, timeouts=Timeouts(run_s=30.0)) as made,
    ):
        made.connect()
        yield made


def test_a_full_disk_is_told_and_the_worker_stays_up(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    subject = small("resnet18")
    plan = split_plan(subject.model, SHARES, via_controller=True)
    with monkeypatch.context() as patched:
        patched.setattr("legion.runtime.weights.os.fsync", full)
        with pytest.raises(PeerError, match=r"device local-\d: the weight cache at .* cannot take .* MB more"):
            controller.install(plan)
    with pytest.raises(InputError, match="no plan is installed"):
        controller.run(subject.feeds)
    controller.install(plan)
    assert subject.error(controller.run(subject.feeds)) <= 1e-5


@pytest.mark.parametrize("error", [InternalError("it failed"), ZeroDivisionError("it failed")])
def test_a_frame_that_fails_on_a_device_is_told_and_the_next_one_runs(
    controller: Controller, mischief: Mischief, error: Exception
) -> None:
    subject = small("resnet18")
    controller.install(split_plan(subject.model, SHARES, via_controller=False))

    def fail() -> None:
        raise error

    for _ in range(3):
        mischief.before_run = fail
        with pytest.raises(InternalError, match=r"device local-\d: .*it failed"):
            controller.run(subject.feeds)
        mischief.before_run = lambda: None
        assert subject.error(controller.run(subject.feeds)) <= 1e-5


def test_a_frame_that_was_given_up_does_not_leak_into_the_next(mischief: Mischief) -> None:
    subject = small("resnet18")
    zeros = {name: np.zeros_like(feed) for name, feed in subject.feeds.items()}
    network = MemoryNetwork()
    with (
        start_memory_workers(2, network, lambda: MischievousEngine(mischief)) as workers,
        Controller(workers.devices, network, timeouts=Timeouts(run_s=0.5)) as controller,
    ):
        controller.connect()
        controller.install(split_plan(subject.model, SHARES, via_controller=False))
        for _ in range(3):
            gate = threading.Event()
            mischief.before_run = gate.wait
            with pytest.raises(PeerError, match="no answer in time; local-0, local-1 did not finish"):
                controller.run(zeros)
            mischief.before_run = lambda: None
            gate.set()
            assert subject.error(controller.run(subject.feeds)) <= 1e-5


def test_layers_are_probed_with_the_constants_that_they_name(controller: Controller) -> None:
    model = small("resnet18").model
    plan = plan_probes(model, Demand(model))
    policy = MeasurementPolicy(rounds=2, budget_s=1e6)
    told: list[float] = []
    samples = controller.probe_layers("local-0", plan.probes, policy, plan.constants, told.append)
    assert [(each.key, each.extent) for each in samples] == [(each.key, each.extent) for each in plan.probes]
    assert all(len(each.seconds) == 2 and min(each.seconds) > 0 for each in samples)
    assert told[-1] == 1.0
    with pytest.raises(InputError, match="does not bring it"):
        controller.probe_layers("local-0", plan.probes, policy, {})


def test_an_engine_that_refuses_a_graph_refuses_the_plan(controller: Controller) -> None:
    subject = small("resnet18")
    plan = split_plan(subject.model, SHARES, via_controller=True)
    graph = plan.nodes["local-1"].graphs[0]
    object.__setattr__(graph, "opset", 9999)
    with pytest.raises(InputError, match="device local-1: "):
        controller.install(plan)
    controller.install(split_plan(subject.model, SHARES, via_controller=True))
    assert subject.error(controller.run(subject.feeds)) <= 1e-5


def test_a_tensor_that_cannot_be_sent_is_told_by_the_device_that_could_not(
    mischief: Mischief, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = small("resnet18")
    network = MemoryNetwork()
    send, unreachable = MemoryOutPort.send, set[str]()

    def fail(self: MemoryOutPort, peer: str, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        if peer in unreachable:
            raise OSError("the network is down")
        return send(self, peer, frames, cancelled)

    monkeypatch.setattr(MemoryOutPort, "send", fail)
    with (
        start_memory_workers(2, network, lambda: MischievousEngine(mischief)) as workers,
        Controller(workers.devices, network, timeouts=Timeouts(run_s=30.0)) as controller,
    ):
        controller.connect()
        controller.install(split_plan(subject.model, SHARES, via_controller=False))
        for peer, words in (("local-1", "the network is down"), ("controller", "device local-.: .*network is down")):
            unreachable.add(peer)
            with pytest.raises(InternalError, match=words):
                controller.run(subject.feeds)
            unreachable.clear()
        assert subject.error(controller.run(subject.feeds)) <= 1e-5


def test_probing_can_be_broken_off(controller: Controller, mischief: Mischief) -> None:
    model = small("resnet18").model
    plan = plan_probes(model, Demand(model))

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        controller.probe_layers(
            "local-0", plan.probes, MeasurementPolicy(rounds=1000, budget_s=1e6), plan.constants, interrupt
        )
    assert controller.probe_link("local-0", (2000, 1000), 1).round_trip_s > 0
