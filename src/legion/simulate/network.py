"""Messages on ports that carry one at a time: a node's way out and its way in are independent."""

import math
from collections import defaultdict, deque
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
    """Which message each port carries. It has no clock: two methods return the messages that enter the wire now.

    A node's messages leave in the order in which they were handed over. One enters the wire when it is the first of
    its source and its destination's way in is free; those that wait for the same way in go in the order of their wait.
    """

    def __init__(self) -> None:
        self._outgoing: dict[str, deque[Message]] = {}
        self._waiting: dict[str, deque[Message]] = {}
        self._busy_inward: set[str] = set()
        self._empty_until_s: defaultdict[tuple[str, str], float] = defaultdict(lambda: -math.inf)

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

    def through_s(self, message: Message, now_s: float) -> float:
        """When a message that enters the wire now has left both ports.

        Each is a token bucket: it fills at the link's rate, up to a burst, and a byte takes one of it (see `Link`).
        """
        link = message.link
        filling_s = message.size_bytes * link.seconds_per_byte
        through_s = now_s
        for port in ((message.source, "outward"), (message.destination, "inward")):
            self._empty_until_s[port] = max(self._empty_until_s[port], now_s - link.burst_s) + filling_s
            through_s = max(through_s, self._empty_until_s[port])
        return through_s

    def _request(self, message: Message) -> list[Message]:
        """The message is the first of its source: it enters now, or waits for its destination's way in."""
        if message.destination in self._busy_inward:
            self._waiting.setdefault(message.destination, deque()).append(message)
            return []
        self._busy_inward.add(message.destination)
        return [message]
