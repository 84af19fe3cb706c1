"""Dynamic programming against brute force over all partitions."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from legion.errors import InfeasibleError
from legion.search.shortest_path import least_cost_partition, partition_cost
from legion.search.wild_card import wild_card


def all_partitions(count):
    for cuts in range(count):
        for places in combinations(range(1, count), cuts):
            edges = (0, *places, count)
            yield tuple(pairwise(edges))


def feasible(costs, groups):
    return all(costs[first, end - 1] >= 0 for first, end in groups)


COSTS = st.integers(1, 7).flatmap(
    lambda count: arrays(np.float64, (count, count), elements=st.one_of(st.just(-1.0), st.floats(0, 100)))
)


@given(COSTS)
def test_equals_brute_force(costs):
    totals = [partition_cost(costs, groups) for groups in all_partitions(len(costs)) if feasible(costs, groups)]
    if not totals:
        with pytest.raises(InfeasibleError):
            least_cost_partition(costs)
        return
    found = least_cost_partition(costs)
    assert found.total == pytest.approx(min(totals))
    assert partition_cost(costs, found.groups) == pytest.approx(found.total)
    assert feasible(costs, found.groups)
    assert [layer for first, end in found.groups for layer in range(first, end)] == list(range(len(costs)))


CHEAP_SINGLES = COSTS.map(lambda costs: np.where(np.eye(len(costs)) > 0, np.abs(costs) / 100, costs))
"""So that the best partition has many groups, and the merges between them differ."""


@given(CHEAP_SINGLES)
def test_wild_card_is_the_best_single_merge(costs):
    chosen = least_cost_partition(costs)
    merges = [
        (*chosen.groups[:place], (chosen.groups[place][0], chosen.groups[place + 1][1]), *chosen.groups[place + 2 :])
        for place in range(len(chosen.groups) - 1)
    ]
    totals = [partition_cost(costs, groups) for groups in merges if feasible(costs, groups)]
    card = wild_card(costs, chosen)
    if not totals:
        assert card is None
        return
    assert card is not None
    assert card.partition.groups in merges
    assert card.partition.total == pytest.approx(min(totals))
    assert card.partition.groups[card.merged] not in chosen.groups
    assert set(card.partition.groups) - set(chosen.groups) == {card.partition.groups[card.merged]}


def test_one_group_has_no_wild_card():
    costs = np.array([[1.0, 1.0], [-1.0, 1.0]])
    chosen = least_cost_partition(costs)
    assert chosen.groups == ((0, 2),)
    assert wild_card(costs, chosen) is None


def test_of_equally_good_partitions_the_longest_last_group_is_taken():
    costs = np.array([[1.0, 2.0, 3.0], [-1.0, 1.0, 2.0], [-1.0, -1.0, 1.0]])
    assert least_cost_partition(costs).groups == ((0, 3),)
