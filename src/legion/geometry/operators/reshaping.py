"""Views: Reshape, Flatten, Squeeze and Unsqueeze, and Transpose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.rule import Demanded, Rule
from legion.geometry.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A box of the output's axes of a run, and where it comes from.

    `kept` is the span of elements that the widened box holds, `held` the span that the demanded one does.
    """

    widened: tuple[Interval, ...]
    kept: Interval
    held: Interval
    demanded: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Consecutive axes of the input and of the output that hold the same elements in the same order."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    def part(self, intervals: Sequence[Interval]) -> _Part:
        """Widen a box of the output to consecutive elements, and carry it to the input."""
        widened = _consecutive(self.after, _span(self.after, intervals))
        kept = _span(self.after, widened)
        demanded = _consecutive(self.before, kept)
        return _Part(widened=widened, kept=kept, held=_span(self.before, demanded), demanded=demanded)


class Reshape(Rule):
    """The same elements in the same order under another shape.

    Axes are matched into the shortest runs of equal size. In each run a box is widened until its
    elements are consecutive, so a split survives on a run's first axis that is longer than one.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._runs = _runs(site.shape(0), site.output.shape)

    def demand(self, box: Box) -> Demanded:
        demanded = _joined(self._parts(box), lambda part: part.demanded)
        return (demanded, *((None,) * (len(self.site.inputs) - 1)))

    def local(self, box: Box, emitter: Emitter) -> None:
        """By way of one axis per run, where an input holds more of a run than the output needs."""
        parts = self._parts(box)
        held, kept = _joined(parts, lambda part: (part.held,)), _joined(parts, lambda part: (part.kept,))
        widened = _joined(parts, lambda part: part.widened)
        source = emitter.inputs[0]
        if held != kept:
            flat = emitter.emit("Reshape", (source, emitter.constant(np.array(held.shape, np.int64))))
            source = emitter.crop(flat, held, kept)
        shape = emitter.constant(self._written(widened))
        emitter.emit_cropped("Reshape", (source, shape), {}, computed=widened, wanted=box)

    def _parts(self, box: Box) -> list[_Part]:
        remaining = iter(box.intervals)
        return [run.part([next(remaining) for _ in run.after]) for run in self._runs]

    def _written(self, widened: Box) -> np.ndarray:
        """The local shape. The engine works out one axis that is split, so tiles of any extent share a graph."""
        shape = np.array(widened.shape, np.int64)
        split = np.flatnonzero(shape != self.site.output.shape)
        if len(split) == 1:
            shape[split] = -1
        return shape


def _joined(parts: Sequence[_Part], pick: Callable[[_Part], tuple[Interval, ...]]) -> Box:
    return Box(tuple(interval for part in parts for interval in pick(part)))


def _runs(before: Sequence[int], after: Sequence[int]) -> tuple[_Run, ...]:
    """The shortest runs of axes of equal size, from the left; axes of extent 1 left over join the last one."""
    ends: list[tuple[int, int]] = [(0, 0)]
    while ends[-1][0] < len(before) and ends[-1][1] < len(after):
        ends.append(_run_end(before, after, *ends[-1]))
    starts = ends[:-1] or ends
    ends = [*ends[1:-1], (len(before), len(after))]
    return tuple(
        _Run(before=tuple(before[left:left_end]), after=tuple(after[right:right_end]))
        for (left, right), (left_end, right_end) in zip(starts, ends, strict=True)
    )


def _run_end(before: Sequence[int], after: Sequence[int], left: int, right: int) -> tuple[int, int]:
    left_end, right_end = left + 1, right + 1
    while (size := prod(before[left:left_end])) != (wanted := prod(after[right:right_end])):
        if size < wanted:
            left_end += 1
        else:
            right_end += 1
    return left_end, right_end


def _span(shape: Sequence[int], intervals: Sequence[Interval]) -> Interval:
    """From the first element of a box to beyond its last one, counted in C order."""
    first = last = 0
    for extent, (low, high) in zip(shape, intervals, strict=True):
        first, last = first * extent + low, last * extent + high - 1
    return first, last + 1


def _consecutive(shape: Sequence[int], span: Interval) -> tuple[Interval, ...]:
    """The smallest box of consecutive elements that holds a span: single indices, an interval, whole axes."""
    intervals: list[Interval] = []
    low, last = span[0], span[1] - 1
    for axis in range(len(shape)):
        inner = prod(shape[axis + 1 :])
        first_index, last_index = low // inner, last // inner
        intervals.append((first_index, last_index + 1))
        if first_index != last_index:
            return (*intervals, *((0, extent) for extent in shape[axis + 1 :]))
        low, last = low - first_index * inner, last - last_index * inner
    return tuple(intervals)


class Transpose(Rule):
    """The axes in another order."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        rank = len(site.output.shape)
        self._order = site.integers("perm", tuple(reversed(range(rank))))

    def demand(self, box: Box) -> Demanded:
        intervals = [(0, 0)] * len(self._order)
        for interval, axis in zip(box.intervals, self._order, strict=True):
            intervals[axis] = interval
        return (Box(tuple(intervals)),)
