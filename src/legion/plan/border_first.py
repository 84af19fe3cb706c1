"""Border rows first: what others wait for is computed and sent before the rest."""

from collections.abc import Collection, Iterable, Mapping

from legion.geometry.box import Box, Interval
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.geometry.splitting import split_axis
from legion.plan.scheme import Scheme
from legion.plan.split_runs import split_runs

_Needs = Mapping[str, list[tuple[str, Box]]]
"""Tensor to the boxes that nodes demand of it."""


def border_first(demand: Demand, scheme: Scheme, groups: Collection[int]) -> Scheme:
    """The scheme with the runs of these groups (by place in the FLC) split where other nodes need only their borders.

    Borders lie on the axis along which the group's last layer is split. A run that yields one tensor becomes up to
    three: what lies before the part that nobody else demands, what lies behind it, and that part itself. Runs of which
    others demand all, or nothing, stay as they are.
    """
    needs = _needs(demand, scheme)
    lasts = [scheme.groups[place].layers[-1] for place in groups]
    axes = {tensor: split_axis(demand, layer) for layer in lasts for tensor in demand.model.layers[layer].outputs}

    def parts(node: str, tensor: str, box: Box) -> tuple[Box, ...]:
        axis = axes[tensor]
        wanted = [need for reader, need in needs.get(tensor, []) if reader != node]
        return (box,) if axis is None else _parts(box, axis, wanted)

    return split_runs(scheme, groups, parts)


def _needs(demand: Demand, scheme: Scheme) -> _Needs:
    needs: dict[str, list[tuple[str, Box]]] = {}
    for group in scheme.groups:
        for node, runs in group.runs.items():
            for outputs in runs:
                for tensor, box in build_segment(demand, group.layers, outputs).inputs.items():
                    needs.setdefault(tensor, []).append((node, box))
    return needs


def _parts(box: Box, axis: int, needs: Iterable[Box]) -> tuple[Box, ...]:
    """First what is needed elsewhere at both ends of the axis, then the interior."""
    low, high = box.intervals[axis]
    interior: Interval = (low, high)
    for need in needs:
        piece = box.intersection(need)
        if piece is None:
            continue
        first, end = piece.intervals[axis]
        interior = (max(interior[0], end), interior[1]) if first == low else (interior[0], min(interior[1], first))
    if interior[0] >= interior[1]:
        return (box,)
    ends = ((low, interior[0]), (interior[1], high))
    return tuple(box.replace(axis, part) for part in (*ends, interior) if part[0] < part[1])
