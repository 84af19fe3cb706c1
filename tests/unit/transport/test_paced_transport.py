"""Links paced in the transport, by a clock that the test moves."""

import pytest

from legion.transport.base import Arrival, Disconnected, Endpoint, TensorArrival
from legion.transport.memory import MemoryNetwork
from legion.transport.paced import PacedTransport

BANDWIDTH = 1000.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def never() -> bool:
    return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def transport(clock: Clock) -> PacedTransport:
    return PacedTransport(MemoryNetwork(clock), BANDWIDTH, sleep=clock.sleep)


def arrivals(endpoint: Endpoint, clock: Clock, until_s: float) -> list[Arrival]:
    """What comes up to a time; the endpoint's real wait is cut short by a wake."""
    clock.now_s = until_s
    taken: list[Arrival] = []
    for _ in range(4):
        endpoint.wake()
        taken += endpoint.receive(0.01)
    return taken


def test_a_message_takes_its_time_on_the_wire_once(transport: PacedTransport, clock: Clock) -> None:
    endpoint, port = transport.listen("memory:0"), transport.out_port()
    port.connect({"a": f"memory:{endpoint.data_port}"})
    assert port.send("a", [bytes(400), bytes(100)], never)
    assert clock.now_s == pytest.approx(50.5)
    (arrival,) = arrivals(endpoint, clock, 50.5)
    assert isinstance(arrival, TensorArrival)
    assert arrival.arrived_s == pytest.approx(50.5)


def test_a_way_out_carries_one_message_after_the_other(clock: Clock) -> None:
    """A second one is sent to somebody else while the first is on the wire."""
    network = MemoryNetwork(clock)
    ends_s: list[float] = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if not ends_s:
            ends_s.append(0.0)
            port.send("b", [b"", bytes(500)], never)
            ends_s.append(clock.now_s)

    port = PacedTransport(network, BANDWIDTH, sleep=sleep).out_port()
    port.connect({name: f"memory:{network.listen('memory:0').data_port}" for name in "ab"})
    port.send("a", [b"", bytes(1000)], never)
    assert ends_s[1] == pytest.approx(51.5)


def test_what_is_cancelled_does_not_fill_the_way_out(transport: PacedTransport, clock: Clock) -> None:
    """Neither before it is sent, nor beyond the moment when it is given up."""
    endpoint, port = transport.listen("memory:0"), transport.out_port()
    port.connect({"a": f"memory:{endpoint.data_port}"})
    assert not port.send("a", [b"", bytes(9000)], lambda: True)
    assert clock.now_s == 50.0
    assert not port.send("a", [b"", bytes(9000)], lambda: clock.now_s > 50.0)
    given_up_s = clock.now_s
    assert given_up_s < 51.0
    assert port.send("a", [b"", bytes(1000)], never)
    assert clock.now_s == pytest.approx(given_up_s + 1.0)


def test_a_port_takes_one_message_after_the_other(transport: PacedTransport, clock: Clock) -> None:
    """Three nodes send half a second's worth each at the same time: the last is there after one and a half."""
    endpoint = transport.listen("memory:0")
    for _ in range(3):
        clock.now_s = 50.0
        port = transport.out_port()
        port.connect({"a": f"memory:{endpoint.data_port}"})
        port.send("a", [bytes(500)], never)
    assert [len(arrivals(endpoint, clock, until_s)) for until_s in (50.6, 51.05, 51.4, 51.51)] == [1, 1, 0, 1]


def test_control_messages_wait_for_the_port_too(transport: PacedTransport, clock: Clock) -> None:
    worker = transport.listen("memory:0")
    controller = transport.dial({"w": worker.address})
    for _ in range(3):
        assert controller.send_control("w", [bytes(1000)])
    assert [len(arrivals(worker, clock, until_s)) for until_s in (50.0, 50.9, 51.1, 52.1)] == [1, 0, 1, 1]


def test_a_cancelled_message_does_not_come(transport: PacedTransport, clock: Clock) -> None:
    endpoint, port = transport.listen("memory:0"), transport.out_port()
    port.connect({"a": f"memory:{endpoint.data_port}"})
    assert not port.send("a", [bytes(1_000_000)], lambda: clock.now_s > 51.0)
    assert clock.now_s < 52.0
    assert arrivals(endpoint, clock, 2000.0) == []


def test_a_lost_connection_is_told_after_what_came_before(transport: PacedTransport, clock: Clock) -> None:
    worker = transport.listen("memory:0")
    controller = transport.dial({"w": worker.address})
    for _ in range(2):
        controller.send_control("w", [bytes(1000)])
    controller.close()
    kinds = [type(arrival) for arrival in arrivals(worker, clock, 60.0)]
    assert Disconnected not in kinds[:2]
    worker.close()
    transport.close()
