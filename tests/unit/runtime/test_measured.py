"""Clocks, timelines, link samples, and the measuring protocol, with invented times."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from legion.engine.base import Loader
from legion.engine.pacer import Pacer, Timed
from legion.geometry.box import Box
from legion.geometry.local_graph import LocalGraph, LocalInput
from legion.geometry.segment import Segment
from legion.model.model import Array
from legion.plan.program import Program, Receive, Run, Send
from legion.profile.probes import LayerProbe
from legion.profile.samples import LayerSample, MeasurementPolicy
from legion.runtime.link_probe import handling_s, link_plan, link_samples
from legion.runtime.measured import ClockReading, FrameTimes, best_reading, measured_timeline
from legion.runtime.profiler import Profiler, measure_processor
from legion.wire.messages import FrameReport, Record
from support.messages import frame_report

BOX = Box(((0, 1),))


def report(*records: Record) -> FrameReport:
    return frame_report(*records, plan=1)


delays = st.floats(1e-4, 1.0)


@given(st.floats(-1e3, 1e3), st.lists(st.tuples(delays, delays), min_size=1))
def test_the_offset_is_wrong_by_half_the_least_round_trip_at_most(
    offset_s: float, ways: list[tuple[float, float]]
) -> None:
    readings = [
        ClockReading(asked_s=10.0, answered_s=10.0 + there + back, clock_s=10.0 + there + offset_s)
        for there, back in ways
    ]
    best = best_reading(readings)
    assert best.round_trip_s == min(reading.round_trip_s for reading in readings)
    assert abs(best.offset_s - offset_s) <= best.round_trip_s / 2 + 1e-9


def test_a_timeline_is_on_the_controllers_clock() -> None:
    segment = Segment(layers=(2, 5), inputs={}, outputs={}, boxes={})
    program = Program(
        node="pi",
        instructions=(
            Receive(tensor="x", box=BOX, source="controller"),
            Run(segment=segment, group=1, label="a..b"),
            Send(tensor="y", box=BOX, destination="controller"),
        ),
    )
    records = (Record(0, 1.0, 111.0, 8), Record(1, 111.5, 112.0, 8), Record(2, 112.25, 112.5, 4))
    times = FrameTimes(frame=0, begun_s=10.0, ended_s=13.0)
    timeline = measured_timeline({"pi": program}, {"pi": report(*records)}, {"pi": 100.0}, times)
    assert timeline.latency_s == 3.0
    assert [(e.kind, e.label, e.group, e.start_s, e.end_s) for e in timeline.events] == [
        ("receive", "x from controller", None, 0.0, 1.0),
        ("run", "a..b", 1, 1.5, 2.0),
        ("send", "y to controller", None, 2.25, 2.5),
    ]


def test_a_tensor_that_came_before_it_was_awaited_takes_no_time() -> None:
    program = Program(node="pi", instructions=(Receive(tensor="x", box=BOX, source="controller"),))
    times = FrameTimes(frame=0, begun_s=10.0, ended_s=13.0)
    (event,) = measured_timeline({"pi": program}, {"pi": report(Record(0, 12.0, 11.0, 8))}, {}, times).events
    assert (event.start_s, event.end_s) == (2.0, 2.0)


def test_a_timeline_tells_of_the_device_that_was_latest_and_of_the_busiest() -> None:
    reports = {
        name: replace(report(), overrun_s=overrun_s, wire_cpu_s=wire_cpu_s)
        for name, overrun_s, wire_cpu_s in (("controller", 0.0, 9.0), ("a", 0.5, 0.1), ("b", 0.25, 0.2))
    }
    timeline = measured_timeline({}, reports, {}, FrameTimes(frame=0, begun_s=0.0, ended_s=1.0))
    assert (timeline.overrun_s, timeline.wire_cpu_s) == (0.5, 0.2)


def test_link_samples_take_the_clocks_apart() -> None:
    plan = link_plan("pi", (20, 10))
    assert [len(plan.nodes[name].program.instructions) for name in ("controller", "pi")] == [4, 4]
    controller = report(
        *(Record(index, start, end, 0) for index, start, end in ((0, 1, 9), (1, 9, 4), (2, 6, 9), (3, 9, 13)))
    )
    device = report(
        *(Record(index, start, end, 0) for index, start, end in ((0, 0, 102), (1, 103, 0), (2, 0, 108), (3, 111, 0)))
    )
    frames = [{"controller": controller, "pi": device}]
    samples = link_samples("pi", (20, 10), frames, offset_s=100.0)
    assert [(each.direction, each.size_bytes, each.seconds) for each in samples] == [
        ("set", 20, (1.0,)),
        ("set", 10, (2.0,)),
        ("get", 20, (1.0,)),
        ("get", 10, (2.0,)),
    ]
    assert handling_s("pi", 2, frames) == (3.0, 2.0)


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def timed_by(clock: Callable[[], float]) -> Timed:
    """As work is timed where nothing is slowed down, by this clock."""
    return Pacer(clock=clock).timed


class FakeEngine:
    """An engine whose runs take as many seconds as the graph's opset says, and the first of some longer."""

    name, providers, threads, versions, resident_bytes = "fake", (), 1, {}, 0

    def __init__(self, clock: FakeClock, held_up_s: Mapping[int, int]) -> None:
        self.clock = clock
        self.runs: list[int] = []
        self.held_up_s = dict(held_up_s)

    def prepare(self, graph: LocalGraph, load: Loader) -> "FakeExecutable":  # noqa: ARG002 - a part of the interface
        return FakeExecutable(self, graph)

    def retain(self, graphs: object) -> None: ...


