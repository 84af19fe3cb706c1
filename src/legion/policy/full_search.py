"""FSS, the paper's baseline: every group is measured on the devices, then the best partition is taken."""

from dataclasses import replace

import numpy as np

from legion.cost.matrices import build_matrices
from legion.cost.placement import INFEASIBLE
from legion.errors import InfeasibleError
from legion.geometry.demand import Demand
from legion.model.part import part_of
from legion.plan.assign import Shares, assign
from legion.policy.base import Choice, Request, Trial, groups_of, shares_for
from legion.search.shortest_path import Costs, least_cost_partition


class FullSearchPolicy:
    """As `legion` every tensor that leaves a group goes by way of the controller, and overlap is recomputed."""

    name = "full-search"
    learns = False

    def choose(self, request: Request) -> Choice:
        """Shares by performance; T is measured, and the partition of least cost is taken.

        Without a trial T is the predicted one. Raises InfeasibleError where too many groups could not be run.
        """
        shares = shares_for(request)
        matrices = build_matrices(request.model, request.demand, request.cost, shares)
        if request.trial is not None:
            matrices = replace(matrices, T=_measured(request, shares, matrices.T, request.trial))
        flc = least_cost_partition(matrices.T).groups
        return Choice(
            scheme=assign(request.model, request.demand, groups_of(flc), shares, via_controller=True, policy=self.name),
            shares=shares,
            predicted_group_s=tuple(float(matrices.T[first, end - 1]) for first, end in flc),
            matrices=matrices,
        )


def _measured(request: Request, shares: Shares, predicted: Costs, trial: Trial) -> Costs:
    """The seconds of every feasible group, each run alone: its inputs scattered, its outputs gathered."""
    measured = np.full_like(predicted, INFEASIBLE)
    for first, last in np.argwhere(predicted >= 0).tolist():
        seconds = _group_s(request, shares, (first, last + 1), trial)
        if seconds is not None:
            measured[first, last] = seconds
    return measured


def _group_s(request: Request, shares: Shares, group: tuple[int, int], trial: Trial) -> float | None:
    """None for a group that does not fit into the devices, or reads what has no shape before the model runs."""
    part = part_of(request.model, *group)
    if any(port.type.dynamic for port in part.inputs):
        return None
    layers = range(len(part.layers))
    scheme = assign(part, Demand(part), [layers], shares, via_controller=True, policy=FullSearchPolicy.name)
    try:
        return trial(part, scheme)
    except InfeasibleError:
        return None
