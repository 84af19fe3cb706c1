"""Pacing by clocks that the test moves: how long work takes in all, and what counts as overrun."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_building import loader, local_graph, normal, operator
from hypothesis import given
from hypothesis import strategies as st

from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.paced import PacedEngine, Pacer
from legion.engine.reference import ReferenceEngine
from legion.engine.turns import Turns
from legion.errors import InputError

SLEEP_MORE_S = 1e-4


class Machine:
    """A clock, a thread's processor clock, and sleeps that last a little longer than told."""

    def __init__(self, sleep_more_s: float = SLEEP_MORE_S) -> None:
        self.now_s = 100.0
        self.processor_s = 5.0
        self.sleep_more_s = sleep_more_s

    def pacer(self, speed: float, turns: Turns | None = None) -> Pacer:
        return Pacer(
            speed, turns=turns, clock=lambda: self.now_s, processor_clock=lambda: self.processor_s, sleep=self.sleep
        )

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds + self.sleep_more_s

    def work(self, processor_s: float, elapsed_s: float | None = None) -> None:
        self.processor_s += processor_s
        self.now_s += processor_s if elapsed_s is None else elapsed_s


@given(st.floats(0.05, 0.99), st.lists(st.floats(0, 0.01), min_size=1, max_size=50))
def test_undisturbed_work_takes_its_processor_time_over_the_speed(speed: float, works_s: list[float]) -> None:
    machine = Machine()
    pacer = machine.pacer(speed)
    for processor_s in works_s:
        with pacer.computing():
            machine.work(processor_s)
    assert machine.now_s - 100.0 == pytest.approx(sum(works_s) / speed, abs=SLEEP_MORE_S + 1e-9)
    assert pacer.overrun_s <= SLEEP_MORE_S + 1e-9


def test_lateness_is_made_up_for_by_the_work_that_follows() -> None:
    machine = Machine(sleep_more_s=0.0)
    pacer = machine.pacer(0.5)
    with pacer.computing():
        machine.work(1.0, elapsed_s=3.0)
    assert pacer.overrun_s == pytest.approx(1.0)
    with pacer.computing():
        machine.work(1.5)
    assert machine.now_s == pytest.approx(100.0 + 5.0)
    assert pacer.overrun_s == pytest.approx(0.0)


def test_lateness_is_an_overrun_once_the_thread_has_waited() -> None:
    machine = Machine(sleep_more_s=0.0)
    pacer = machine.pacer(0.5)
    with pacer.computing():
        machine.work(1.0, elapsed_s=3.0)
    pacer.waited()
    with pacer.computing():
        machine.work(1.0)
    assert machine.now_s == pytest.approx(100.0 + 3.0 + 2.0)
    assert pacer.overrun_s == pytest.approx(1.0)


class LateTurns(Turns):
    """Turns that begin a while after they are asked for; by a clock that the test moves."""

    def __init__(self, path: Path, machine: Machine, others_s: float) -> None:
        self.machine = machine
        self.others_s = 0.0
        super().__init__(path)
        self.others_s = others_s

    def begin(self) -> None:
        self.machine.now_s += self.others_s
        self.is_on = True

    def end(self) -> None:
        self.is_on = False


@pytest.mark.parametrize(("others_s", "late_s"), [(2.5, 0.0), (4.0, 1.0)])
def test_waiting_for_a_turn_is_made_up_for_by_sleeping_less(tmp_path: Path, others_s: float, late_s: float) -> None:
    machine = Machine(sleep_more_s=0.0)
    turns = LateTurns(tmp_path / "turns", machine, others_s)
    pacer = machine.pacer(0.25, turns)
    with pacer.computing():
        assert turns.is_on
        machine.work(1.0)
    assert not turns.is_on
    assert machine.now_s == pytest.approx(100.0 + 4.0 + late_s)
    assert pacer.overrun_s == pytest.approx(late_s)


