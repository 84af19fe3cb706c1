"""A node's ordered send queue, on a thread of its own: tensors enter the port one after the other."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from legion.transport.base import Frame, OutPort, wait_until

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A tensor to send, not before `due_s`.

    The next one enters the port after `fills_s`, if it is for another peer, or, without that, when this one is out.
    `sent` is told when it entered the port, when it was released, and by how much the thread had woken late for it,
    by one thread at a time; `failed` is told why, if it cannot be sent.
    """

    peer: str
    frames: tuple[Frame, Frame]
    cancelled: Callable[[], bool]
    sent: Callable[[float, float, float], None]
    failed: Callable[[Exception], None]
    due_s: float
    fills_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Action:
    do: Callable[[], None]
    due_s: float = 0.0
    cancelled: Callable[[], bool] = lambda: False
    failed: Callable[[Exception], None] = lambda error: _logger.error("the sender met this", exc_info=error)


class Sender:
    """The thread and its queue; all methods may be called from any other thread."""

    def __init__(self, port: OutPort, clock: Callable[[], float]) -> None:
        self._port = port
        self._clock = clock
        self._queue: queue.SimpleQueue[Outgoing | _Action | None] = queue.SimpleQueue()
        self._closed = False
        self._under_way: dict[str, threading.Thread] = {}
        self._telling = threading.Lock()
        self._thread = threading.Thread(target=self._drain, name="sender", daemon=True)
        self._thread.start()

    def send(self, outgoing: Outgoing) -> None:
        """Queue a tensor."""
        self._queue.put(outgoing)

    def then(
        self, action: Callable[[], None], due_s: float = 0.0, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Call `action` on the sender's thread when it is due, and all that is queued now was sent, cancelled or lost.

        What is cancelled is called all the same, but not waited for.
        """
        self._queue.put(_Action(action, due_s, cancelled))

    def connect(self, peers: Mapping[str, str]) -> None:
        """Connect to these peers in place of the earlier ones, after all that is queued now; wait for it.

        Raises InputError for an address that leads nowhere, and what else the port raises.
        """
        problems: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def connect() -> None:
            self._port.connect(peers)
            problems.put(None)

        self._queue.put(_Action(connect, failed=problems.put))
        if problem := problems.get():
            raise problem

    def close(self) -> None:
        """Drop what is queued, and end the thread."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _drain(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._carry_out(item, self._wait(item))
            except Exception as exc:  # noqa: BLE001 - whatever it is, the next ones are sent, and whoever waits is told
                item.failed(exc)
        self._wait_for_all()
        self._port.close()

    def _carry_out(self, item: Outgoing | _Action, late_s: float) -> None:
        if isinstance(item, _Action):
            self._wait_for_all()
            item.do()
        elif item.fills_s is None:
            self._send(item, late_s)
        else:
            self._begin_to_send(item, late_s, item.fills_s)

    def _wait(self, item: Outgoing | _Action) -> float:
        """Sleep until it is due, if nobody cancels it; by how much that was too long."""
        if item.due_s <= self._clock():
            return 0.0
        wait_until(item.due_s, self._clock, time.sleep, lambda: self._closed or item.cancelled())
        return max(0.0, self._clock() - item.due_s)

    def _begin_to_send(self, item: Outgoing, late_s: float, fills_s: float) -> None:
        """On a thread of its own, once the last tensor for this peer is out; back when the next may enter the port."""
        if item.peer in self._under_way:
            self._under_way[item.peer].join()
        thread = threading.Thread(target=self._send, args=(item, late_s), name=f"sender to {item.peer}", daemon=True)
        thread.start()
        self._under_way[item.peer] = thread
        thread.join(fills_s)

    def _wait_for_all(self) -> None:
        for thread in self._under_way.values():
            thread.join()

    def _send(self, item: Outgoing, late_s: float) -> None:
        start_s = self._clock()
        try:
            is_out = self._port.send(item.peer, item.frames, lambda: self._closed or item.cancelled())
        except Exception as exc:  # noqa: BLE001 - whatever it is, whoever waits is told
            item.failed(exc)
            return
        end_s = self._clock()
        if is_out:
            with self._telling:
                item.sent(start_s, end_s, late_s)
