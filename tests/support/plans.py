"""Executable plans of whole networks for tests of the runtime."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import assign
from legion.plan.border_first import border_first
from legion.plan.compile import compile_plan
from legion.plan.executable import ExecutablePlan
from legion.plan.lower import lower
from legion.plan.verify import verify


def split_plan(
    model: Model,
    shares: Mapping[str, float],
    *,
    via_controller: bool,
    cuts: Iterable[int] | None = None,
    features: bool = False,
    borders_first: bool = False,
) -> ExecutablePlan:
    """A verified plan whose groups begin at `cuts`; without them each layer is a group."""
    demand = Demand(model)
    inner = range(1, len(model.layers)) if cuts is None else cuts
    bounds = sorted({0, len(model.layers), *inner})
    flc = [range(first, end) for first, end in pairwise(bounds)]
    scheme = assign(model, demand, flc, shares, via_controller=via_controller, policy="test", features=features)
    if borders_first:
        scheme = border_first(demand, scheme, range(len(flc)))
    programs = lower(model, demand, scheme)
    verify(model, demand, programs)
    return compile_plan(model, programs, ConstantPool(model))
