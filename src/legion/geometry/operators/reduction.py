"""Reductions: whole along the reduced axes, split along the others."""

from collections.abc import Sequence

from legion.geometry.box import Box, Interval
from legion.geometry.operators.rule import Demanded, Rule, Whole
from legion.geometry.site import Site

REDUCTIONS = (
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
    *("ReduceProd", "ReduceSum", "ReduceSumSquare"),
)
POSITIONS = ("ArgMax", "ArgMin")


class Reduction(Rule):
    """Reduced axes stay with extent 1, or go."""

    def __init__(self, site: Site, axes: Sequence[int]) -> None:
        super().__init__(site)
        self._shape = site.shape(0)
        self._axes = frozenset(axis % len(self._shape) for axis in axes)
        self._kept = bool(site.integer("keepdims", 1))

    def demand(self, box: Box) -> Demanded:
        remaining = list(reversed(box.intervals))
        intervals: list[Interval] = []
        for axis, extent in enumerate(self._shape):
            whole = axis in self._axes
            kept = remaining.pop() if self._kept or not whole else None
            intervals.append((0, extent) if whole or kept is None else kept)
        return (Box(tuple(intervals)), *self.whole_inputs(1))


def reduction_rule(site: Site) -> Rule:
    """Axes as a constant input; without them all axes, or none where `noop_with_empty_axes` is set."""
    given = site.value(1)
    if site.given(1) and given is None:
        return Whole(site)
    axes: list[int] = [] if given is None else given.tolist()
    if not axes and not site.integer("noop_with_empty_axes", 0):
        axes = list(range(len(site.shape(0))))
    return Reduction(site, axes)


def position_rule(site: Site) -> Rule:
    """ArgMax and ArgMin: one axis."""
    return Reduction(site, (site.integer("axis", 0),))
