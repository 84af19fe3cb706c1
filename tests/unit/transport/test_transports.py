"""Both transports keep the same promises."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from legion.errors import InputError
from legion.transport.base import (
    Arrival,
    ControlArrival,
    Disconnected,
    Endpoint,
    TensorArrival,
    Transport,
    split_address,
)
from legion.transport.memory import MemoryNetwork
from legion.transport.zeromq import ZeroMqTransport

WAIT_S = 10.0
FREE = {"memory": "memory:0", "zeromq": "127.0.0.1:0"}


@pytest.fixture(params=["memory", "zeromq"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def transport(kind: str) -> Iterator[Transport]:
    made = MemoryNetwork() if kind == "memory" else ZeroMqTransport(max_control_bytes=1 << 20, max_tensor_bytes=1 << 22)
    yield made
    made.close()


def take(endpoint: Endpoint, wanted: int = 1) -> list[Arrival]:
    """The next arrivals, as many as wanted."""
    taken: list[Arrival] = []
    deadline_s = time.monotonic() + WAIT_S
    while len(taken) < wanted and time.monotonic() < deadline_s:
        taken += endpoint.receive(0.1)
    return taken


def patiently() -> Iterator[None]:
    """Tries until the time is over."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        yield
        time.sleep(0.01)


def never() -> bool:
    return False


def test_control_goes_both_ways(kind: str, transport: Transport) -> None:
    worker = transport.listen(FREE[kind])
    controller = transport.dial({"pi": worker.address})
    assert controller.send_control("pi", [b"hello", memoryview(b"payload")])
    (heard,) = take(worker)
    assert isinstance(heard, ControlArrival)
    assert [bytes(frame) for frame in heard.frames] == [b"hello", b"payload"]
    assert worker.send_control(heard.peer, [b"welcome"])
    (answer,) = take(controller)
    assert isinstance(answer, ControlArrival)
    assert (answer.peer, [bytes(frame) for frame in answer.frames]) == ("pi", [b"welcome"])
    assert heard.arrived_s <= answer.arrived_s <= transport.clock()
    controller.close()
    worker.close()


def test_tensors_arrive_in_order_and_as_sent(kind: str, transport: Transport) -> None:
    receiver, port = transport.listen(FREE[kind]), transport.out_port()
    host, _ = split_address(receiver.address)
    port.connect({"pi": f"{host}:{receiver.data_port}"})
    arrays = [np.full(size, index, np.uint8) for index, size in enumerate((1, 100_000, 3_000_000, 0, 8_000, 70_000))]
    for index, array in enumerate(arrays):
        sent = array.copy()
        assert port.send("pi", [b"%d" % index, sent.data], never)
        sent[...] = 255  # released: writing to it does no harm
    arrivals = take(receiver, len(arrays))
    for index, (arrival, array) in enumerate(zip(arrivals, arrays, strict=True)):
        assert isinstance(arrival, TensorArrival)
        assert bytes(arrival.frames[0]) == b"%d" % index
        assert bytes(arrival.frames[1]) == array.tobytes()
    port.close()
    receiver.close()


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 0), (2, 3), (1, 32, 32, 32)])
def test_an_array_s_own_buffer_arrives_as_plain_bytes(kind: str, transport: Transport, shape: tuple[int, ...]) -> None:
    """Small or large, of any shape, and in memory that any thread may free."""
    array = np.full(shape, 1.5, np.float32)
    receiver, port = transport.listen(FREE[kind]), transport.out_port()
    host, _ = split_address(receiver.address)
    port.connect({"pi": f"{host}:{receiver.data_port}"})
    assert port.send("pi", (b"header", array.data), never)
    (arrival,) = take(receiver)
    assert isinstance(arrival, TensorArrival)
    assert all(type(frame) is bytes for frame in arrival.frames)
    assert arrival.frames[1] == array.tobytes()
    port.close()
    receiver.close()


def test_a_closed_peer_is_noticed_on_both_sides(kind: str, transport: Transport) -> None:
    worker = transport.listen(FREE[kind])
    controller = transport.dial({"pi": worker.address})
    controller.send_control("pi", [b"hello"])
    (heard,) = take(worker)
    assert isinstance(heard, ControlArrival)
    other = transport.dial({"pi": worker.address})
    other.send_control("pi", [b"hello"])
    take(worker)
    controller.close()
    assert take(worker) == [Disconnected(peer=None)]
    # The route outlives the connection by a moment.
    assert any(not worker.send_control(heard.peer, [b"are you there?"]) for _ in patiently())
    worker.close()
    assert Disconnected(peer="pi") in take(other)
    other.close()


