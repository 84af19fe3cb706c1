"""Messages on ports that carry one at a time: a node's way out and its way in are independent."""

from collections import deque
from dataclasses import dataclass

from legion.cost.link_cost import Link
from legion.geometry.box import Box

MessageKey = tuple[str, str, str, Box]
"""Source, destination, tensor and box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A Send that was handed over; `instruction` is its place in the source's program."""

    source: str
    destination: str
    tensor: str
    box: Box
    instruction: int
    size_bytes: int
    link: Link

    @property
    def key(self) -> MessageKey:
        return (self.source, self.destination, self.tensor, self.box)


class Network:
    """Which message each port carries. It has no clock: its methods return the messages that enter the wire now.

    A node's messages leave in the order in which they were handed over. One enters the wire when it is the first of
    its source and its destination's way in is free; those that wait for the same way in go in the order of their wait.
    """

    def __init__(self) -> None:
        self._outgoing: dict[str, deque[Message]] = {}
        self._waiting: dict[str, deque[Message]] = {}
        self._busy_inward: set[str] = set()

    def hand_over(self, message: Message) -> list[Message]:
        queue = self._outgoing.setdefault(message.source, deque())
        queue.append(message)
        return self._request(message) if len(queue) == 1 else []

    def release(self, message: Message) -> list[Message]:
        """The message has left both ports."""
        self._busy_inward.remove(message.destination)
        entering: list[Message] = []
        waiting = self._waiting.get(message.destination)
        if waiting:
            entering += self._request(waiting.popleft())
        queue = self._outgoing[message.source]
        queue.popleft()
        if queue:
            entering += self._request(queue[0])
        return entering

    def _request(self, message: Message) -> list[Message]:
        """The message is the first of its source: it enters now, or waits for its destination's way in."""
        if message.destination in self._busy_inward:
            self._waiting.setdefault(message.destination, deque()).append(message)
            return []
        self._busy_inward.add(message.destination)
        return [message]
