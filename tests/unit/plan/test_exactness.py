"""Whatever the groups, the shares and the routes: the split answer is the whole model's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.model.zoo import NAMES
from support.interpreter import Interpreter
from support.networks import Network, small
from support.plans import split_plan

TOLERANCE = 1e-5


def answer(
    network: Network, cuts: set[int], fractions: list[float], via_controller: bool, **order: bool
) -> dict[str, np.ndarray]:
    model = network.model
    shares = {f"device-{index}": fraction for index, fraction in enumerate(fractions)}
    inner = [cut for cut in cuts if cut < len(model.layers)]
    plan = split_plan(model, shares, via_controller=via_controller, cuts=inner, **order)
    return Interpreter(model, plan).run(network.feeds)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(
    cuts=st.sets(st.integers(1, 71), max_size=12),
    fractions=st.lists(st.floats(0.02, 1.0), min_size=1, max_size=5),
    via_controller=st.booleans(),
    features=st.booleans(),
    borders_first=st.booleans(),
)
def test_random_schemes_are_exact(  # noqa: PLR0913 - all that schemes may vary in
    name: str, cuts: set[int], fractions: list[float], via_controller: bool, features: bool, borders_first: bool
) -> None:
    network = small(name)
    given = answer(network, cuts, fractions, via_controller, features=features, borders_first=borders_first)
    assert network.error(given) <= TOLERANCE


@pytest.mark.parametrize("via_controller", [True, False])
def test_vgg16_by_rows_is_bitwise_equal(via_controller: bool) -> None:
    network = small("vgg16")
    outputs = answer(network, set(range(1, 21)), [0.5, 0.3, 0.2], via_controller)
    assert np.array_equal(outputs["output"], network.expected["output"])
