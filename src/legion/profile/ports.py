"""What was measured of the controller's port: whether devices' transfers get in each other's way."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSample:
    """Devices' messages of one size in one direction, one after the other and at the same time, in seconds.

    `direction` is as in `LinkSample`. `alone_s` is by device; `together_s` lasts from the first byte of all to
    the last. All have one entry per round.
    """

    direction: Literal["set", "get"]
    size_bytes: int
    alone_s: Mapping[str, tuple[float, ...]]
    together_s: tuple[float, ...]


def sharing(sample: PortSample) -> float:
    """How many messages the port seems to carry in a row: as many as devices where they share it, 1 where they do not.

    The slowest message alone counts as 1, and what all take beyond it is counted in units of what the others take
    alone; nothing counts where that took no time that could be measured.
    """
    alone_s = [median(seconds) for seconds in sample.alone_s.values()]
    others_s = sum(alone_s) - max(alone_s)
    beyond_s = median(sample.together_s) - max(alone_s)
    return 1 + (len(alone_s) - 1) * beyond_s / others_s if others_s > 0 else 1.0


def seconds_per_byte(sample: PortSample) -> float:
    """What a byte fills of the port at most: less where the devices' own ports, all at once, were slower."""
    return median(sample.together_s) / (len(sample.alone_s) * sample.size_bytes)
