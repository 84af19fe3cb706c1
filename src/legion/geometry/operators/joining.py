"""Concat: each input's part of the output box, and only the inputs that have one."""

from itertools import accumulate

from legion.geometry.box import Box
from legion.geometry.emitter import Emitter
from legion.geometry.operators.rule import Demanded, Rule
from legion.geometry.site import Site


class Concat(Rule):
    """Inputs side by side along one axis: their boxes are shifted parts of the output's."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._axis = site.integer("axis", 0) % len(site.output.shape)
        extents = [site.shape(index)[self._axis] for index in range(len(site.inputs))]
        ends = list(accumulate(extents))
        self._parts = [(end - extent, end) for end, extent in zip(ends, extents, strict=True)]

    def demand(self, box: Box) -> Demanded:
        low, high = box.intervals[self._axis]
        return tuple(
            box.replace(self._axis, (max(low, start) - start, min(high, end) - start))
            if max(low, start) < min(high, end)
            else None
            for start, end in self._parts
        )

    def local(self, box: Box, emitter: Emitter) -> None:
        del box
        present = [name for name in emitter.inputs if name]
        if len(present) == 1:
            emitter.emit("Identity", present, output=emitter.output)
        else:
            emitter.emit("Concat", present, {"axis": self._axis}, output=emitter.output)
