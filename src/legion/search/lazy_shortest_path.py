"""Costs as measured: of all groups, or only of those on which the partition of least cost hangs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from legion.errors import InfeasibleError
from legion.search.shortest_path import Costs, least_cost_partition

Measure = Callable[[int, int], float]
"""The cost of the group first..last, infinite for one that does not fit after all; asked once for each group."""

WORTH = 0.005
"""Partitions that could be better by less than this fraction are not looked for."""

FIRST_OPTIMISM = 0.75
"""Before anything is known of prediction's errors, a group may cost this fraction of what is predicted.

Less than the least that any recorded full search teaches: a tenth of all groups of one network on one set of devices
took 0.81 of what was predicted, or less.
"""

_PESSIMISTS = 0.1
"""The part of the groups measured so far that may lie below the optimism.

With none, a single measurement that erred to the low side would make everything that was not measured look cheap.
"""

_UNMEASURED = -1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """`costs` of the groups that were measured, infinite where one does not fit, negative elsewhere.

    If those that were not measured cost at least `optimism` times what is predicted, no partition is better than the
    best of those measured by more than the fraction `hidden`.
    """

    costs: Costs
    optimism: float
    hidden: float


def measure_all(predicted: Costs, measure: Measure) -> Measured:
    """The cost of every group whose predicted one is not negative, in the order of the matrix."""
    costs = np.full_like(predicted, _UNMEASURED)
    for first, last in np.argwhere(predicted >= 0).tolist():
        costs[first, last] = measure(first, last)
    return Measured(costs=costs, optimism=1.0, hidden=0.0)


def lazy_shortest_path(predicted: Costs, measure: Measure) -> Measured:
    """Measure groups until no partition can be better, by more than `WORTH`, than the best of those measured.

    `predicted` is (layers, layers), in the unit of `measure`, negative where a group is infeasible. Groups that were
    not measured are taken at what is predicted times an optimism learned from those that were. As long as the
    partition that then costs least could win, its longest group that was not measured is the next: it decides most. The
    paper's wild card is the smallest form of this. Raises InfeasibleError where no partition is feasible.
    """
    costs = np.full_like(predicted, _UNMEASURED)
    while True:
        optimism = _optimism(predicted, costs)
        hoped = least_cost_partition(np.select([costs >= 0, predicted >= 0], [costs, predicted * optimism], predicted))
        best = _least_cost(costs)
        if hoped.total >= best * (1 - WORTH):
            return Measured(costs=costs, optimism=optimism, hidden=1 - hoped.total / best if best > 0 else 0.0)
        unmeasured = [(first, end - 1) for first, end in hoped.groups if costs[first, end - 1] < 0]
        longest = max(unmeasured, key=lambda group: predicted[group])
        costs[longest] = measure(*longest)


def _optimism(predicted: Costs, costs: Costs) -> float:
    """A low quantile of what measured groups cost over what was predicted, with `FIRST_OPTIMISM` as one of them.

    So it follows a predictor that is too high as a whole as well as one that scatters, and grows with the number of
    predictions that were right. It is 1 at most: predictions that are lower bounds are left as they are.
    """
    known = (costs >= 0) & np.isfinite(costs) & (predicted > 0)
    ratios = np.append(costs[known] / predicted[known], FIRST_OPTIMISM)
    return min(1.0, float(np.quantile(ratios, _PESSIMISTS)))


def _least_cost(costs: Costs) -> float:
    """Of all partitions into measured groups; infinite where there is none yet."""
    try:
        return least_cost_partition(costs).total
    except InfeasibleError:
        return float("inf")
