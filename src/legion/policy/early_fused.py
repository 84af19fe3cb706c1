"""DeepThings (TCAD 2018): the first layers as one fused group split by rows, the rest on one device."""

import numpy as np

from legion.cost.matrices import build_matrices
from legion.cost.shares import whole_model_s
from legion.errors import InfeasibleError
from legion.plan.assign import assign, shares_by_layer
from legion.policy.base import Choice, Request, groups_of, shares_for


class EarlyFusedPolicy:
    """The fastest of the devices that have a share runs what comes after the fused layers."""

    name = "early-fused"
    learns = False

    def choose(self, request: Request) -> Choice:
        """The depth of least cost by T: that of the fused layers on all devices, and of the rest on one.

        Raises InfeasibleError where no depth leaves connected layers before and behind it.
        """
        shares = shares_for(request)
        working = [device for device, share in shares.items() if share > 0]
        alone = {min(working, key=lambda device: whole_model_s(request.cost, device)): 1.0}
        fused_s = build_matrices(request.model, request.demand, request.cost, shares).T[0]
        rest_s = np.append(build_matrices(request.model, request.demand, request.cost, alone).T[1:, -1], 0.0)
        totals_s = np.where((fused_s >= 0) & (rest_s >= 0), fused_s + rest_s, np.inf)
        depth = int(np.argmin(totals_s)) + 1
        if not np.isfinite(totals_s[depth - 1]):
            raise InfeasibleError(f"{request.model.name} does not fall into two connected parts at any depth.")
        layers = len(request.model.layers)
        flc = ((0, depth), (depth, layers)) if depth < layers else ((0, layers),)
        group_shares = (shares, alone)[: len(flc)]
        return Choice(
            scheme=assign(
                request.model,
                request.demand,
                groups_of(flc),
                shares_by_layer(groups_of(flc), group_shares),
                via_controller=True,
                policy=self.name,
            ),
            shares=shares,
            group_shares=group_shares,
            predicted_group_s=tuple(float(s) for s in (fused_s[depth - 1], rest_s[depth - 1])[: len(flc)]),
        )
