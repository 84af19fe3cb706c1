"""Gemm and MatMul: rows, columns and batches split, the inner axis is whole."""

from legion.geometry.box import Box, Interval
from legion.geometry.operators.rule import Demanded, Rule, broadcast_demand
from legion.geometry.site import Site


class Gemm(Rule):
    """alpha * A' @ B' + beta * C, with A' (rows, inner), B' (inner, columns), C broadcast to the output."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._transpose_left = bool(site.integer("transA", 0))
        self._transpose_right = bool(site.integer("transB", 0))
        self._inner: Interval = (0, site.shape(0)[0 if self._transpose_left else 1])

    def demand(self, box: Box) -> Demanded:
        rows, columns = box.intervals
        left = (self._inner, rows) if self._transpose_left else (rows, self._inner)
        right = (columns, self._inner) if self._transpose_right else (self._inner, columns)
        addend = broadcast_demand(box, self.site.shape(2)) if self.site.given(2) else None
        return (Box(left), Box(right), addend)[: len(self.site.inputs)]


class MatMul(Rule):
    """NumPy's matmul: batch axes broadcast; a vector has neither rows (left) nor columns (right)."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._left, self._right = site.shape(0), site.shape(1)
        self._inner: Interval = (0, self._left[-1])

    def demand(self, box: Box) -> Demanded:
        intervals = list(box.intervals)
        columns = [intervals.pop()] if len(self._right) > 1 else []
        rows = [intervals.pop()] if len(self._left) > 1 else []
        batch = Box(tuple(intervals))
        left = (*broadcast_demand(batch, self._left[:-2]).intervals, *rows, self._inner)
        right = (*broadcast_demand(batch, self._right[:-2]).intervals, self._inner, *columns)
        return Box(left), Box(right)
