"""Gather: whole slices of the data, picked by index along one axis."""

import numpy as np

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.rule import Demanded, Rule
from legion.geometry.site import Site


class Gather(Rule):
    """Output axes: those of the data before `axis`, those of the indices, those of the data after it.

    With constant indices the data is demanded from the lowest to the highest of them, else whole along the axis.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._axis = site.integer("axis", 0) % len(site.shape(0))
        self._extent = site.shape(0)[self._axis]
        indices = site.value(1)
        self._indices = None if indices is None else np.where(indices < 0, indices + self._extent, indices)
        self._end = self._axis + len(site.shape(1))

    def demand(self, box: Box) -> Demanded:
        intervals = box.intervals
        picked = Box(intervals[self._axis : self._end])
        along: Interval = (0, self._extent)
        if self._indices is not None:
            used = self._used(picked)
            along = (int(used.min()), int(used.max()) + 1)
        data = Box((*intervals[: self._axis], along, *intervals[self._end :]))
        return data, picked if self._indices is None else None

    def local(self, box: Box, emitter: Emitter) -> None:
        if self._indices is None:
            emitter.verbatim()
            return
        used = self._used(Box(box.intervals[self._axis : self._end]))
        indices = emitter.constant(np.asarray(used - used.min(), np.int64))
        emitter.emit("Gather", (emitter.inputs[0], indices), {"axis": self._axis}, output=emitter.output)

    def _used(self, picked: Box) -> np.ndarray:
        assert self._indices is not None  # noqa: S101 - asked for constant indices alone
        return self._indices[tuple(slice(low, high) for low, high in picked.intervals)]
