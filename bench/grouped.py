"""Plans that a benchmark lays down itself: groups of layers on devices of equal shares."""

from collections.abc import Sequence

from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import assign
from legion.plan.compile import compile_plan
from legion.plan.executable import ExecutablePlan
from legion.plan.lower import lower


def grouped_plan(
    model: Model, groups: Sequence[Sequence[int]], devices: Sequence[str], *, via_controller: bool
) -> ExecutablePlan:
    """The groups one after the other, what they hand on by way of the controller or directly."""
    demand = Demand(model)
    shares = dict.fromkeys(devices, 1.0)
    scheme = assign(model, demand, groups, shares, via_controller=via_controller, policy="by hand")
    return compile_plan(model, lower(model, demand, scheme), ConstantPool(model))