def test_handing_over_waits_for_no_turn(tmp_path: Path) -> None:
    machine = Machine(sleep_more_s=0.0)
    turns = LateTurns(tmp_path / "turns", machine, others_s=50.0)
    with machine.pacer(0.25, turns).handing_over():
        assert not turns.is_on
        machine.work(1.0)
    assert machine.now_s == pytest.approx(100.0 + 4.0)


def test_a_turn_ends_when_work_fails(tmp_path: Path) -> None:
    machine = Machine()
    turns = LateTurns(tmp_path / "turns", machine, others_s=0.0)
    with pytest.raises(ValueError, match="failed"), machine.pacer(0.5, turns).computing():
        raise ValueError("failed")
    assert not turns.is_on


def test_what_cannot_be_made_up_for_at_once_is_made_up_for_later() -> None:
    machine = Machine(sleep_more_s=0.0)
    pacer = machine.pacer(0.5)
    for elapsed_s in (5.0, 1.0, 1.0):
        with pacer.computing():
            machine.work(1.0, elapsed_s)
    assert machine.now_s == pytest.approx(100.0 + 7.0)
    assert pacer.overrun_s == pytest.approx(1.0)


def test_work_paced_inside_paced_work_is_slowed_down_once() -> None:
    machine = Machine()
    pacer = machine.pacer(0.5)
    for begun_s in (100.0, 104.0):
        with pacer.computing():
            machine.work(1.0)
            with pacer.computing():
                machine.work(1.0)
            assert machine.now_s == pytest.approx(begun_s + 2.0, abs=2 * SLEEP_MORE_S)
        assert machine.now_s == pytest.approx(begun_s + 4.0, abs=2 * SLEEP_MORE_S)


def test_work_after_work_that_failed_is_slowed_down() -> None:
    machine = Machine()
    pacer = machine.pacer(0.5)
    with pytest.raises(ValueError, match="failed"), pacer.computing():
        raise ValueError("failed")
    with pacer.computing():
        machine.work(1.0)
    assert machine.now_s - 100.0 == pytest.approx(2.0, abs=SLEEP_MORE_S + 1e-9)


def test_full_speed_changes_nothing() -> None:
    machine = Machine()
    pacer = machine.pacer(1.0)
    with pacer.computing():
        machine.work(1.0, elapsed_s=4.0)
    assert (machine.now_s, pacer.overrun_s) == (104.0, 0.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, 1.01, float("nan")])
def test_impossible_speeds(speed: float) -> None:
    with pytest.raises(InputError, match="speed"):
        Pacer(speed)


def test_a_paced_engine_gives_the_same_answers_later() -> None:
    engine = PacedEngine(OnnxRuntimeEngine(), Pacer(0.1))
    x = normal((1, 8, 64, 64))
    graph = local_graph([operator("Relu", ["x"], "y")], {"x": x})
    executable = engine.prepare(graph, loader())
    start_s, start_cpu_s = time.perf_counter(), time.thread_time()
    for _ in range(20):
        (answer,) = executable.run([x])
    spent_s, elapsed_s = time.thread_time() - start_cpu_s, time.perf_counter() - start_s
    assert (answer == ReferenceEngine().prepare(graph, loader()).run([x])[0]).all()
    assert elapsed_s > 2 * spent_s
    assert (engine.name, engine.threads) == ("onnxruntime", 1)
    assert engine.resident_bytes == 0
    engine.retain([])


def test_several_threads_cannot_be_paced() -> None:
    class Wide(ReferenceEngine):
        threads = 2

    with pytest.raises(InputError, match="2 threads"):
        PacedEngine(Wide(), Pacer(0.5))


@pytest.mark.skipif(not Path("/proc/self/timerslack_ns").exists(), reason="needs Linux's timer slack")
def test_threads_started_later_wake_in_time() -> None:
    script = """
import ctypes, threading
from legion.engine.paced import end_sleeps_in_time
PR_GET_TIMERSLACK = 30
told = lambda: print(ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), flush=True)
told()
end_sleeps_in_time()
threading.Thread(target=told).start()
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    before_ns, after_ns = map(int, printed.split())
    assert after_ns == 1 < before_ns
