"""Plain TCP flows, to judge a lab's links by something that is not Legion's own transport.

`python -m bench.lab_flow` is a sink: it takes what anyone sends to its port, and answers each flow when all is there.
"""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter, sleep

PORT = 7800
CHUNK_BYTES = 1 << 16
START_S = 30.0
_LENGTH_BYTES = 8


class Flows:
    """Connections to sinks. Use it in a `with` statement; it waits until all sinks are there."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._stack = ExitStack()
        self._flows = [self._stack.enter_context(_connect(host)) for host in hosts]

    def __enter__(self) -> "Flows":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, size_bytes: int) -> float:
        """Send so many bytes on every flow at once; seconds until all of them are there."""
        start_s = perf_counter()
        threads = [threading.Thread(target=_send, args=(flow, size_bytes)) for flow in self._flows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return perf_counter() - start_s

    @contextmanager
    def busy(self, size_bytes: int) -> Iterator[None]:
        """Send so many bytes on every flow again and again, as long as the body runs."""
        ended = threading.Event()

        def keep_sending() -> None:
            while not ended.is_set():
                self.send(size_bytes)

        thread = threading.Thread(target=keep_sending)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def main() -> None:
    """Take flows until the process is ended."""
    with socket.create_server(("0.0.0.0", PORT), backlog=16) as server:  # noqa: S104 - in a namespace of its own
        while True:
            flow, _ = server.accept()
            threading.Thread(target=_take, args=(flow,), daemon=True).start()


def _take(flow: socket.socket) -> None:
    with flow:
        while head := flow.recv(_LENGTH_BYTES, socket.MSG_WAITALL):
            left = int.from_bytes(head, "big")
            while left:
                left -= len(flow.recv(min(left, CHUNK_BYTES)))
            flow.sendall(b"\0")


def _send(flow: socket.socket, size_bytes: int) -> None:
    flow.sendall(size_bytes.to_bytes(_LENGTH_BYTES, "big"))
    chunk = bytes(CHUNK_BYTES)
    for offset in range(0, size_bytes, CHUNK_BYTES):
        flow.sendall(chunk[: size_bytes - offset])
    flow.recv(1)


def _connect(host: str) -> socket.socket:
    deadline_s = perf_counter() + START_S
    while True:
        try:
            flow = socket.create_connection((host, PORT), timeout=START_S)
        except OSError:
            if perf_counter() > deadline_s:
                raise
            sleep(0.1)
        else:
            flow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return flow


if __name__ == "__main__":
    main()
