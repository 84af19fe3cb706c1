"""A network inside one process: a whole cluster in a test, with nothing left to chance but thread timing."""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from legion.errors import InputError
from legion.transport.base import Arrival, ControlArrival, Disconnected, Frame, TensorArrival, split_address

_HOST = "memory"


class MemoryNetwork:
    """All endpoints made from one instance reach one another, as `memory:PORT`.

    Frames are copied on sending, so that a message is out of the sender's hands at once, as on a
    wire.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._ports = itertools.count(1)
        self._endpoints: dict[int, MemoryEndpoint] = {}

    def listen(self, address: str) -> "MemoryEndpoint":
        """A worker's endpoint at `memory:PORT`; port 0 takes a free one."""
        _, port = _split(address)
        return self._add(port)

    def dial(self, devices: Mapping[str, str]) -> "MemoryEndpoint":
        """A controller's endpoint; a device that does not listen never answers."""
        endpoint = self._add(0)
        for name, address in devices.items():
            endpoint.reach(name, _split(address)[1])
        return endpoint

    def out_port(self) -> "MemoryOutPort":
        """A way out for tensors."""
        return MemoryOutPort(self)

    def own_host(self, address: str) -> str:  # noqa: ARG002 - all nodes share one host
        """The only host that there is."""
        return _HOST

    def close(self) -> None:
        """Nothing to free."""

    def find(self, port: int) -> "MemoryEndpoint | None":
        """The endpoint at this port, if it is open."""
        with self._lock:
            return self._endpoints.get(port)

    def remove(self, port: int) -> list["MemoryEndpoint"]:
        """Forget a closed endpoint, and return the others."""
        with self._lock:
            self._endpoints.pop(port, None)
            return list(self._endpoints.values())

    def _add(self, port: int) -> "MemoryEndpoint":
        with self._lock:
            port = port or next(self._ports)
            if port in self._endpoints:
                raise InputError(f"{_HOST}:{port} is taken; choose another port")
            endpoint = self._endpoints[port] = MemoryEndpoint(self, port)
            return endpoint


class MemoryEndpoint:
    """One node's inbox."""

    def __init__(self, network: MemoryNetwork, port: int) -> None:
        self._network = network
        self._port = port
        self._inbox: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._names: dict[int, str] = {}
        """What each port that was reached, or that wrote to us, is called here."""

    @property
    def address(self) -> str:
        return f"{_HOST}:{self._port}"

    @property
    def data_port(self) -> int:
        return self._port

    def reach(self, name: str, port: int) -> None:
        """Call the endpoint at `port` by this name."""
        self._names[port] = name

    def send_control(self, peer: str, frames: Sequence[Frame]) -> bool:
        """Put a message into the peer's inbox; False when it is closed."""
        for port in [port for port, name in self._names.items() if name == peer]:
            other = self._network.find(port)
            if other is not None:
                other.take_control(self._port, frames)
                return True
        return False

    def take_control(self, port: int, frames: Sequence[Frame]) -> None:
        """Called by the sender: a control message from the endpoint at `port`."""
        name = self._names.setdefault(port, str(port))
        now = self._network.clock()
        self._inbox.put(ControlArrival(peer=name, frames=[bytes(frame) for frame in frames], arrived_s=now))

    def take_tensor(self, frames: Sequence[Frame]) -> None:
        """Called by the sender: a tensor message."""
        self._inbox.put(TensorArrival(frames=[bytes(frame) for frame in frames], arrived_s=self._network.clock()))

    def take_disconnect(self, port: int) -> None:
        """Called by the endpoint at `port` when it closes."""
        if port in self._names:
            name = self._names[port]
            self._inbox.put(Disconnected(peer=None if name == str(port) else name))

    def receive(self, timeout_s: float) -> list[Arrival]:
        """All that is in the inbox, after waiting for something."""
        arrivals: list[Arrival] = []
        try:
            first = self._inbox.get(timeout=timeout_s)
            while first is not None:
                arrivals.append(first)
                first = self._inbox.get_nowait()
        except queue.Empty:
            pass
        return arrivals

    def wake(self) -> None:
        """Let a waiting `receive` return."""
        self._inbox.put(None)

    def close(self) -> None:
        """Leave the network; whoever was connected learns of it."""
        for other in self._network.remove(self._port):
            other.take_disconnect(self._port)


class MemoryOutPort:
    """Puts tensors into the peers' inboxes."""

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network
        self._peers: dict[str, int] = {}

    def connect(self, peers: Mapping[str, str]) -> None:
        """Send to these addresses from now on."""
        self._peers = {name: _split(address)[1] for name, address in peers.items()}

    def send(self, peer: str, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        """Put a message into the peer's inbox; a closed one swallows it, as a wire would."""
        if cancelled():
            return False
        other = self._network.find(self._peers[peer])
        if other is not None:
            other.take_tensor(frames)
        return True

    def close(self) -> None:
        """Send to nobody any more."""
        self._peers = {}


def _split(address: str) -> tuple[str, int]:
    try:
        return split_address(address)
    except ValueError as exc:
        raise InputError(f"{exc}; in-memory addresses are {_HOST}:PORT") from exc
