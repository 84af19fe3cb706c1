"""A slower link, emulated in the transport: for machines on which no real link can be shaped.

A weaker emulation than a shaped one: it reckons with whole messages and not with packets, so that
a receiver's port serves those of several senders one after the other, and control messages cost only
the receiver's port.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from legion.transport.base import Arrival, Disconnected, Endpoint, Frame, OutPort, Transport, wait_until


class PacedTransport:
    """Another transport, whose node sends and receives no more than `bandwidth_bytes_per_s` each way.

    Every node of a cluster has to have one: the sender's counts the time on the wire, the receiver's what
    is added when several messages come to its port at once.
    """

    def __init__(
        self, transport: Transport, bandwidth_bytes_per_s: float, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._transport = transport
        self._bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self._sleep = sleep

    @property
    def clock(self) -> Callable[[], float]:
        return self._transport.clock

    def listen(self, address: str) -> Endpoint:
        return PacedEndpoint(self._transport.listen(address), self._bandwidth_bytes_per_s, self.clock)

    def dial(self, devices: Mapping[str, str]) -> Endpoint:
        return PacedEndpoint(self._transport.dial(devices), self._bandwidth_bytes_per_s, self.clock)

    def out_port(self) -> OutPort:
        return PacedOutPort(self._transport.out_port(), self._bandwidth_bytes_per_s, self.clock, self._sleep)

    def own_host(self, address: str) -> str:
        return self._transport.own_host(address)

    def close(self) -> None:
        self._transport.close()


class PacedEndpoint:
    """Holds what has come until it could have come: one message after the other, at the link's bandwidth."""

    def __init__(self, endpoint: Endpoint, bandwidth_bytes_per_s: float, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self._clock = clock
        self._held: deque[tuple[float, Arrival]] = deque()
        self._busy_until_s = 0.0

    @property
    def address(self) -> str:
        return self._endpoint.address

    @property
    def data_port(self) -> int:
        return self._endpoint.data_port

    def send_control(self, peer: str, frames: Sequence[Frame]) -> bool:
        return self._endpoint.send_control(peer, frames)

    def receive(self, timeout_s: float) -> list[Arrival]:
        if self._held:
            timeout_s = min(timeout_s, max(0.0, self._held[0][0] - self._clock()))
        for arrival in self._endpoint.receive(timeout_s):
            self._hold(arrival)
        now_s, due = self._clock(), list[Arrival]()
        while self._held and self._held[0][0] <= now_s:
            due.append(self._held.popleft()[1])
        return due

    def wake(self) -> None:
        self._endpoint.wake()

    def close(self) -> None:
        self._endpoint.close()

    def _hold(self, arrival: Arrival) -> None:
        if not isinstance(arrival, Disconnected):
            wire_s = _size_bytes(arrival.frames) / self._bandwidth_bytes_per_s
            # The sender has waited for the wire already: alone on it, a message is due as it comes.
            self._busy_until_s = max(self._busy_until_s + wire_s, arrival.arrived_s)
            arrival = replace(arrival, arrived_s=self._busy_until_s)
        self._held.append((self._busy_until_s, arrival))


class PacedOutPort:
    """Hands a message over when its last byte would be on the wire."""

    def __init__(
        self,
        port: OutPort,
        bandwidth_bytes_per_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._port = port
        self._bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_s = 0.0

    def connect(self, peers: Mapping[str, str]) -> None:
        self._port.connect(peers)

    def send(self, peer: str, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        if cancelled():
            return False
        with self._lock:
            out_s = max(self._clock(), self._free_s) + _size_bytes(frames) / self._bandwidth_bytes_per_s
            self._free_s = out_s
        if wait_until(out_s, self._clock, self._sleep, cancelled):
            return self._port.send(peer, frames, cancelled)
        with self._lock:
            self._free_s = min(self._free_s, self._clock())
        return False

    def close(self) -> None:
        self._port.close()


def _size_bytes(frames: Sequence[Frame]) -> int:
    return sum(memoryview(frame).nbytes for frame in frames)