class FakeExecutable:
    def __init__(self, engine: FakeEngine, graph: LocalGraph) -> None:
        self._engine, self._graph = engine, graph

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        assert [each.shape for each in inputs]
        self._engine.clock.now_s += self._graph.opset + self._engine.held_up_s.pop(self._graph.opset, 0)
        self._engine.runs.append(self._graph.opset)
        return []


def probe(seconds: int) -> LayerProbe:
    graph = LocalGraph(
        opset=seconds,
        operators=(),
        inputs=(LocalInput(name="x", dtype="float32", dims=None),),
        outputs=(),
        constants=(),
    )
    return LayerProbe(key=f"k{seconds}", extent=seconds, graph=graph, input_shapes=((2, 3),), work=1.0)


def measured(
    seconds: Sequence[int], policy: MeasurementPolicy, held_up_s: Mapping[int, int] = MappingProxyType({})
) -> tuple[tuple[LayerSample, ...], list[int], int, list[float]]:
    """The samples, all runs in their order, what the reference kernel takes, and the progress."""
    clock = FakeClock()
    engine = FakeEngine(clock, held_up_s)
    progress: list[float] = []
    probes = [probe(each) for each in seconds]
    samples = Profiler(engine, lambda _: np.zeros(1), timed_by(clock)).measure(probes, policy, progress.append)
    return samples, engine.runs, int(samples[0].reference_s[0]), progress


