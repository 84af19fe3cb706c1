"""Border rows first: what others wait for is computed and sent before the rest."""

from collections.abc import Collection, Mapping

from legion.geometry.box import Box, Interval
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.plan.scheme import Scheme
from legion.plan.split_runs import split_runs

_Needs = Mapping[str, list[tuple[str, Box]]]
"""Tensor to the boxes that nodes demand of it."""


def border_first(demand: Demand, scheme: Scheme, groups: Collection[int]) -> Scheme:
    """The scheme with the runs of these groups (by place in the FLC) split where other nodes need only their borders.

    A run that yields one tensor becomes up to three: what lies before the part that nobody else demands, what lies
    behind it, and that part itself. Runs of which others demand all, or nothing, stay as they are.
    """
    needs = _needs(demand, scheme)
    return split_runs(scheme, groups, lambda node, tensor, box: _parts(node, box, needs.get(tensor, [])))


def _needs(demand: Demand, scheme: Scheme) -> _Needs:
    needs: dict[str, list[tuple[str, Box]]] = {}
    for group in scheme.groups:
        for node, runs in group.runs.items():
            for outputs in runs:
                for tensor, box in build_segment(demand, group.layers, outputs).inputs.items():
                    needs.setdefault(tensor, []).append((node, box))
    return needs


def _parts(node: str, box: Box, needs: list[tuple[str, Box]]) -> tuple[Box, ...]:
    """First what is needed elsewhere at both ends of the axis along which it is shared, then the interior."""
    wanted = [piece for reader, need in needs if reader != node and (piece := box.intersection(need)) is not None]
    axis = next(
        (axis for axis in range(len(box.intervals)) if any(_is_part(box, piece, axis) for piece in wanted)), None
    )
    if axis is None:
        return (box,)
    low, high = box.intervals[axis]
    interior: Interval = (low, high)
    for piece in wanted:
        first, end = piece.intervals[axis]
        interior = (max(interior[0], end), interior[1]) if first == low else (interior[0], min(interior[1], first))
    if interior[0] >= interior[1]:
        return (box,)
    ends = ((low, interior[0]), (interior[1], high))
    return tuple(box.replace(axis, part) for part in (*ends, interior) if part[0] < part[1])


def _is_part(box: Box, piece: Box, axis: int) -> bool:
    return piece.intervals[axis] != box.intervals[axis]
