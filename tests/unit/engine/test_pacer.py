"""Pacing by clocks that the test moves: how long work takes in all, and what counts as overrun."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.engine.kernel import waking_call
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.pacer import Pacer
from legion.engine.turns import Turns
from legion.errors import InputError


class Machine:
    """A clock, a thread's processor clock, and sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.processor_s = 5.0
        self.slept_s = 0.0

    def pacer(self, speed: float, turns: Turns | None = None, wake: Callable[[], object] | None = None) -> Pacer:
        return Pacer(
            speed,
            turns=turns,
            wake=wake,
            clock=lambda: self.now_s,
            processor_clock=lambda: self.processor_s,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept_s += seconds
        self.now_s += seconds

    def work(self, processor_s: float, elapsed_s: float | None = None) -> None:
        self.processor_s += processor_s
        self.now_s += processor_s if elapsed_s is None else elapsed_s


@given(st.floats(0.05, 0.99), st.lists(st.floats(0, 0.01), min_size=1, max_size=50), st.booleans())
def test_undisturbed_work_takes_its_processor_time_over_the_speed(
    speed: float, works_s: list[float], catches_up: bool
) -> None:
    machine = Machine()
    pacer = machine.pacer(speed)
    for processor_s in works_s:
        with pacer.computing():
            machine.work(processor_s)
        if catches_up:
            pacer.catch_up()
            assert machine.now_s == pytest.approx(pacer.now_s())
    assert pacer.now_s() - 100.0 == pytest.approx(sum(works_s) / speed)
    assert pacer.overrun_s == pytest.approx(0.0, abs=1e-9)


def test_work_is_done_ahead_of_the_clock_until_somebody_may_see_it() -> None:
    machine = Machine()
    pacer = machine.pacer(0.25)
    for _ in range(3):
        with pacer.computing():
            machine.work(1.0)
    assert (machine.now_s, machine.slept_s) == (103.0, 0.0)
    assert pacer.now_s() == pytest.approx(112.0)
    pacer.catch_up()
    assert machine.now_s == pytest.approx(112.0)


def test_work_after_a_wait_begins_when_the_wait_is_over() -> None:
    machine = Machine()
    pacer = machine.pacer(0.5)
    with pacer.computing():
        machine.work(1.0)
    pacer.waited()
    machine.now_s = 110.0
    with pacer.computing():
        machine.work(1.0)
    assert pacer.now_s() == pytest.approx(112.0)


def test_lateness_is_made_up_for_by_the_work_that_follows() -> None:
    machine = Machine()
    pacer = machine.pacer(0.5)
    with pacer.computing():
        machine.work(1.0, elapsed_s=3.0)
    assert pacer.overrun_s == pytest.approx(1.0)
    with pacer.computing():
        machine.work(1.5)
    assert pacer.now_s() == pytest.approx(100.0 + 5.0)
    assert pacer.overrun_s == pytest.approx(0.0)


def test_lateness_is_an_overrun_once_the_thread_has_waited() -> None:
    machine = Machine()
    pacer = machine.pacer(0.5)
    with pacer.computing():
        machine.work(1.0, elapsed_s=3.0)
    pacer.waited()
    with pacer.computing():
        machine.work(1.0)
    assert pacer.now_s() == pytest.approx(100.0 + 3.0 + 2.0)
    assert pacer.overrun_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arrivals_s", "overrun_s"), [((99.0, 100.5), 0.0), ((102.0, 102.5), 0.5), ((102.5, 102.25, 102.75), 0.75)]
)
def test_lateness_before_an_arrival_is_an_overrun(arrivals_s: Sequence[float], overrun_s: float) -> None:
    """Work that ended at 103 instead of 102 is followed by such that could not have begun before the last arrival."""
    machine = Machine()
    pacer = machine.pacer(0.5)
    with pacer.computing():
        machine.work(1.0, elapsed_s=3.0)
    for arrived_s in arrivals_s:
        pacer.received(arrived_s)
    with pacer.computing():
        machine.work(1.0)
    assert pacer.now_s() == pytest.approx(max(102.0, *arrivals_s) + 2.0)
    assert pacer.overrun_s == pytest.approx(overrun_s)


def test_what_was_computed_ahead_and_abandoned_delays_nothing() -> None:
    machine = Machine()
    pacer = machine.pacer(0.01)
    with pacer.computing():
        machine.work(1.0)
    pacer.abandon()
    with pacer.computing():
        machine.work(1.0)
    assert pacer.now_s() == pytest.approx(101.0 + 100.0)


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
def test_waiting_for_a_turn_is_a_part_of_the_work(tmp_path: Path, others_s: float, late_s: float) -> None:
    machine = Machine()
    turns = LateTurns(tmp_path / "turns", machine, others_s)
    pacer = machine.pacer(0.25, turns)
    with pacer.computing():
        assert turns.is_on
        machine.work(1.0)
    assert not turns.is_on
    assert pacer.now_s() == pytest.approx(100.0 + 4.0 + late_s)
    assert pacer.overrun_s == pytest.approx(late_s)


