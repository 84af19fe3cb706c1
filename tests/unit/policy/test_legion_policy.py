"""The paper's policy: least cost by T, and a wild card that the devices decide on."""

import pytest

from legion.cost.fit import cost_model
from legion.geometry.demand import Demand
from legion.model.onnx_import.load import load_model
from legion.model.zoo import build
from legion.plan.lower import lower
from legion.policy.base import Request
from legion.policy.legion import LegionPolicy
from legion.search.shortest_path import least_cost_partition
from legion.simulate.simulate import simulate
from unit.profile.profile_building import random_profile

DEVICES = ("fast", "slow", "slower")


@pytest.fixture(scope="module")
def request_without_trial():
    model = load_model(build("vgg16", size=64, width=0.25).SerializeToString())
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, DEVICES, seed=3), DEVICES)
    return Request(model=model, demand=demand, cost=cost)


def with_trial(request, trial):
    return Request(model=request.model, demand=request.demand, cost=request.cost, trial=trial)


def flc_of(scheme):
    return tuple((group.layers[0], group.layers[-1] + 1) for group in scheme.groups)


def test_the_flc_of_least_cost_and_its_best_merge_are_compared(request_without_trial):
    choice = LegionPolicy().choose(request_without_trial)
    report = choice.wild_card
    best = least_cost_partition(choice.matrices.T)
    assert report.least_cost.flc == best.groups
    assert report.least_cost.cost_s == pytest.approx(best.total)
    assert len(report.wild_card.flc) == len(report.least_cost.flc) - 1
    assert report.wild_card.flc[report.merged] not in report.least_cost.flc
    assert report.wild_card.cost_s >= report.least_cost.cost_s
    assert sum(choice.predicted_group_s) in (report.least_cost.cost_s, report.wild_card.cost_s)


def test_without_a_trial_simulation_decides_and_says_so(request_without_trial):
    request = request_without_trial
    choice = LegionPolicy().choose(request)
    report = choice.wild_card
    assert report.decided_by == "predicted"
    assert report.least_cost.measured_s is None
    assert report.wild_card.measured_s is None
    latency = simulate(lower(request.model, request.demand, choice.scheme), request.model, request.cost).latency_s
    assert latency == min(report.least_cost.predicted_s, report.wild_card.predicted_s)


@pytest.mark.parametrize(("wins", "kept"), [(False, "least cost"), (True, "wild card")])
def test_the_devices_decide_where_they_are_asked(request_without_trial, wins, kept):
    tried = []

    def trial(_, scheme):
        tried.append(flc_of(scheme))
        is_wild_card = len(tried) == 2
        return 1.0 if is_wild_card == wins else 2.0

    choice = LegionPolicy().choose(with_trial(request_without_trial, trial))
    report = choice.wild_card
    assert tried == [report.least_cost.flc, report.wild_card.flc]
    assert report.decided_by == "measured"
    assert report.kept == kept
    assert flc_of(choice.scheme) == tried[int(wins)]
    assert {report.least_cost.measured_s, report.wild_card.measured_s} == {1.0, 2.0}


def test_of_equal_measurements_the_least_cost_is_kept(request_without_trial):
    choice = LegionPolicy().choose(with_trial(request_without_trial, lambda *_: 1.0))
    assert choice.wild_card.kept == "least cost"


def test_the_fused_overlap_never_leaves_a_device(request_without_trial):
    choice = LegionPolicy().choose(request_without_trial)
    for owners in choice.scheme.owners.values():
        boxes = [box for owned in owners.values() for box in owned]
        assert all(one.intersection(other) is None for one in boxes for other in boxes if one is not other)
