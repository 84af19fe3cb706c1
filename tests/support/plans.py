"""Executable plans of whole networks for tests of the runtime."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from hypothesis import strategies as st

from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import assign
from legion.plan.border_first import border_first
from legion.plan.compile import compile_plan
from legion.plan.executable import ExecutablePlan
from legion.plan.fed_in_parts import fed_in_parts
from legion.plan.lower import lower
from legion.plan.verify import verify

SCHEMES = {
    "cuts": st.sets(st.integers(1, 71), max_size=12),
    "fractions": st.lists(st.floats(0.02, 1.0), min_size=1, max_size=5),
    "via_controller": st.booleans(),
    "features": st.booleans(),
    "borders_first": st.booleans(),
    "parts": st.integers(1, 4),
}
"""Strategies for the arguments of `drawn_plan`, whatever the model."""


def drawn_plan(
    model: Model, cuts: Iterable[int], fractions: Iterable[float], *, via_controller: bool, **order: int
) -> ExecutablePlan:
    """A verified plan of groups and shares that were drawn: cuts beyond the model's layers do not count."""
    shares = {f"device-{index}": fraction for index, fraction in enumerate(fractions)}
    inner = [cut for cut in cuts if cut < len(model.layers)]
    return split_plan(model, shares, via_controller=via_controller, cuts=inner, **order)


def split_plan(
    model: Model,
    shares: Mapping[str, float],
    *,
    via_controller: bool,
    cuts: Iterable[int] | None = None,
    features: bool = False,
    borders_first: bool = False,
    parts: int = 1,
) -> ExecutablePlan:
    """A verified plan whose groups begin at `cuts`; without them each layer is a group."""
    demand = Demand(model)
    inner = range(1, len(model.layers)) if cuts is None else cuts
    bounds = sorted({0, len(model.layers), *inner})
    flc = [range(first, end) for first, end in pairwise(bounds)]
    scheme = assign(model, demand, flc, shares, via_controller=via_controller, policy="test", features=features)
    scheme = fed_in_parts(demand, scheme, parts)
    if borders_first:
        scheme = border_first(demand, scheme, range(len(flc)))
    programs = lower(model, demand, scheme)
    verify(model, demand, programs)
    return compile_plan(model, programs, ConstantPool(model))
