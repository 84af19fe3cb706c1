"""What the runtime asks of a network: control messages both ways, tensors in, tensors out."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from legion.errors import InputError

Frame = bytes | memoryview

_CANCEL_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlArrival:
    """A control message; `arrived_s` by the endpoint's clock.

    `peer` is whom to answer: for a controller the device's name, for a worker a name that the
    transport made up for the controller's connection.
    """

    peer: str
    frames: Sequence[bytes]
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorArrival:
    """A tensor message, stamped by the receiving thread; in memory of its own, which any thread may free."""

    frames: Sequence[bytes]
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """A connection ended. A worker's transport does not know whose: `peer` is None there."""

    peer: str | None


Arrival = ControlArrival | TensorArrival | Disconnected


class Endpoint(Protocol):
    """A node's control connections, and the place where tensors for it arrive.

    One thread uses it; `wake` alone may be called from any thread or signal handler.
    """

    @property
    def address(self) -> str:
        """`host:port` where a listening endpoint is to be greeted; empty for one that dialled."""
        ...

    @property
    def data_port(self) -> int:
        """Where tensors are to be sent, on the same host."""
        ...

    def send_control(self, peer: str, frames: Sequence[Frame]) -> bool:
        """Send without waiting; False says that there is no connection to this peer, or that it reads nothing."""
        ...

    def receive(self, timeout_s: float) -> list[Arrival]:
        """What has come, or an empty list after `timeout_s` or a `wake`."""
        ...

    def wake(self) -> None:
        """Make a `receive` that is waiting, or the next one, return at once."""
        ...

    def close(self) -> None:
        """End all connections; what was not sent yet is dropped."""
        ...


class OutPort(Protocol):
    """A node's way out for tensors, one message to a peer at a time. One thread uses it, but that `send` may be called
    from several at once, for different peers.
    """

    def connect(self, peers: Mapping[str, str]) -> None:
        """Connect to these data addresses, in place of all earlier ones, whose messages are dropped."""
        ...

    def send(self, peer: str, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        """Send and wait until the memory of `frames` is no longer needed.

        When `cancelled` turns true before, the message is dropped and False returned.
        """
        ...

    def close(self) -> None:
        """End all connections; what was not sent yet is dropped."""
        ...


class Transport(Protocol):
    """A kind of network."""

    @property
    def clock(self) -> Callable[[], float]:
        """The clock in seconds by which arrivals are stamped, never set back."""
        ...

    def listen(self, address: str) -> Endpoint:
        """A worker's endpoint; port 0 takes a free one. InputError when the address cannot be had."""
        ...

    def dial(self, devices: Mapping[str, str]) -> Endpoint:
        """A controller's endpoint, connecting to these control addresses by device name.

        Connections come about when the devices are there, however late. InputError for an address
        that is none.
        """
        ...

    def out_port(self) -> OutPort:
        """A way out for tensors."""
        ...

    def own_host(self, address: str) -> str:
        """The host name under which this node is reached by the node at `address`."""
        ...

    def close(self) -> None:
        """Free what the network itself holds, after its endpoints and ports were closed."""
        ...


def wait_until(
    due_s: float, clock: Callable[[], float], sleep: Callable[[float], None], cancelled: Callable[[], bool]
) -> bool:
    """Sleep until then, looking now and then whether it is cancelled; False when it was before."""
    while (left_s := due_s - clock()) > 0:
        if cancelled():
            return False
        sleep(min(left_s, _CANCEL_POLL_S))
    return True


def split_address(address: str) -> tuple[str, int]:
    """`host:port` taken apart; ValueError when it is no such thing."""
    host, separator, port = address.rpartition(":")
    if not (separator and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(f"{address!r} is no address of the form host:port")
    return host, int(port)


def resolve(address: str) -> tuple[str, int]:
    """The IPv4 address and the port of `host:port`; InputError when it is none, or no such host is known."""
    try:
        host, port = split_address(address)
        return socket.gethostbyname(host), port
    except (ValueError, OSError) as exc:
        raise InputError(f"{address!r} leads nowhere ({exc}); give it as host:port") from exc
