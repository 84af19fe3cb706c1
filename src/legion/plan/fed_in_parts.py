"""The first group in parts: a device begins when the first part of its input is there, not the whole."""

from itertools import pairwise

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.splitting import split_axis
from legion.plan.scheme import Scheme
from legion.plan.split_runs import split_runs


def fed_in_parts(demand: Demand, scheme: Scheme, count: int) -> Scheme:
    """The scheme with the runs of the first group in `count` parts of equal extent, or as many as there are rows.

    All devices are fed their first parts before any is fed its second. What parts have in common is computed in each.
    """
    axis = split_axis(demand, scheme.groups[0].layers[-1])
    if axis is None:
        return scheme

    def parts(_node: str, _tensor: str, box: Box) -> tuple[Box, ...]:
        low, high = box.intervals[axis]
        number = min(count, high - low)
        cuts = [low + (high - low) * part // number for part in range(number + 1)]
        return tuple(box.replace(axis, (first, end)) for first, end in pairwise(cuts))

    return split_runs(scheme, (0,), parts)