def test_samples_follow_the_measuring_protocol() -> None:
    samples, runs, kernel, progress = measured((500, 700), MeasurementPolicy(rounds=3, budget_s=1e9, seed=1))
    assert [(sample.key, sample.extent, sample.seconds) for sample in samples] == [
        ("k500", 500, (500.0,) * 3),
        ("k700", 700, (700.0,) * 3),
    ]
    assert all(sample.reference_s == (kernel,) * 3 for sample in samples)
    rounds = [tuple(runs[1 + 8 * index : 9 + 8 * index]) for index in range(3)]
    assert all(sorted(each) == sorted((500, 700, *(kernel,) * 6)) for each in rounds)
    assert all({each[2], each[5]} == {500, 700} for each in rounds)
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(("each_sleeps_s", "waits"), [(0.0, True), (0.02, False)])
def test_the_thread_has_idled_before_each_run_of_a_probe(
    monkeypatch: pytest.MonkeyPatch, each_sleeps_s: float, waits: bool
) -> None:
    """A run that is slowed down has slept in the end, and the next need not wait again."""
    begun: list[float] = []
    asked_s: list[float] = []
    sleep = time.sleep

    def noted(seconds: float) -> None:
        asked_s.append(seconds)
        sleep(seconds)

    def run(executable: FakeExecutable, inputs: Sequence[Array]) -> list[Array]:
        begun.append(time.perf_counter() - time.thread_time())
        sleep(each_sleeps_s)
        return plain(executable, inputs)

    plain = FakeExecutable.run
    monkeypatch.setattr(FakeExecutable, "run", run)
    monkeypatch.setattr("legion.runtime.profiler.time.sleep", noted)
    _, runs, kernel, _ = measured((500, 700), MeasurementPolicy(rounds=2))
    of_probes = [idled_s for idled_s, ran in zip(begun, runs, strict=True) if ran != kernel]
    assert len(of_probes) == len(asked_s) == 4
    assert min(np.diff(of_probes)) > 0.0049
    assert any(asked_s[1:]) == waits


def test_the_reference_kernel_runs_only_now_and_then() -> None:
    samples, runs, kernel, _ = measured(range(1, 9), MeasurementPolicy(rounds=1))
    assert sum(range(1, 9)) < 20 * kernel
    assert runs.count(kernel) == 1 + 2
    assert {len(sample.reference_s) for sample in samples} == {1}


def test_the_reference_kernel_runs_some_times_after_a_long_run() -> None:
    _, runs, kernel, _ = measured((100_000,), MeasurementPolicy(rounds=1))
    assert runs[1:] == [kernel] * 2 + [100_000] + [kernel] * 10


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8, unique=True), st.integers(1, 6), st.floats(0, 1e4))
def test_each_probe_gets_an_even_part_of_the_budget(seconds: list[int], rounds: int, budget_s: float) -> None:
    samples, _, _, _ = measured(seconds, MeasurementPolicy(rounds=rounds, budget_s=budget_s))
    part_s = budget_s / len(seconds)
    for sample in samples:
        assert 1 <= len(sample.seconds) <= rounds
        if part_s == 0:
            assert len(sample.seconds) == 1
        else:
            assert len(sample.seconds) >= min(rounds, 2)
            assert len(sample.seconds) <= 2 or sum(sample.seconds[:-1]) < part_s
            assert len(sample.seconds) == rounds or sum(sample.seconds) >= part_s


def test_a_run_that_was_held_up_is_followed_by_others() -> None:
    policy = MeasurementPolicy(rounds=6, budget_s=60.0)
    samples, _, _, _ = measured((10, 11, 500), policy, held_up_s={10: 490})
    assert [sample.seconds for sample in samples] == [(500.0, 10.0, 10.0), (11.0, 11.0), (500.0, 500.0)]


@pytest.mark.parametrize(("speed", "runs"), [(1.0, 5), (2000.0, 28), (1e6, 100)])
def test_the_reference_kernel_runs_for_a_quarter_of_a_second_within_bounds(speed: float, runs: int) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock, {})
    sample = measure_processor(engine, timed_by(lambda: clock() / speed))
    assert sample.reference_s == pytest.approx([engine.runs[0] / speed] * runs)
    assert len(engine.runs) == 1 + 2 * runs


def test_what_assembling_takes_is_told_from_what_its_bytes_take() -> None:
    assembled_s = iter([2.0, 11.0, 3.0, 8.0, 100.0])
    halves_were_put_together: list[object] = []

    def timed(work: Callable[[], object], *, rehearsed: bool = False) -> float:
        made = work()
        if rehearsed:
            return 100.0
        halves_were_put_together.append(made)
        return next(assembled_s)

    sample = measure_processor(FakeEngine(FakeClock(), {}), timed)
    assert sample.assembling_s == 3.0
    assert sample.copy_bytes_per_s == float(1 << 20) / (9.5 - 3.0)
    assert all(isinstance(array, np.ndarray) and (array == 1).all() for array in halves_were_put_together)
