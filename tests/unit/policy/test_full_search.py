"""Groups are handed to the devices, all of them or a few, and the best partition of what they measured is taken."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from legion.cost.fit import cost_model
from legion.cost.matrices import build_matrices
from legion.errors import InfeasibleError
from legion.geometry.demand import Demand
from legion.model.part import part_of
from legion.plan.lower import lower
from legion.plan.verify import verify
from legion.policy.base import Request
from legion.policy.full_search import FullSearchPolicy
from legion.search.shortest_path import least_cost_partition
from unit.cost.cost_building import chain_model, residual_model
from unit.profile.profile_building import random_profile

SHARES = {"a": 0.6, "b": 0.4}


class Devices:
    """Stands for devices on which each group takes what `seconds` says, by its first and last layer."""

    def __init__(self, model, seconds):
        self.groups = {}
        self.tried = []
        for first in range(len(model.layers)):
            for end in range(first + 1, len(model.layers) + 1):
                self.groups[part_of(model, first, end).digest] = (first, end)
        self.seconds = seconds

    def __call__(self, part, scheme):
        verify(part, Demand(part), lower(part, Demand(part), scheme))
        group = self.groups[part.digest]
        self.tried.append(group)
        assert scheme.model_digest == part.digest
        assert [runs.layers for runs in scheme.groups] == [tuple(range(group[1] - group[0]))]
        return self.seconds(group)


def searched(model, seconds, lazy=False):
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, tuple(SHARES)), tuple(SHARES))
    devices = Devices(model, seconds)
    request = Request(model=model, demand=demand, cost=cost, shares=SHARES, trial=devices)
    return FullSearchPolicy(lazy=lazy).choose(request), devices


def some_seconds(group):
    """No structure that a search could lean on."""
    return 1 + (group[0] * 7919 + group[1] * 104729) % 101 / 10


@pytest.mark.parametrize("build", [chain_model, residual_model])
def test_equals_brute_force_over_what_was_measured(build):
    model = build()
    choice, devices = searched(model, some_seconds)
    count = len(model.layers)
    partitions = [
        tuple(pairwise((0, *cuts, count)))
        for size in range(count)
        for cuts in combinations(range(1, count), size)
        if all(group in devices.tried for group in pairwise((0, *cuts, count)))
    ]
    best = min(partitions, key=lambda groups: sum(map(some_seconds, groups)))
    found = tuple((group.layers[0], group.layers[-1] + 1) for group in choice.scheme.groups)
    assert sum(map(some_seconds, found)) == pytest.approx(sum(map(some_seconds, best)))
    assert choice.predicted_group_s == tuple(map(some_seconds, found))
    assert choice.shares == SHARES


def test_every_interval_of_a_chain_is_measured_once():
    model = chain_model()
    choice, devices = searched(model, some_seconds)
    count = len(model.layers)
    assert len(devices.tried) == count * (count + 1) // 2 == len(set(devices.tried))
    assert choice.group_search.tried == choice.group_search.groups == len(devices.tried)


@pytest.mark.parametrize("build", [chain_model, residual_model])
def test_a_lazy_search_believes_predictions_that_are_true(build):
    model = build()
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, tuple(SHARES)), tuple(SHARES))
    predicted = build_matrices(model, demand, cost, SHARES, ports="one at a time").T
    choice, devices = searched(model, lambda group: float(predicted[group[0], group[1] - 1]), lazy=True)
    found = tuple((group.layers[0], group.layers[-1] + 1) for group in choice.scheme.groups)
    assert found == least_cost_partition(predicted).groups
    assert set(found) <= set(devices.tried)
    assert choice.scheme.policy == "lazy-search"
    assert choice.predicted_group_s == pytest.approx([predicted[first, end - 1] for first, end in found])
    assert choice.group_search.tried == len(devices.tried)
    assert choice.group_search.groups == np.count_nonzero(predicted >= 0)


@pytest.mark.parametrize("build", [chain_model, residual_model])
def test_a_lazy_search_keeps_the_best_of_what_it_measured(build):
    choice, devices = searched(build(), some_seconds, lazy=True)
    assert len(devices.tried) == len(set(devices.tried)) == choice.group_search.tried
    measured = {tuple(group): choice.matrices.T[tuple(group)] for group in np.argwhere(choice.matrices.T >= 0).tolist()}
    assert measured == {(first, end - 1): some_seconds((first, end)) for first, end in devices.tried}
    assert sum(choice.predicted_group_s) == pytest.approx(least_cost_partition(choice.matrices.T).total)


@pytest.mark.parametrize("lazy", [False, True])
def test_without_a_trial_predictions_decide(lazy):
    model = chain_model()
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, tuple(SHARES)), tuple(SHARES))
    choice = FullSearchPolicy(lazy=lazy).choose(Request(model=model, demand=demand, cost=cost))
    assert choice.group_search is None
    assert sum(choice.predicted_group_s) == pytest.approx(least_cost_partition(choice.matrices.T).total)


@pytest.mark.parametrize("lazy", [False, True])
def test_groups_that_do_not_fit_are_passed_over(lazy):
    def seconds(group):
        if group[1] - group[0] > 2:
            raise InfeasibleError("device a needs 9 MB, has 8 MB")
        return 1.0

    choice, _ = searched(chain_model(), seconds, lazy)
    assert max(len(group.layers) for group in choice.scheme.groups) == 2
    assert (choice.matrices.T[0, 2:] == -1).all()


@pytest.mark.parametrize("lazy", [False, True])
def test_what_fits_nowhere_is_infeasible(lazy):
    def seconds(_):
        raise InfeasibleError("device a needs 9 MB, has 8 MB")

    with pytest.raises(InfeasibleError):
        searched(chain_model(), seconds, lazy)