def test_nobody_there_is_no_error(kind: str, transport: Transport) -> None:
    controller = transport.dial({"pi": "memory:77" if kind == "memory" else "127.0.0.1:9"})
    controller.send_control("pi", [b"hello"])
    assert controller.receive(0.05) == []
    assert not controller.send_control("pi", [b"hello"]) or kind == "zeromq"
    controller.close()


def test_a_wake_ends_waiting(kind: str, transport: Transport) -> None:
    endpoint = transport.listen(FREE[kind])
    endpoint.wake()
    begun_s = time.monotonic()
    assert endpoint.receive(WAIT_S) == []
    assert time.monotonic() - begun_s < WAIT_S
    endpoint.close()
    endpoint.wake()


def test_a_cancelled_send_ends(kind: str, transport: Transport) -> None:
    port = transport.out_port()
    port.connect({"pi": "memory:77" if kind == "memory" else "127.0.0.1:9"})
    answers = iter([False, False, True, True, True])
    cancelled: Callable[[], bool] = (lambda: next(answers)) if kind == "zeromq" else (lambda: True)
    assert not port.send("pi", [b"header", np.ones(1_000_000, np.uint8).data], cancelled)
    port.close()


@pytest.mark.parametrize("kind", ["zeromq"])
def test_names_are_asked_for_once_and_a_way_that_could_not_be_opened_again_is_tried_later(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, port = transport.listen("127.0.0.1:0"), transport.out_port()
    peers = {"pi": f"localhost:{receiver.data_port}"}
    port.connect({"pi": "127.0.0.1:9"})

    def refuse(*_: object) -> tuple[str, int]:
        raise InputError("the network is down")

    answers = iter([False, False, True, True])
    with monkeypatch.context() as patch:
        patch.setattr("legion.transport.zeromq_out_port.resolve", refuse)
        patch.setattr("legion.transport.zeromq_out_port._WayOut.__init__", refuse)
        with pytest.raises(InputError):
            port.send("pi", [b"header", np.ones(1_000_000, np.uint8).data], lambda: next(answers))
        with pytest.raises(InputError):
            port.connect(peers)
    assert port.send("pi", [b"header", b"to nobody"], never)
    for _ in range(2):
        port.connect(peers)
    assert port.send("pi", [b"header", b"payload"], never)
    (arrival,) = take(receiver)
    assert isinstance(arrival, TensorArrival)
    assert arrival.frames[1] == b"payload"
    port.close()
    receiver.close()


@pytest.mark.parametrize("kind", ["zeromq"])
@pytest.mark.parametrize(("size_bytes", "waited_for"), [(10_000, False), (20_000, True)])
def test_what_is_as_short_as_a_halo_is_not_waited_for(transport: Transport, size_bytes: int, waited_for: bool) -> None:
    """Nobody takes it; only who waits asks whether it is cancelled, time and again."""
    port = transport.out_port()
    port.connect({"pi": "127.0.0.1:9"})
    answers = iter([False, False, True, True])
    assert port.send("pi", [b"header", np.ones(size_bytes, np.uint8).data], lambda: next(answers)) is not waited_for
    port.close()


def test_an_address_that_cannot_be_had(kind: str, transport: Transport) -> None:
    endpoint = transport.listen(FREE[kind])
    for address in (endpoint.address, "nonsense", "a:b", "host:99999"):
        with pytest.raises(InputError):
            transport.listen(address)
    endpoint.close()


def test_own_host_on_loopback(kind: str, transport: Transport) -> None:
    assert transport.own_host(FREE[kind]) == ("memory" if kind == "memory" else "127.0.0.1")


def test_a_message_that_is_too_long_ends_its_connection_only() -> None:
    transport = ZeroMqTransport(max_control_bytes=1000, max_tensor_bytes=1000)
    worker = transport.listen("127.0.0.1:0")
    first, second = transport.dial({"pi": worker.address}), transport.dial({"pi": worker.address})
    first.send_control("pi", [b"x" * 2000])
    assert Disconnected(peer=None) in take(worker)
    second.send_control("pi", [b"hello"])
    assert any(isinstance(each, ControlArrival) for each in take(worker))
    for endpoint in (first, second, worker):
        endpoint.close()
    transport.close()
