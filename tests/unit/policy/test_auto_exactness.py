"""Whatever the devices and their links, the planner's plans answer as the whole model does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.model.zoo import NAMES
from legion.session.stages import Planning
from support.interpreter import Interpreter
from support.networks import prepared, small
from support.profiles import counted_profile, fast_links

pytestmark = pytest.mark.usefixtures("short_search")

TOLERANCE = 1e-5

powers = st.floats(-4.0, 0.0)
"""Of ten: from devices that are worth any message to one that needs no other."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("network", [small, prepared])
@settings(max_examples=4)
@given(speeds=st.lists(powers, min_size=2, max_size=6), links=st.floats(-2.0, 1.0))
def test_every_plan_is_exact(name, network, speeds, links):
    given_network = network(name)
    profile = counted_profile(given_network.model, {f"d{place}": 10**power for place, power in enumerate(speeds)})
    planning = Planning(given_network.model, fast_links(profile, 10**links))
    programs = planning.programs(planning.choose("auto").scheme)
    plan = planning.compile(programs)
    assert given_network.error(Interpreter(given_network.model, plan).run(given_network.feeds)) <= TOLERANCE
