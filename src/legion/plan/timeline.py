"""When each instruction started and ended, predicted or measured: one type for both."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One instruction of one node's program in one frame.

    Seconds count from the moment at which the controller began the frame. A Receive spans the wait
    (from reaching it to the arrival, zero if it was there already), a Run includes assembling its
    inputs, a Send lasts from entering the port to its release.
    """

    node: str
    instruction: int
    kind: Literal["receive", "run", "send"]
    label: str
    group: int | None
    size_bytes: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All events of one frame, by node and instruction; `latency_s` ends with the last output.

    Of measured frames, by the device that has the most: `overrun_s` is by how much it was later than the slower one
    that it emulates, `wire_cpu_s` the processor seconds of its receiving and sending threads.
    """

    source: Literal["predicted", "measured"]
    latency_s: float
    events: tuple[Event, ...]
    overrun_s: float = 0.0
    wire_cpu_s: float = 0.0
