"""The frame to expect: what single frames make longer or shorter by luck is not expected."""

from dataclasses import replace
from itertools import pairwise

import pytest

from legion.cost.fit import cost_model
from legion.cost.variation import varied
from legion.geometry.demand import Demand
from legion.plan.assign import assign
from legion.plan.lower import lower
from legion.simulate.simulate import simulate
from legion.simulate.typical import typical_frame
from support.networks import small
from support.profiles import counted_profile


@pytest.mark.parametrize("groups", [1, 2, 3, 5, 8])
def test_one_device_takes_what_its_runs_take_in_the_mean_in_however_many_groups(groups: int) -> None:
    model = small("resnet18").model
    demand, layers = Demand(model), len(model.layers)
    cost = replace(cost_model(model, demand, counted_profile(model, {"a": 0.01}), ("a",)), variation={"a": 0.1})
    bounds = [layers * place // groups for place in range(groups + 1)]
    flc = [range(first, end) for first, end in pairwise(bounds)]
    programs = lower(model, demand, assign(model, demand, flc, {"a": 1.0}, via_controller=False, policy="test"))
    expected_s = simulate(programs, model, cost).latency_s
    frame = typical_frame(programs, model, varied(cost))
    assert frame.latency_s == pytest.approx(expected_s)
    assert max(event.end_s for event in frame.events) == pytest.approx(expected_s, rel=0.01)
