"""The part of a tensor that is meant: one half-open interval per axis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open interval per axis, in the coordinates of the whole tensor. A scalar's has none."""

    intervals: tuple[Interval, ...]

    @staticmethod
    def whole(shape: Sequence[int]) -> "Box":
        return Box(tuple((0, extent) for extent in shape))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(high - low for low, high in self.intervals)

    @property
    def volume(self) -> int:
        return prod(high - low for low, high in self.intervals)

    @property
    def empty(self) -> bool:
        return any(high <= low for low, high in self.intervals)

    def contains(self, other: "Box") -> bool:
        return all(
            low <= other_low and other_high <= high
            for (low, high), (other_low, other_high) in zip(self.intervals, other.intervals, strict=True)
        )

    def intersection(self, other: "Box") -> "Box | None":
        """The common part, or None where there is none."""
        common = Box(
            tuple(
                (max(low, other_low), min(high, other_high))
                for (low, high), (other_low, other_high) in zip(self.intervals, other.intervals, strict=True)
            )
        )
        return None if common.empty else common

    def hull(self, other: "Box") -> "Box":
        """The smallest box that contains both."""
        return Box(
            tuple(
                (min(low, other_low), max(high, other_high))
                for (low, high), (other_low, other_high) in zip(self.intervals, other.intervals, strict=True)
            )
        )

    def replace(self, axis: int, interval: Interval) -> "Box":
        """The same box with another interval on `axis`."""
        intervals = list(self.intervals)
        intervals[axis] = interval
        return Box(tuple(intervals))

    def relative_to(self, origin: "Box") -> tuple[slice, ...]:
        """Slices that pick this box out of an array that holds `origin`."""
        return tuple(
            slice(low - start, high - start)
            for (low, high), (start, _) in zip(self.intervals, origin.intervals, strict=True)
        )

    def subtract(self, hole: "Box") -> tuple["Box", ...]:
        """What is left without `hole`, as disjoint boxes, cut axis by axis."""
        common = self.intersection(hole)
        if common is None:
            return (self,)
        rest: list[Box] = []
        core = self
        for axis, (low, high) in enumerate(common.intervals):
            core_low, core_high = core.intervals[axis]
            if core_low < low:
                rest.append(core.replace(axis, (core_low, low)))
            if high < core_high:
                rest.append(core.replace(axis, (high, core_high)))
            core = core.replace(axis, (low, high))
        return tuple(rest)


def subtract_all(box: Box, holes: Iterable[Box]) -> tuple[Box, ...]:
    """What is left of `box` without any of `holes`, as disjoint boxes."""
    rest: tuple[Box, ...] = (box,)
    for hole in holes:
        rest = tuple(piece for part in rest for piece in part.subtract(hole))
    return rest


def hull_of(boxes: Iterable[Box]) -> Box:
    """The smallest box that contains all of a non-empty collection."""
    iterator = iter(boxes)
    result = next(iterator)
    for box in iterator:
        result = result.hull(box)
    return result
