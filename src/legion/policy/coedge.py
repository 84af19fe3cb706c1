"""CoEdge (IEEE/ACM ToN 2020): rows by capability, exact halos straight from peer to peer, nothing computed twice."""

from legion.cost.exchange import exchange_costs_s
from legion.plan.assign import assign
from legion.policy.base import Choice, Request, groups_of, shares_for


class CoedgePolicy:
    """Every layer is a group of its own; each device fetches from its peers what it lacks."""

    name = "coedge"
    learns = False

    def choose(self, request: Request) -> Choice:
        """Shares by performance; nothing else is left to choose."""
        shares = shares_for(request)
        flc = tuple((layer, layer + 1) for layer in range(len(request.model.layers)))
        return Choice(
            scheme=assign(
                request.model, request.demand, groups_of(flc), shares, via_controller=False, policy=self.name
            ),
            shares=shares,
            predicted_group_s=exchange_costs_s(request.model, request.demand, request.cost, shares),
        )
