"""A worker that emulates a slower one paces all that it computes for a frame, and tells of overruns."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from legion.cluster.device import Device
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.pacer import Pacer
from legion.engine.turns import Turns
from legion.plan.program import Run, Send
from legion.runtime.controller import Controller
from legion.runtime.serve import WorkerOptions, describe_device, serve
from legion.runtime.weights import WeightStore
from legion.runtime.worker import Worker
from legion.transport.memory import MemoryNetwork
from support.networks import small
from support.plans import split_plan


class CountingPacer(Pacer):
    """Counts what is paced, and says that each time took a second too long."""

    def __init__(self) -> None:
        super().__init__()
        self.computed = self.handed_over = 0

    @property
    def overrun_s(self) -> float:
        return float(self.computed + self.handed_over)

    @contextmanager
    def computing(self) -> Generator[None]:
        yield
        self.computed += 1

    @contextmanager
    def handing_over(self) -> Generator[None]:
        yield
        self.handed_over += 1


def test_a_slowed_down_worker_takes_turns_and_wakes_its_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[tuple[float, dict[str, Any]]] = []

    def noted(speed: float = 1.0, **options: Any) -> Pacer:
        made.append((speed, options))
        return Pacer(speed, **options)

    monkeypatch.setattr("legion.runtime.serve.Pacer", noted)
    monkeypatch.setattr("legion.runtime.serve.end_sleeps_in_time", lambda: None)
    options = WorkerOptions(name="slow", bind="127.0.0.1:0", threads=1, cache_directory=tmp_path)
    serve(options, lambda worker: worker.stop())
    serve(replace(options, speed=0.5, turns=tmp_path / "turns"), lambda worker: worker.stop())
    (full, plain), (half, slowed) = made
    assert (full, half) == (1.0, 0.5)
    assert "wake" not in plain
    assert slowed["wake"]()
    assert isinstance(slowed["turns"], Turns)


def test_assembling_running_and_encoding_are_paced(tmp_path: Path) -> None:
    network, pacer = MemoryNetwork(), CountingPacer()
    engine = OnnxRuntimeEngine()
    info = describe_device("slow", engine, memory_bytes=123)
    worker = Worker(network, "memory:0", info, engine, WeightStore(tmp_path), pacer)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        with Controller([Device(name="slow", address=worker.address)], network) as controller:
            assert controller.connect()["slow"].memory_bytes == 123
            subject = small("resnet18")
            plan = split_plan(subject.model, {"slow": 1.0}, via_controller=True)
            instructions = plan.nodes["slow"].program.instructions
            runs, sends = (sum(isinstance(each, kind) for each in instructions) for kind in (Run, Send))
            controller.install(plan)
            for frame in (1, 2):
                assert subject.error(controller.run(subject.feeds)) <= 1e-5
                reports = controller.reports()
                assert (pacer.computed, pacer.handed_over) == (frame * runs, frame * sends)
                assert reports["slow"].overrun_s == runs + sends
                assert reports["controller"].overrun_s == 0
    finally:
        worker.stop()
        thread.join()
