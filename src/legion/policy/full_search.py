"""Groups are measured on the devices, then the best partition is taken: all of them in FSS, the paper's baseline."""

from dataclasses import replace
from functools import partial
from math import inf

import numpy as np

from legion.cost.matrices import PortModel, build_matrices
from legion.cost.placement import INFEASIBLE
from legion.geometry.demand import Demand
from legion.model.part import part_of
from legion.plan.assign import Shares, assign
from legion.policy.base import Choice, GroupSearchReport, Request, Trial, groups_of, shares_for, tried_s
from legion.search.lazy_shortest_path import Measured, lazy_shortest_path, measure_all
from legion.search.shortest_path import Costs, least_cost_partition


class FullSearchPolicy:
    """As `legion` every tensor that leaves a group goes by way of the controller, and overlap is recomputed.

    `full-search` measures every group; `lazy-search` only those on which the decision hangs, by T with ports that carry
    one message at a time.
    """

    learns = False

    def __init__(self, *, lazy: bool = False) -> None:
        self.name = "lazy-search" if lazy else "full-search"
        self._search = lazy_shortest_path if lazy else measure_all
        self._ports: PortModel = "one at a time" if lazy else "parallel"

    def choose(self, request: Request) -> Choice:
        """Shares by performance; T is measured, without groups that are not tried, and its best partition is taken.

        Without a trial T is the predicted one. Raises InfeasibleError where too many groups could not be run.
        """
        shares = shares_for(request)
        matrices = build_matrices(request.model, request.demand, request.cost, shares, ports=self._ports)
        report = None
        if request.trial is not None:
            found = self._search(matrices.T, partial(_group_s, request, shares, request.trial))
            report = _report(matrices.T, found)
            matrices = replace(matrices, T=np.where(np.isfinite(found.costs), found.costs, INFEASIBLE))
        flc = least_cost_partition(matrices.T).groups
        return Choice(
            scheme=assign(request.model, request.demand, groups_of(flc), shares, via_controller=True, policy=self.name),
            shares=shares,
            predicted_group_s=tuple(float(matrices.T[first, end - 1]) for first, end in flc),
            matrices=matrices,
            group_search=report,
        )


def _report(predicted: Costs, found: Measured) -> GroupSearchReport:
    refused = int(np.count_nonzero(np.isposinf(found.costs)))
    return GroupSearchReport(
        tried=int(np.count_nonzero(found.costs >= 0)) - refused,
        groups=int(np.count_nonzero(predicted >= 0)) - refused,
        optimism=found.optimism,
        hidden=found.hidden,
    )


def _group_s(request: Request, shares: Shares, trial: Trial, first: int, last: int) -> float:
    """The seconds of the group first..last, run alone: its inputs scattered, its outputs gathered.

    Infinite for one that does not fit into the devices, or reads what has no shape before the model runs.
    """
    part = part_of(request.model, first, last + 1)
    if any(port.type.dynamic for port in part.inputs):
        return inf
    scheme = assign(part, Demand(part), [range(len(part.layers))], shares, via_controller=True, policy="group")
    return tried_s(trial, part, scheme)
