"""The network over ZeroMQ: DEALER to ROUTER for control, PUSH to PULL for tensors.

libzmq's own thread answers heartbeats, so a node that computes, or whose Python is busy, counts as
alive; a dead one is noticed after `_HEARTBEAT_TIMEOUT_MS` at the latest, a killed process at once.
"""

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence

import zmq
from zmq.utils.monitor import parse_monitor_message

from legion.errors import InputError
from legion.transport.base import Arrival, ControlArrival, Disconnected, Frame, TensorArrival, resolve, split_address
from legion.transport.zeromq_out_port import ZeroMqOutPort, milliseconds

_HEARTBEAT_INTERVAL_MS = 1_000
_HEARTBEAT_TIMEOUT_MS = 4_000
_MAX_WAITING_MESSAGES = 256
_BURST = 16
"""How many messages of one socket are taken before the others have their turn."""

_logger = logging.getLogger(__name__)


class ZeroMqTransport:
    """Makes endpoints and ports that share one libzmq context.

    Messages of `max_control_bytes` or `max_tensor_bytes` and more end the connection that they come by.
    """

    def __init__(
        self,
        *,
        max_control_bytes: int,
        max_tensor_bytes: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.clock = clock
        self._context = zmq.Context()
        self._limits = {zmq.ROUTER: max_control_bytes, zmq.DEALER: max_control_bytes, zmq.PULL: max_tensor_bytes}

    def close(self) -> None:
        """End libzmq's threads, and whatever was left open."""
        self._context.destroy(linger=0)

    def listen(self, address: str) -> "ZeroMqEndpoint":
        """A worker's endpoint; port 0 takes a free one."""
        host, port = resolve(address)
        router = self.socket(zmq.ROUTER)
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        pull = self.socket(zmq.PULL)
        try:
            router.bind(f"tcp://{host}:{port or '*'}")
            pull.bind(f"tcp://{host}:*")
        except zmq.ZMQError as exc:
            router.close()
            pull.close()
            raise InputError(f"cannot listen at {address}: {exc}; choose another address or port") from exc
        return ZeroMqEndpoint(self.clock, pull, router=router)

    def dial(self, devices: Mapping[str, str]) -> "ZeroMqEndpoint":
        """A controller's endpoint; devices that are not there yet are tried until they are."""
        targets = {name: resolve(address) for name, address in devices.items()}
        local = all(_route_source(host).startswith("127.") for host, _ in targets.values())
        pull = self.socket(zmq.PULL)
        pull.bind(f"tcp://{'127.0.0.1' if local else '0.0.0.0'}:*")  # noqa: S104 - devices send results here
        dealers: dict[str, zmq.Socket[bytes]] = {}
        for name, (host, port) in targets.items():
            dealers[name] = self.socket(zmq.DEALER)
            dealers[name].connect(f"tcp://{host}:{port}")
        return ZeroMqEndpoint(self.clock, pull, dealers=dealers)

    def out_port(self) -> "ZeroMqOutPort":
        """A way out for tensors."""
        return ZeroMqOutPort(lambda: self.socket(zmq.PUSH))

    def own_host(self, address: str) -> str:
        """The address of the interface by which this host reaches `address`."""
        return _route_source(resolve(address)[0])

    def socket(self, kind: zmq.SocketType) -> "zmq.Socket[bytes]":
        """A socket with heartbeats, bounded queues and messages, that drops what it holds when closed."""
        made = self._context.socket(kind)
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_INTERVAL_MS)
        made.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        made.setsockopt(zmq.SNDHWM, _MAX_WAITING_MESSAGES)
        made.setsockopt(zmq.RCVHWM, _MAX_WAITING_MESSAGES)
        if kind in self._limits:
            made.setsockopt(zmq.MAXMSGSIZE, self._limits[kind])
        return made


