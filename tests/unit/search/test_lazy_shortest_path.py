"""The lazy search against the exhaustive one: what it finds, what it measures for it, and what it promises."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from legion.errors import InfeasibleError
from legion.search.lazy_shortest_path import FIRST_OPTIMISM, WORTH, lazy_shortest_path, measure_all
from legion.search.shortest_path import least_cost_partition

ROUNDING = 1e-9


def tables(ratios):
    """Predicted and true costs, with `ratios` of the true ones over those predicted; some groups are infeasible."""
    costs = st.one_of(st.just(-1.0), st.floats(0.01, 100))
    return st.integers(1, 7).flatmap(
        lambda count: st.tuples(
            arrays(np.float64, (count, count), elements=costs).map(with_single_layers),
            arrays(np.float64, (count, count), elements=ratios),
        ).map(lambda pair: (pair[0], np.where(pair[0] >= 0, pair[0] * pair[1], -1.0)))
    )


def with_single_layers(costs):
    """So that there is always a partition; a group begins no later than it ends."""
    return np.triu(np.where(np.eye(len(costs)) > 0, np.abs(costs), costs)) - np.tri(len(costs), k=-1)


class Devices:
    """Tells true costs, and keeps in mind who asked."""

    def __init__(self, true):
        self.true = true
        self.asked = []

    def __call__(self, first, last):
        assert first <= last
        assert self.true[first, last] >= 0
        assert (first, last) not in self.asked
        self.asked.append((first, last))
        return float(self.true[first, last])


def searched(predicted, true):
    devices = Devices(true)
    found = lazy_shortest_path(predicted, devices)
    assert sorted(devices.asked) == [tuple(group) for group in np.argwhere(found.costs >= 0)]
    assert all(found.costs[group] == true[group] for group in devices.asked)
    return found, least_cost_partition(found.costs)


@given(tables(st.just(1.0)))
def test_true_predictions_need_only_groups_that_could_be_part_of_the_optimum(pair):
    predicted, true = pair
    found, partition = searched(predicted, true)
    best = least_cost_partition(true)
    assert best.total >= partition.total * (1 - WORTH - ROUNDING)
    for first, last in np.argwhere(found.costs >= 0).tolist():
        with_it = least_cost(true[:first, :first]) + true[first, last] + least_cost(true[last + 1 :, last + 1 :])
        assert with_it <= best.total / FIRST_OPTIMISM + ROUNDING


def least_cost(costs):
    return least_cost_partition(costs).total if len(costs) else 0.0


@given(tables(st.floats(1.0, 5.0)))
def test_predictions_that_are_lower_bounds_lead_to_the_optimum(pair):
    predicted, true = pair
    _, partition = searched(predicted, true)
    assert least_cost_partition(true).total >= partition.total * (1 - WORTH - ROUNDING)


@given(tables(st.floats(0.2, 5.0)))
def test_the_certificate_holds(pair):
    predicted, true = pair
    found, partition = searched(predicted, true)
    assert 0 <= found.hidden <= WORTH + ROUNDING
    as_assumed = np.where(found.costs >= 0, true, np.maximum(true, predicted * found.optimism))
    assert least_cost_partition(as_assumed).total >= partition.total * (1 - found.hidden - ROUNDING)


@given(tables(st.one_of(st.just(inf), st.floats(0.5, 2.0))))
def test_what_does_not_fit_after_all_is_passed_over(pair):
    predicted, true = pair
    try:
        best = least_cost_partition(np.where(np.isfinite(true), true, -1.0))
    except InfeasibleError:
        with pytest.raises(InfeasibleError):
            lazy_shortest_path(predicted, Devices(true))
        return
    _, partition = searched(predicted, true)
    assert best.total <= partition.total < inf


def test_what_does_not_fit_says_nothing_of_the_other_predictions():
    found, _ = searched(np.array([[1.0, 1.5], [-1.0, 1.0]]), np.array([[0.5, inf], [-1.0, 0.6]]))
    assert found.optimism == pytest.approx(np.quantile([0.5, 0.6, FIRST_OPTIMISM], 0.1))


def test_predictions_that_are_too_high_as_a_whole_are_known_to_be():
    predicted = np.array([[1.0, 2.05], [-1.0, 1.0]])
    found, partition = searched(predicted, np.array([[0.5, 0.9], [-1.0, 0.6]]))
    assert partition.groups == ((0, 2),)
    assert 0.9 / 2.05 < found.optimism < 0.5


def test_predictions_that_are_too_low_for_some_groups_are_not_raised_for_all():
    count = 12
    predicted = np.where(np.eye(count) > 0, 1.0, -1.0)
    predicted[0, -1] = 20.0
    _, partition = searched(predicted, np.where(np.eye(count) > 0, 2.0, predicted))
    assert partition.groups == ((0, count),)


def test_the_longest_group_is_measured_first():
    predicted = np.diag([1.0, 3.0, 2.0]) - np.tri(3, k=-1) - np.tri(3, k=-1).T
    devices = Devices(predicted)
    lazy_shortest_path(predicted, devices)
    assert devices.asked == [(1, 1), (2, 2), (0, 0)]


def test_what_could_be_better_by_a_trifle_is_not_measured():
    learned, hoped = np.quantile([1.005, 1.005, FIRST_OPTIMISM], 0.1), 2.005
    predicted = np.array([[1.0, hoped / learned], [-1.0, 1.0]])
    found, _ = searched(predicted, np.array([[1.005, 2.0], [-1.0, 1.005]]))
    assert found.costs[0, 1] < 0
    assert found.hidden == pytest.approx(1 - hoped / 2.01)
    found, _ = searched(predicted, np.array([[1.005, 2.0], [-1.0, 1.02]]))
    assert found.costs[0, 1] == 2.0
    assert found.hidden == 0


def test_one_lucky_measurement_among_many_does_not_make_everything_look_cheap():
    count = 20
    predicted = np.where(np.eye(count) > 0, 1.0, np.where(np.tri(count) > 0, -1.0, 100.0))
    true = predicted.copy()
    true[0, 0] = 0.1
    found, partition = searched(predicted, true)
    assert len(partition.groups) == count
    assert found.optimism > 0.9


@given(tables(st.floats(0.2, 5.0)))
def test_the_full_search_measures_everything_once(pair):
    predicted, true = pair
    devices = Devices(true)
    assert np.array_equal(measure_all(predicted, devices).costs, true)
    assert len(devices.asked) == np.count_nonzero(predicted >= 0)
