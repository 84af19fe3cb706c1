"""The partition of the layers into consecutive groups with the least total cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from legion.errors import InfeasibleError

Costs = NDArray[np.floating[Any]]
"""A square matrix: `[first, last]` is the cost of the group first..last, negative where it is infeasible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Consecutive groups as half-open ranges of layers, in order, and the sum of their costs."""

    groups: tuple[tuple[int, int], ...]
    total: float


def least_cost_partition(costs: Costs) -> Partition:
    """The partition of least total cost, by dynamic programming over the last group of each prefix.

    `costs` is (layers, layers), in any unit. Of equally good partitions, the one whose last group is the longest is
    taken. Raises InfeasibleError where no partition is feasible.
    """
    count = len(costs)
    priced = np.where(costs >= 0, costs, np.inf)
    best = np.zeros(count + 1)
    first_of_last = np.zeros(count, dtype=np.int64)
    for last in range(count):
        totals = best[: last + 1] + priced[: last + 1, last]
        first_of_last[last] = np.argmin(totals)
        best[last + 1] = totals[first_of_last[last]]
    if not np.isfinite(best[count]):
        raise InfeasibleError(f"No partition of the {count} layers into feasible groups exists.")
    groups: list[tuple[int, int]] = []
    end = count
    while end > 0:
        first = int(first_of_last[end - 1])
        groups.append((first, end))
        end = first
    return Partition(groups=tuple(reversed(groups)), total=float(best[count]))


def partition_cost(costs: Costs, groups: tuple[tuple[int, int], ...]) -> float:
    """The sum of the groups' costs; every group must be feasible."""
    return float(sum(costs[first, end - 1] for first, end in groups))
