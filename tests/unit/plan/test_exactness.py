"""Whatever the groups, the shares and the routes: the split answer is the whole model's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.interpreter import Interpreter
from support.networks import Network, small

from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.model.zoo import NAMES
from legion.plan.assign import assign
from legion.plan.compile import compile_plan
from legion.plan.lower import lower
from legion.plan.verify import verify

TOLERANCE = 1e-5


def answer(network: Network, cuts: set[int], fractions: list[float], via_controller: bool) -> dict[str, np.ndarray]:
    model, demand = network.model, Demand(network.model)
    bounds = sorted({0, len(model.layers)} | {cut for cut in cuts if cut < len(model.layers)})
    flc = [range(first, end) for first, end in zip(bounds, bounds[1:], strict=False)]
    shares = {f"device-{index}": fraction for index, fraction in enumerate(fractions)}
    scheme = assign(model, demand, flc, shares, via_controller=via_controller, policy="test")
    programs = lower(model, demand, scheme)
    verify(model, demand, programs)
    return Interpreter(model, compile_plan(model, programs, ConstantPool(model))).run(network.feeds)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(
    cuts=st.sets(st.integers(1, 71), max_size=12),
    fractions=st.lists(st.floats(0.02, 1.0), min_size=1, max_size=5),
    via_controller=st.booleans(),
)
def test_random_schemes_are_exact(name: str, cuts: set[int], fractions: list[float], via_controller: bool) -> None:
    network = small(name)
    assert network.error(answer(network, cuts, fractions, via_controller)) <= TOLERANCE


@pytest.mark.parametrize("via_controller", [True, False])
def test_vgg16_by_rows_is_bitwise_equal(via_controller: bool) -> None:
    network = small("vgg16")
    outputs = answer(network, set(range(1, 21)), [0.5, 0.3, 0.2], via_controller)
    assert np.array_equal(outputs["output"], network.expected["output"])
