"""What the search finds: never worse than its starts, near the best of all plans where these can be counted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.cost.tables import Tables
from legion.errors import InternalError
from legion.search import refine
from legion.search.evaluate import latencies_s
from legion.search.native import NativeTables
from legion.search.refine import Priced, best_by_kind, refined
from legion.search.row_plans import RowPlans
from legion.search.seeds import seeds, shared
from unit.search.problems import random_tables


def all_plans(tables: Tables) -> Iterator[RowPlans]:
    """Every way to begin groups, to share layers out and to send borders first, in batches."""
    layers = tables.layers
    cuts = np.array(list(product(*(range(extent + 1) for extent in tables.extents[:layers]))))
    ends = np.broadcast_to(tables.extents[:layers], cuts.shape)
    cuts = np.stack([np.zeros_like(cuts), cuts, ends], axis=2)
    for later in product((False, True), repeat=layers - 1):
        starts = np.array([True, *later])
        for parts, *borders in product(range(1, int(tables.extents.max()) + 1), *[(False, True)] * layers):
            count = len(cuts)
            yield RowPlans(
                starts=np.tile(starts, (count, 1)),
                cuts=cuts,
                borders=np.tile(borders, (count, 1)),
                parts=np.full(count, parts),
            )


def test_it_comes_near_the_best_of_all_plans() -> None:
    losses: list[float] = []
    for seed in range(12):
        tables = random_tables(seed)
        best_s = min(float(latencies_s(NativeTables(tables), plans).min()) for plans in all_plans(tables))
        found_s = float(refined(tables, seeds(tables), 4000, seed).latency_s[0])
        assert found_s >= best_s * (1 - 1e-9)
        losses.append(found_s / best_s - 1)
    assert max(losses) <= 0.02
    assert np.mean(losses) <= 0.005


@pytest.mark.parametrize("seed", range(4))
def test_refining_never_loses(seed: int) -> None:
    tables = random_tables(seed)
    starts = seeds(tables)
    found = refined(tables, starts, 600, seed)
    assert found.latency_s[0] <= latencies_s(NativeTables(tables), starts).min()
    assert found.latency_s == pytest.approx(latencies_s(NativeTables(tables), found.plans), rel=1e-12)


@given(latencies=st.lists(st.integers(0, 9), min_size=24, max_size=24), survivors=st.integers(1, 5))
def test_each_population_keeps_its_best(latencies: list[int], survivors: int) -> None:
    """Three populations, 3 plans of each in one batch and 5 in another; plans are told apart by their parts."""
    found = numbered(latencies)
    kept = refine.best([found[np.arange(9)], found[np.arange(9, 24)]], 3, survivors)
    for population, (places, kept_s) in enumerate(
        zip(kept.plans.parts.reshape(3, -1), kept.latency_s.reshape(3, -1), strict=True)
    ):
        own = [*range(3 * population, 3 * population + 3), *range(9 + 5 * population, 14 + 5 * population)]
        assert set(places.tolist()) <= set(own)
        assert [latencies[place] for place in places] == kept_s.tolist()
        distinct = sorted({latencies[place] for place in own})
        assert kept_s.tolist()[: len(distinct)] == distinct[:survivors]


@given(order=st.permutations(range(24)))
def test_a_stage_begins_with_as_many_of_each_population(order: list[int]) -> None:
    """Six populations of four become two, so that each of these has the two best of three of them."""
    before = refine.Stage(populations=6, batches=1, survivors=4, fraction=0.5)
    after = refine.Stage(populations=2, batches=1, survivors=6, fraction=0.5)
    handed_on = refine.handed_on(numbered(order), before, after)
    of_each = [sorted(order[first : first + 4])[:2] for first in range(0, 24, 4)]
    expected = [sorted(chain(*of_each[first : first + 3])) for first in (0, 3)]
    assert handed_on.latency_s.reshape(2, -1).tolist() == expected
    assert [order[place] for place in handed_on.plans.parts] == handed_on.latency_s.tolist()


def numbered(latencies: Sequence[int]) -> Priced:
    count = len(latencies)
    starts = np.ones((count, 1), dtype=np.bool_)
    plans = RowPlans(starts=starts, cuts=np.zeros((count, 1, 2), np.int64), borders=~starts, parts=np.arange(count))
    return Priced(plans=plans, latency_s=np.array(latencies, dtype=np.float64))


def test_plans_of_another_network_or_kind_are_refused() -> None:
    tables = random_tables(0)
    narrow = replace(seeds(tables), cuts=seeds(tables).cuts.astype(np.int32))
    for plans in (numbered([1]).plans, narrow):
        with pytest.raises(InternalError, match="plans hold"):
            latencies_s(NativeTables(tables), plans)


def test_the_number_of_processors_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    tables, found = random_tables(1), list[Priced]()
    for processors in (1, 4):
        monkeypatch.setattr(refine.os, "cpu_count", lambda processors=processors: processors)
        found.append(refined(tables, seeds(tables), 4000, seed=0))
    one, four = (each.plans for each in found)
    assert (one.cuts == four.cuts).all()
    assert (one.starts == four.starts).all()
    assert (one.borders == four.borders).all()
    assert (one.parts == four.parts).all()


def test_shares_that_are_kept_stay() -> None:
    tables = random_tables(0)
    starts = shared(tables, np.array([0.3, 0.7]))
    found = refined(tables, starts, 600, seed=0, keep_shares=True).plans
    assert (found.cuts == starts.cuts[0]).all()


def test_of_each_kind_the_best() -> None:
    tables = random_tables(1)
    plans = seeds(tables)
    found = Priced(plans=plans, latency_s=latencies_s(NativeTables(tables), plans))
    kinds = best_by_kind(found)
    groups = kinds.plans.starts.sum(axis=1)
    devices = (np.diff(kinds.plans.cuts, axis=2) > 0).any(axis=1).sum(axis=1)
    assert len(set(zip(groups.tolist(), devices.tolist(), strict=True))) == len(groups)
    assert (np.diff(kinds.latency_s) >= 0).all()
    assert kinds.latency_s[0] == found.latency_s.min()
