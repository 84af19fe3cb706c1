"""What was measured of the controller's port: whether two devices' transfers get in each other's way."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSample:
    """Two devices' messages of one size in one direction, one after the other and at the same time, in seconds.

    `direction` is as in `LinkSample`. `alone_s` is by device; `together_s` lasts from the first byte of both to
    the last. All have one entry per round.
    """

    direction: Literal["set", "get"]
    size_bytes: int
    alone_s: Mapping[str, tuple[float, ...]]
    together_s: tuple[float, ...]


def sharing(sample: PortSample) -> float:
    """How many messages the port seems to carry in a row: 2 where they share it, 1 where they do not.

    The slower message alone counts as 1, and what both take beyond it is counted in units of the faster one; nothing
    counts where that took no time that could be measured.
    """
    alone_s = [median(seconds) for seconds in sample.alone_s.values()]
    return 1 + (median(sample.together_s) - max(alone_s)) / min(alone_s) if min(alone_s) > 0 else 1.0
