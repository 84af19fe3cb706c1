"""What a layer costs on a device: the measured seconds, between and beyond the measured extents."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtentCurve:
    """Seconds against the extent on the split axis, linear between the points; the first is the origin.

    So below the smallest measured extent seconds are proportional to it; beyond the largest the last slope goes on,
    never downwards.
    """

    extents: tuple[int, ...]
    seconds: tuple[float, ...]

    @staticmethod
    def through(points: Sequence[tuple[int, float]]) -> "ExtentCurve":
        """`points` are the measured (extent, seconds) by ascending extent, at least one."""
        return ExtentCurve(
            extents=(0, *(extent for extent, _ in points)), seconds=(0.0, *(seconds for _, seconds in points))
        )

    def at(self, extent: int) -> float:
        after = min(bisect_left(self.extents, extent, lo=1), len(self.extents) - 1)
        low, high = self.extents[after - 1], self.extents[after]
        slope = (self.seconds[after] - self.seconds[after - 1]) / (high - low)
        if extent > high:
            slope = max(slope, 0.0)
        return self.seconds[after] + slope * (extent - high)