def test_handing_over_waits_for_no_turn_and_wakes_nothing(tmp_path: Path) -> None:
    machine = Machine()
    turns = LateTurns(tmp_path / "turns", machine, others_s=50.0)
    pacer = machine.pacer(0.25, turns, wake=lambda: machine.work(1.0))
    with pacer.handing_over():
        assert not turns.is_on
        machine.work(1.0)
    assert pacer.now_s() == pytest.approx(100.0 + 4.0)


def test_waking_happens_in_the_turn_and_does_not_count(tmp_path: Path) -> None:
    machine = Machine()
    turns = LateTurns(tmp_path / "turns", machine, others_s=0.0)

    def wake() -> None:
        assert turns.is_on
        machine.work(0.5)

    pacer = machine.pacer(0.25, turns, wake)
    for _ in range(2):
        with pacer.computing():
            machine.work(1.0)
    assert machine.now_s == 103.0
    assert pacer.now_s() == pytest.approx(100.0 + 8.0)


@pytest.mark.parametrize("fails_at", ["wake", "work"])
def test_a_turn_ends_when_work_fails(tmp_path: Path, fails_at: str) -> None:
    def fail() -> None:
        raise ValueError("failed")

    machine = Machine()
    turns = LateTurns(tmp_path / "turns", machine, others_s=0.0)
    pacer = machine.pacer(0.5, turns, wake=fail if fails_at == "wake" else None)
    with pytest.raises(ValueError, match="failed"), pacer.computing():
        fail()
    assert not turns.is_on


def test_what_cannot_be_made_up_for_at_once_is_made_up_for_later() -> None:
    machine = Machine()
    pacer = machine.pacer(0.5)
    for elapsed_s in (5.0, 1.0, 1.0):
        with pacer.computing():
            machine.work(1.0, elapsed_s)
    assert pacer.now_s() == pytest.approx(100.0 + 7.0)
    assert pacer.overrun_s == pytest.approx(1.0)


def test_work_after_work_that_failed_is_slowed_down() -> None:
    machine = Machine()
    pacer = machine.pacer(0.5)
    with pytest.raises(ValueError, match="failed"), pacer.computing():
        raise ValueError("failed")
    with pacer.computing():
        machine.work(1.0)
    assert pacer.now_s() - 100.0 == pytest.approx(2.0)


@pytest.mark.parametrize("rehearsed", [False, True])
def test_timed_work_takes_as_long_as_it_says(tmp_path: Path, rehearsed: bool) -> None:
    """Neither the turns of others nor what is done before are in it."""
    machine = Machine()
    turns = LateTurns(tmp_path / "turns", machine, others_s=0.25)
    done: list[str] = []

    def work() -> None:
        done.append("work")
        machine.work(1.0)

    pacer = machine.pacer(0.25, turns, wake=lambda: done.append("wake"))
    for _ in range(2):
        begun_s = machine.now_s
        assert pacer.timed(work, rehearsed=rehearsed) == pytest.approx(4.0)
        assert machine.now_s == pytest.approx(begun_s + 4.0)
    assert done == ["work" if rehearsed else "wake", "work"] * 2


@pytest.mark.parametrize("rehearsed", [False, True])
def test_full_speed_changes_nothing(rehearsed: bool) -> None:
    machine = Machine()
    pacer = machine.pacer(1.0, wake=lambda: machine.work(50.0))
    with pacer.computing():
        machine.work(1.0, elapsed_s=4.0)
    assert (machine.now_s, pacer.now_s(), pacer.overrun_s) == (104.0, 104.0, 0.0)
    assert pacer.timed(lambda: machine.work(1.0, elapsed_s=4.0), rehearsed=rehearsed) == 4.0


@pytest.mark.parametrize("speed", [0.0, -1.0, 1.01, float("nan")])
def test_impossible_speeds(speed: float) -> None:
    with pytest.raises(InputError, match="speed"):
        Pacer(speed)


def test_real_work_takes_what_it_says() -> None:
    """On a real thread, by its processor time."""
    call = waking_call(OnnxRuntimeEngine())
    pacer = Pacer(0.1, wake=call)
    start_s, start_cpu_s = time.perf_counter(), time.thread_time()
    told_s = sum(pacer.timed(call) for _ in range(20))
    spent_s, elapsed_s = time.thread_time() - start_cpu_s, time.perf_counter() - start_s
    assert 0 < told_s < spent_s / 0.1
    assert elapsed_s >= told_s


@pytest.mark.skipif(not Path("/proc/self/timerslack_ns").exists(), reason="needs Linux's timer slack")
def test_threads_started_later_wake_in_time() -> None:
    script = """
import ctypes, threading
from legion.engine.pacer import end_sleeps_in_time
PR_GET_TIMERSLACK = 30
told = lambda: print(ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), flush=True)
told()
end_sleeps_in_time()
threading.Thread(target=told).start()
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    before_ns, after_ns = map(int, printed.split())
    assert after_ns == 1 < before_ns
