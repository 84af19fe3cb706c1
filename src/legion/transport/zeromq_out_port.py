"""A node's way out for tensors over ZeroMQ: one PUSH socket per peer, each with one tensor under way."""

import select
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import ceil

import zmq
from zmq.utils.monitor import parse_monitor_message

from legion.transport.base import Frame, resolve

_SEND_BUFFER_BYTES = 64 << 10
"""Small, so that a tensor is released when it is on the wire and not when the kernel has swallowed it;
at 32 kB, TCP over loopback stalls for 40 ms per segment."""
_UNSENT_BYTES = 1
"""A tensor is released when less than this is left of it that TCP has not sent: its last bytes, which wait for an
acknowledgement to be sent, would be behind all that the next tensor's connection may send at once."""
_COPIED_BYTES = 12 << 10
"""Smaller messages are copied, and not waited for: that one has been handed over is told by way of three threads, which
takes as long as such a message is on the wire."""
_UNSENT_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_RELEASE_POLL_S = 0.05
_UNSENT_POLL_S = 0.002
"""Linux before 5.18 tells that nothing is unsent with the next acknowledgement only, which may come late."""


class ZeroMqOutPort:
    """One PUSH socket per peer; `push` makes them.

    Messages of 12 kB or more are sent from where they lie, and `send` waits until they are out; others are copied.
    """

    def __init__(self, push: "Callable[[], zmq.Socket[bytes]]") -> None:
        self._push = push
        self._addresses: dict[str, tuple[str, int]] = {}
        self._ways: dict[str, _WayOut] = {}

    def connect(self, peers: Mapping[str, str]) -> None:
        """Open a connection to each peer, so that the first frame need not wait for it."""
        addresses = {peer: resolve(address) for peer, address in peers.items()}
        self.close()
        self._addresses = addresses
        for peer in peers:
            self._open(peer)

    def send(self, peer: str, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        """Send, and wait for the release of the memory; one that is cancelled meanwhile takes its connection along."""
        if cancelled():
            return False
        way = self._ways.get(peer) or self._open(peer)
        if way.send(frames, cancelled):
            return True
        self._ways.pop(peer).close()
        self._open(peer)
        return False

    def close(self) -> None:
        """Close all connections."""
        while self._ways:
            self._ways.popitem()[1].close()

    def _open(self, peer: str) -> "_WayOut":
        way = self._ways[peer] = _WayOut(self._push(), *self._addresses[peer])
        return way


class _WayOut:
    """A PUSH socket, and the descriptor of the connection behind it."""

    def __init__(self, push: "zmq.Socket[bytes]", host: str, port: int) -> None:
        self._push = push
        self._push.setsockopt(zmq.SNDBUF, _SEND_BUFFER_BYTES)
        self._push.copy_threshold = _COPIED_BYTES
        self._connected = push.get_monitor_socket(zmq.EVENT_CONNECTED)
        self._descriptor: int | None = None
        push.connect(f"tcp://{host}:{port}")

    def send(self, frames: Sequence[Frame], cancelled: Callable[[], bool]) -> bool:
        """Send, and wait until all is sent; False when cancelled before."""
        while not cancelled():
            try:
                tracker = self._push.send_multipart(frames, zmq.NOBLOCK, copy=False, track=True)
            except zmq.Again:
                self._push.poll(milliseconds(_RELEASE_POLL_S), zmq.POLLOUT)
                continue
            return _released(tracker, cancelled) and self._left(cancelled)
        return False

    def close(self) -> None:
        self._push.disable_monitor()
        self._connected.close()
        self._push.close()

    def _left(self, cancelled: Callable[[], bool]) -> bool:
        """Wait until the kernel has sent all that it holds; False when cancelled before."""
        self._note_connections()
        if self._descriptor is None:
            return True
        writable = select.poll()
        writable.register(self._descriptor, select.POLLOUT)
        while not writable.poll(milliseconds(_UNSENT_POLL_S)):
            if cancelled():
                return False
        return True

    def _note_connections(self) -> None:
        """Take the descriptor of a connection that has come about since, and have it say when nothing is unsent.

        A descriptor whose connection has ended meanwhile hardly does harm: asking for it just tells nothing.
        """
        while _UNSENT_OPTION is not None and self._connected.poll(0):
            self._descriptor = parse_monitor_message(self._connected.recv_multipart())["value"]
            with suppress(OSError):
                connection = socket.socket(fileno=self._descriptor)
                try:
                    connection.setsockopt(socket.IPPROTO_TCP, _UNSENT_OPTION, _UNSENT_BYTES)
                finally:
                    connection.detach()


def _released(tracker: zmq.MessageTracker | None, cancelled: Callable[[], bool]) -> bool:
    """Wait until libzmq has handed a message over to the kernel; False when cancelled before."""
    while tracker is not None and not tracker.done:
        try:
            tracker.wait(_RELEASE_POLL_S)
        except zmq.NotDone:
            if cancelled():
                return False
    return True


def milliseconds(seconds: float) -> int:
    """As libzmq and the kernel count time, rounded up."""
    return max(0, ceil(seconds * 1e3))
