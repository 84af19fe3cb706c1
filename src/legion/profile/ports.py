"""What was measured of the controller's port: whether devices' transfers get in each other's way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSample:
    """Devices' messages of one size in one direction, one after the other and at the same time, in seconds by device.

    `direction` is as in `LinkSample`. `together_s` lasts from the first byte of all to the device's last. All have one
    entry per round.
    """

    direction: Literal["set", "get"]
    size_bytes: int
    alone_s: Mapping[str, tuple[float, ...]]
    together_s: Mapping[str, tuple[float, ...]]


def sharing(sample: PortSample) -> float:
    """How many messages the port seems to carry in a row: as many as devices where they share it, 1 where they do not.

    The slowest message alone counts as 1, and what all take beyond it is counted in units of what the others take
    alone; nothing counts where that took no time that could be measured.
    """
    alone_s = [median(seconds) for seconds in sample.alone_s.values()]
    others_s = sum(alone_s) - max(alone_s)
    beyond_s = median(map(max, _rounds(sample))) - max(alone_s)
    return 1 + (len(alone_s) - 1) * beyond_s / others_s if others_s > 0 else 1.0


def seconds_per_byte(sample: PortSample) -> float:
    """What a byte fills of the port: how much later than alone a message is through, for each of the others.

    With unequal links this is seen in the devices by whose end most bytes a second had come, for a slow link says
    nothing of the port; infinity where that is a single one, as with links of which each is twice as fast as the next.
    """
    alone_s = [median(seconds) for seconds in sample.alone_s.values()]
    return median(_held_up_s(alone_s, ends_s) for ends_s in _rounds(sample)) / sample.size_bytes


def _held_up_s(alone_s: Sequence[float], ends_s: Sequence[float]) -> float:
    """By how much each message holds up another."""
    through = sorted(zip(ends_s, alone_s, strict=True))
    count = min(range(1, len(through) + 1), key=lambda count: through[count - 1][0] / count)
    later_s = max(end_s - without_s for end_s, without_s in through[:count])
    return max(0.0, later_s) / (count - 1) if count > 1 else inf


def _rounds(sample: PortSample) -> Iterator[tuple[float, ...]]:
    """When each device's message was through, by round; devices in the order of `alone_s`."""
    return zip(*(sample.together_s[device] for device in sample.alone_s), strict=True)