class ZeroMqEndpoint:
    """One PULL for tensors, and either one ROUTER (worker) or a DEALER per device (controller)."""

    def __init__(
        self,
        clock: Callable[[], float],
        pull: "zmq.Socket[bytes]",
        *,
        router: "zmq.Socket[bytes] | None" = None,
        dealers: "Mapping[str, zmq.Socket[bytes]] | None" = None,
    ) -> None:
        self._clock = clock
        self._pull = pull
        self._router = router
        self._dealers = dict(dealers or {})
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._poller = zmq.Poller()
        self._readers: dict[object, Callable[[], Arrival | None]] = {}
        self._add(pull, self._read_tensor)
        if router is not None:
            self._add(router, self._read_router)
            self._watch(router, None)
        for name, dealer in self._dealers.items():
            self._add(dealer, lambda name=name, dealer=dealer: self._read_dealer(name, dealer))
            self._watch(dealer, name)
        self._poller.register(self._wake_out.fileno(), zmq.POLLIN)

    @property
    def address(self) -> str:
        """Where a worker listens; empty for a controller."""
        return _bound(self._router) if self._router is not None else ""

    @property
    def data_port(self) -> int:
        """The port of the PULL socket."""
        return split_address(_bound(self._pull))[1]

    def send_control(self, peer: str, frames: Sequence[Frame]) -> bool:
        """Send without waiting; False when there is no route, or too much waits on it already."""
        try:
            if self._router is not None:
                self._router.send_multipart([peer.encode("latin-1"), *frames], zmq.NOBLOCK, copy=False)
            else:
                self._dealers[peer].send_multipart(frames, zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as exc:
            _logger.debug("nothing can be sent to %r: %s", peer, exc)
            return False
        return True

    def receive(self, timeout_s: float) -> list[Arrival]:
        """What has come on any socket, a bounded number of messages of each."""
        arrivals: list[Arrival] = []
        for source, _ in self._poller.poll(milliseconds(timeout_s)):
            reader = self._readers.get(source)
            if reader is None:
                self._drain_wakes()
                continue
            for _ in range(_BURST):
                try:
                    arrival = reader()
                except zmq.Again:
                    break
                if arrival is not None:
                    arrivals.append(arrival)
        return arrivals

    def wake(self) -> None:
        """Make `receive` return; a full pipe of wakes needs no further one."""
        try:
            self._wake_in.send(b"\0")
        except (BlockingIOError, OSError):
            _logger.debug("an endpoint was woken that is awake or closed already")

    def close(self) -> None:
        """Close all sockets."""
        for reader in self._readers:
            if isinstance(reader, zmq.Socket):
                reader.close()
        self._wake_in.close()
        self._wake_out.close()

    def _add(self, source: "zmq.Socket[bytes]", reader: Callable[[], Arrival | None]) -> None:
        self._readers[source] = reader
        self._poller.register(source, zmq.POLLIN)

    def _watch(self, watched: "zmq.Socket[bytes]", peer: str | None) -> None:
        monitor = watched.get_monitor_socket(zmq.EVENT_DISCONNECTED)

        def read() -> Arrival | None:
            event = parse_monitor_message(monitor.recv_multipart(zmq.NOBLOCK))
            return Disconnected(peer=peer) if event["event"] == zmq.EVENT_DISCONNECTED else None

        self._add(monitor, read)

    def _read_tensor(self) -> Arrival:
        # Copied, for whoever frees one of libzmq's own frames swallows a Ctrl-C that comes at that moment.
        frames = self._pull.recv_multipart(zmq.NOBLOCK)
        return TensorArrival(frames=frames, arrived_s=self._clock())

    def _read_router(self) -> Arrival | None:
        assert self._router is not None  # noqa: S101 - for the type checker: only registered where there is one
        identity, *frames = self._router.recv_multipart(zmq.NOBLOCK)
        return ControlArrival(peer=identity.decode("latin-1"), frames=frames, arrived_s=self._clock())

    def _read_dealer(self, name: str, dealer: "zmq.Socket[bytes]") -> Arrival:
        frames = dealer.recv_multipart(zmq.NOBLOCK)
        return ControlArrival(peer=name, frames=frames, arrived_s=self._clock())

    def _drain_wakes(self) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except BlockingIOError:
            pass


def _bound(bound: "zmq.Socket[bytes]") -> str:
    return bound.getsockopt_string(zmq.LAST_ENDPOINT).removeprefix("tcp://")


def _route_source(host: str) -> str:
    """The address that this machine has on the way to `host`; no packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError as exc:
            raise InputError(f"there is no route to {host} ({exc}); check the address and the network") from exc
        return str(probe.getsockname()[0])
