"""Scatter, run and gather through a controller whose ports carry one message at a time."""

import numpy as np
from numpy.typing import NDArray

from legion.cost.group_terms import GroupTerms, group_terms, joined
from legion.cost.groups import connected_groups
from legion.cost.model import CostModel
from legion.cost.placement import INFEASIBLE, owned_boxes
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import Shares


def one_port_costs(model: Model, demand: Demand, cost: CostModel, shares: Shares) -> NDArray[np.float64]:
    """`[first, last]`: seconds of each group by `one_port_s`; -1 where there is none."""
    count = len(model.layers)
    connected = connected_groups(model)
    owned = owned_boxes(model, demand, shares)
    costs = np.full((count, count), INFEASIBLE)
    for last in range(count):
        by_device = [group_terms(model, demand, cost, (name,), boxes, last) for name, boxes in owned.items()]
        for steps in zip(*by_device, strict=True):
            first = steps[0][0]
            if connected[first, last]:
                costs[first, last] = one_port_s(joined([terms for _, terms in steps]))
    return costs


def one_port_s(terms: GroupTerms) -> float:
    """Seconds until the last output is there, of devices that are fed in their order.

    A device runs once its inputs are there, and outputs enter the controller's port in the order in which they are
    ready.
    """
    fed_s = np.cumsum(terms.set_filling_s) + terms.set_latency_s
    takes_part = terms.set_filling_s + terms.set_latency_s + terms.run_s > 0
    ready_s = np.where(takes_part, fed_s + terms.run_s, 0.0)
    end_s, port_free_s = float(ready_s.max()), 0.0
    for device in np.argsort(ready_s, kind="stable"):
        if terms.get_filling_s[device] + terms.get_latency_s[device] > 0:
            port_free_s = max(port_free_s, ready_s[device]) + terms.get_filling_s[device]
            end_s = max(end_s, port_free_s + terms.get_latency_s[device])
    return float(end_s)
