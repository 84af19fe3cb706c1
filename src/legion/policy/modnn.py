"""MoDNN (DATE 2017): rows by capability, every layer gathered and scattered by the controller."""

from legion.cost.matrices import build_matrices
from legion.plan.assign import assign
from legion.policy.base import Choice, Request, groups_of, shares_for


class ModnnPolicy:
    """Every layer is a group of its own; nothing is computed twice."""

    name = "modnn"
    learns = False

    def choose(self, request: Request) -> Choice:
        """Shares by performance; nothing else is left to choose."""
        shares = shares_for(request)
        matrices = build_matrices(request.model, request.demand, request.cost, shares)
        flc = tuple((layer, layer + 1) for layer in range(len(request.model.layers)))
        return Choice(
            scheme=assign(request.model, request.demand, groups_of(flc), shares, via_controller=True, policy=self.name),
            shares=shares,
            predicted_group_s=tuple(map(float, matrices.T.diagonal())),
            matrices=matrices,
        )
