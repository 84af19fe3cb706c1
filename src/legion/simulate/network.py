"""Messages on ports that are filled by one at a time: a node's way out and its way in are independent."""

import math
from collections import defaultdict, deque
from dataclasses import dataclass

from legion.cost.link_cost import Link
from legion.geometry.box import Box

MessageKey = tuple[str, str, str, Box]
"""Source, destination, tensor and box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Until when a message fills its source's way out and its destination's way in, and when it is through both."""

    out_s: float
    in_s: float
    through_s: float


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
    """Which message fills each port. It has no clock: three methods return the messages that enter the wire now.

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

    def free_inward(self, message: Message) -> list[Message]:
        """The message does not fill its destination's way in any more."""
        self._busy_inward.remove(message.destination)
        waiting = self._waiting.get(message.destination)
        return self._request(waiting.popleft()) if waiting else []

    def free_outward(self, message: Message) -> list[Message]:
        """The message does not fill its source's way out any more."""
        queue = self._outgoing[message.source]
        queue.popleft()
        return self._request(queue[0]) if queue else []

    def passage(self, message: Message, now_s: float) -> Passage:
        """Of a message that enters the wire now.

        Each port is a token bucket: it fills at its rate, up to a burst, and a byte takes one of it (see `Link`).
        """
        link = message.link
        filling_s = message.size_bytes * link.seconds_per_byte
        ports = (
            (message.source, "outward", link.outward_fraction),
            (message.destination, "inward", link.inward_fraction),
        )
        through_s = now_s + max(0.0, filling_s - link.burst_s)
        for node, way, fraction in ports:
            full_s = max(self._empty_until_s[node, way], now_s - fraction * link.burst_s)
            self._empty_until_s[node, way] = full_s + fraction * filling_s
            through_s = max(through_s, self._empty_until_s[node, way])
        out_s, in_s = (max(now_s, through_s - (1 - fraction) * filling_s) for *_, fraction in ports)
        return Passage(out_s=out_s, in_s=in_s, through_s=through_s)

    def _request(self, message: Message) -> list[Message]:
        """The message is the first of its source: it enters now, or waits for its destination's way in."""
        if message.destination in self._busy_inward:
            self._waiting.setdefault(message.destination, deque()).append(message)
            return []
        self._busy_inward.add(message.destination)
        return [message]
