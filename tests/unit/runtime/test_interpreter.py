"""The interpreter and the sender, over a port that a test holds shut."""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from legion.engine.pacer import Pacer
from legion.errors import InputError
from legion.geometry.box import Box
from legion.plan.executable import NodePlan
from legion.plan.program import Program, Receive, Send
from legion.runtime.execution import Batch, Delivery
from legion.runtime.frame_plan import controller_frame_plan, device_frame_plan
from legion.runtime.interpreter import FrameLog, Interpreter, PreparedPlan
from legion.runtime.sender import Sender
from legion.transport.base import Frame
from legion.wire.codec import decode_tensor

BOX = Box(((0, 2),))
ARRAY = np.arange(2, dtype=np.float32)
PROGRAM = Program(
    node="pi",
    instructions=(Receive(tensor="x", box=BOX, source="a"), Send(tensor="x", box=BOX, destination="b")),
)
WAIT_S = 10.0


class HeldPort:
    """Sends nothing until it is opened, or the message is cancelled."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.sent: list[tuple[str, Sequence[Frame]]] = []
        self.cancelled = 0
        self.broken = False

    def connect(self, peers: Mapping[str, str]) -> None:
        if "nowhere" in peers.values():
            raise InputError("nowhere")

    def send(self, peer: str, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        while not self.open.wait(0.005):
            if cancelled():
                self.cancelled += 1
                return False
        if self.broken:
            raise OSError("the network is down")
        self.sent.append((peer, frames))
        return True

    def close(self) -> None: ...


class Bench:
    """An interpreter of PROGRAM with its sender and port, and the frames that it has finished."""

    def __init__(self) -> None:
        self.port = HeldPort()
        ticks = iter(range(10_000))
        self.sender = Sender(self.port, lambda: float(next(ticks)))
        self.finished: list[FrameLog] = []
        self.lost: list[tuple[int, str]] = []
        frame_plan = device_frame_plan(NodePlan(program=PROGRAM, graphs=(), steps=()))
        self.prepared = PreparedPlan(plan=7, node="pi", frame_plan=frame_plan, executables=())
        self.interpreter = Interpreter(
            self.prepared, self.sender, self.finished.append, self.lose, Pacer(clock=lambda: float(next(ticks)))
        )

    def lose(self, frame: int, error: Exception) -> None:
        self.lost.append((frame, str(error)))

    def execute(self, frame: int) -> None:
        delivery = Delivery(instruction=0, array=ARRAY + frame, arrived_s=0.5)
        self.interpreter.execute(Batch(frame=frame, first=0, last=2, deliveries=(delivery,), ends_frame=True))

    def settle(self) -> None:
        done = threading.Event()
        self.sender.then(done.set)
        assert done.wait(WAIT_S)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_frame_is_finished_when_all_it_sent_is_out(bench: Bench) -> None:
    bench.execute(0)
    assert bench.finished == []
    bench.port.open.set()
    bench.settle()
    ((peer, frames),) = bench.port.sent
    header, array = decode_tensor(frames)
    assert (peer, header.plan, header.frame, header.source, header.tensor) == ("b", 7, 0, "pi", "x")
    assert np.array_equal(array, ARRAY)
    (log,) = bench.finished
    assert [record.instruction for record in log.records] == [0, 1]
    assert (log.sent_messages, log.received_messages, log.received_bytes) == (1, 1, 8)
    assert all(record.start_s <= record.end_s for record in log.records[1:])
    bench.sender.close()


def test_a_frame_of_which_something_cannot_be_sent_is_lost(bench: Bench) -> None:
    bench.port.broken = True
    bench.port.open.set()
    bench.execute(0)
    bench.settle()
    assert bench.lost == [(0, "the network is down")]


def test_an_abandoned_frame_is_neither_executed_nor_sent(bench: Bench) -> None:
    bench.execute(0)
    bench.interpreter.abandon(0)
    bench.execute(0)
    bench.settle()
    assert bench.port.cancelled == 1
    bench.port.open.set()
    bench.execute(1)
    bench.settle()
    assert [decode_tensor(frames)[0].frame for _, frames in bench.port.sent] == [1]
    bench.sender.close()


def test_closing_does_not_wait_for_a_port_that_is_stuck(bench: Bench) -> None:
    bench.execute(0)
    bench.sender.close()
    assert bench.port.sent == []


def test_addresses_that_lead_nowhere_are_told_to_who_connects(bench: Bench) -> None:
    with pytest.raises(InputError, match="nowhere"):
        bench.sender.connect({"b": "nowhere"})
    bench.sender.connect({"b": "somewhere"})
    bench.sender.close()


def test_what_was_computed_ahead_is_sent_and_told_of_when_it_is_due() -> None:
    """Encoding takes 10 ms of the processor, and so a second at a hundredth of its speed."""
    bench = Bench()
    bench.port.open.set()
    processor_s = iter([0.0, 0.01])
    pacer = Pacer(0.01, clock=time.perf_counter, processor_clock=lambda: next(processor_s))
    sender = Sender(bench.port, time.perf_counter)
    ended: queue.SimpleQueue[tuple[FrameLog, float]] = queue.SimpleQueue()
    interpreter = Interpreter(
        bench.prepared, sender, lambda log: ended.put((log, time.perf_counter())), bench.lose, pacer
    )
    begun_s = time.perf_counter()
    delivery = Delivery(instruction=0, array=ARRAY, arrived_s=begun_s)
    interpreter.execute(Batch(frame=0, first=0, last=2, deliveries=(delivery,), ends_frame=True))
    assert time.perf_counter() < begun_s + 1
    log, ended_s = ended.get(timeout=WAIT_S)
    assert begun_s + 1 <= log.records[-1].start_s <= ended_s
    assert 0 < log.sent_late_s < ended_s - begun_s - 1
    for each in (sender, bench.sender):
        each.close()


@pytest.mark.parametrize("closes", [False, True])
def test_what_is_due_much_later_is_not_waited_for_once_it_is_given_up(closes: bool) -> None:
    """At a thousandth of the speed a second of the processor is a quarter of an hour."""
    bench = Bench()
    bench.sender.close()
    processor_s = iter([0.0, 1.0, 1.0, 1.0])
    pacer = Pacer(0.001, clock=time.perf_counter, processor_clock=lambda: next(processor_s))
    sender = Sender(bench.port, time.perf_counter)
    interpreter = Interpreter(bench.prepared, sender, bench.finished.append, bench.lose, pacer)
    delivery = Delivery(instruction=0, array=ARRAY, arrived_s=time.perf_counter())
    batch = Batch(frame=0, first=0, last=2, deliveries=(delivery,), ends_frame=True)
    interpreter.execute(batch)
    assert pacer.now_s() > time.perf_counter() + WAIT_S
    if not closes:
        bench.port.open.set()
        interpreter.abandon(0)
        interpreter.execute(replace(batch, frame=1))
        assert pacer.now_s() < time.perf_counter() + WAIT_S
        sender.connect({})
        assert [log.frame for log in bench.finished] == [0, 1]
    sender.close()


def test_given_tensors_are_asked_for() -> None:
    bench = Bench()
    instructions = (Send(tensor="input", box=BOX, destination="b"),)
    node = NodePlan(program=Program(node="controller", instructions=instructions), graphs=(), steps=())
    prepared = PreparedPlan(plan=7, node="controller", frame_plan=controller_frame_plan(node, ()), executables=())
    interpreter = Interpreter(prepared, bench.sender, bench.finished.append, bench.lose, Pacer(clock=lambda: 0.0))
    with pytest.raises(InputError, match="'input' is missing"):
        interpreter.begin(0, {"other": ARRAY})
    bench.port.open.set()
    interpreter.begin(0, {"input": ARRAY})
    interpreter.execute(Batch(frame=0, first=0, last=1, deliveries=(), ends_frame=True))
    bench.settle()
    assert np.array_equal(decode_tensor(bench.port.sent[0][1])[1], ARRAY)
    bench.sender.close()
