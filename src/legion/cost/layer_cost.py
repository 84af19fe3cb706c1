"""What a layer costs on a device, alone and by running as one with others, between and beyond what was measured."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from legion.profile.joined import TILES

_TILE = 1 / TILES
"""Of a layer, what is computed in the tiles that are measured together."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What each byte of a layer's output saves that never leaves its segment, in seconds.

    `tile_s` where no more of the layer is computed than of a measured tile, `whole_s` where all of it is, and linear
    between. Whole layers save more, since their images fit into no cache on their way out of the engine and in again.
    """

    tile_s: float
    whole_s: float

    def at(self, fraction: float) -> float:
        """For a layer of which this fraction is computed."""
        beyond = max(0.0, fraction - _TILE) / (1 - _TILE)
        return self.tile_s + beyond * (self.whole_s - self.tile_s)


NO_SAVING = Saving(tile_s=0.0, whole_s=0.0)
