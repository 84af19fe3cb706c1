"""What may be done to a plan: it stays whole, and its layers are a survivor's, or were changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.cost.tables import Tables
from legion.search.moves import descend
from legion.search.native import NativeTables
from legion.search.row_plans import RowPlans, joined, room
from legion.search.seeds import alone, seeds, shared
from unit.search.problems import NETWORKS, changed, descended, drawn_tables, problem

COUNT = 64


def assert_whole(tables: Tables, plans: RowPlans) -> None:
    """What C relies on when it prices them, and what they mean."""
    assert plans.starts[:, 0].all()
    assert (plans.cuts[:, :, 0] == 0).all()
    assert (plans.cuts[:, :, -1] == tables.extents[: tables.layers]).all()
    assert (np.diff(plans.cuts, axis=2) >= 0).all()
    assert (plans.parts >= 1).all()
    assert not (plans.borders & tables.is_fed).any()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    extents=st.lists(st.integers(1, 6), min_size=2, max_size=6),
    devices=st.integers(1, 4),
    times=st.integers(0, 20),
)
def test_seeds_and_what_descends_from_them_are_whole(seed: int, extents: list[int], devices: int, times: int) -> None:
    tables = drawn_tables(np.random.default_rng(seed), np.array(extents), devices)
    starts, random = seeds(tables), np.random.PCG64(seed)
    assert_whole(tables, starts)
    plans = room(starts, COUNT)
    descend(NativeTables(tables), starts, plans, random)
    assert_whole(tables, plans)
    assert_whole(tables, descended(tables, plans[[0]], times, random))


@settings(max_examples=60)
@given(name=st.sampled_from(NETWORKS), seed=st.integers(0, 10_000), keep_shares=st.booleans())
def test_descendants_are_whole_and_keep_shares_where_asked(name: str, seed: int, keep_shares: bool) -> None:
    tables = problem(name)[3]
    survivors = joined([changed(tables, seed + place, 12) for place in range(4)])
    if keep_shares:
        survivors.cuts[:] = survivors.cuts[0]
    plans = room(survivors, COUNT)
    descend(NativeTables(tables), survivors, plans, np.random.PCG64(seed), keep_shares=keep_shares)
    assert_whole(tables, plans)
    assert not keep_shares or (plans.cuts == survivors.cuts[0]).all()
    assert len(np.unique(plans.starts, axis=0)) > 8


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_inside_a_group_are_shared_out_as_its_last(name: str) -> None:
    """Of all descendants of one plan but those that are as it is."""
    tables = problem(name)[3]
    parent = shared(tables, tables.speeds)[[0]]
    plans = room(parent, 4 * COUNT)
    descend(NativeTables(tables), parent, plans, np.random.PCG64(0))
    moved = np.any(plans.cuts != parent.cuts, axis=(1, 2)) | np.any(plans.starts != parent.starts, axis=1)
    extents = tables.extents[: tables.layers]
    for plan in (plans[[place]] for place in np.flatnonzero(moved)):
        last = np.arange(tables.layers) + [np.argmax(plan.ends[0, layer:]) for layer in range(tables.layers)]
        in_proportion = plan.cuts[0, last] * (extents / extents[last])[:, None]
        assert (plan.cuts[0] == np.floor(in_proportion + 0.5)).all()


def test_a_layer_of_a_descendant_is_a_survivors_or_changed() -> None:
    """Of two survivors that differ everywhere; as often as not, most layers are those of one of them."""
    tables = problem("vgg16")[3]
    survivors = joined([shared(tables, tables.speeds)[[0]], alone(tables, 1)])
    plans = room(survivors, 400)
    descend(NativeTables(tables), survivors, plans, np.random.PCG64(0))
    split = survivors.cuts[0] != survivors.cuts[1]
    of_first, of_second = (
        np.any((plans.cuts == survivors.cuts[place]) & split, axis=2) & (plans.starts == survivors.starts[place])
        for place in (0, 1)
    )
    mixed = of_first[:, 1:].any(axis=1) & of_second[:, 1:].any(axis=1)
    assert 0.1 < mixed.mean() < 0.9
    assert (of_first | of_second).mean() > 0.3
