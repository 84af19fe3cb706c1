"""What was measured of the controller's port: whether devices' transfers get in each other's way."""

from collections.abc import Collection, Mapping
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
    return 1 + (len(alone_s) - 1) * _beyond_s(sample, sample.alone_s) / others_s if others_s > 0 else 1.0


def seconds_per_byte(sample: PortSample) -> float:
    """What a byte fills of the port: a message more is through, with all the others, by so much later.

    Where links are unequal this is seen in the devices by whose end most bytes a second had come, for a slow link says
    nothing of the port; infinity where that is a single one.
    """
    by_end = sorted(sample.together_s, key=lambda device: median(sample.together_s[device]))
    counts = range(1, len(by_end) + 1)
    count = min(counts, key=lambda count: median(sample.together_s[by_end[count - 1]]) / count)
    if count == 1:
        return inf
    return max(0.0, _beyond_s(sample, by_end[:count])) / ((count - 1) * sample.size_bytes)


def _beyond_s(sample: PortSample, devices: Collection[str]) -> float:
    """What these take together beyond the slowest of them alone."""
    together_s, alone_s = (max(median(of[each]) for each in devices) for of in (sample.together_s, sample.alone_s))
    return together_s - alone_s
