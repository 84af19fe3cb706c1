"""What the search finds: never worse than its starts, near the best of all plans where these can be counted."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from legion.cost.tables import Array, Edge, Tables
from legion.search import refine
from legion.search.evaluate import latencies_s
from legion.search.refine import best_by_kind, priced, refined
from legion.search.row_plans import RowPlans
from legion.search.seeds import seeds, shared

DEVICES = ("a", "b")
NODES = len(DEVICES) + 1


def random_tables(seed: int) -> Tables:
    """Three or four layers in a row, with a short cut past one of them as often as not; all costs are drawn."""
    random = np.random.default_rng(seed)
    layers = int(random.integers(3, 5))
    extents = np.append(random.integers(2, 6 if layers == 3 else 5, size=layers), 5)
    seconds = tuple(drawn_seconds(random, int(extent)) for extent in extents[:layers])
    sources = [layers, *range(layers - 1)]
    edges = [(edge(random, int(extents[source]), int(extents[layer]), source),) for layer, source in enumerate(sources)]
    if random.integers(2):
        edges[-1] += (edge(random, int(extents[layers - 3]), int(extents[layers - 1]), layers - 3),)
    return Tables(
        devices=DEVICES,
        extents=extents,
        bytes_per_unit=random.uniform(0.5, 2.0, layers + 1),
        seconds=seconds,
        saved_s=tuple(0.1 * each for each in seconds),
        breadths=np.ones(layers),
        edges=tuple(edges),
        is_output=np.arange(layers) == layers - 1,
        call_s=random.uniform(0.0, 0.1, len(DEVICES)),
        message_s=random.uniform(0.0, 0.1, NODES),
        copy_s_per_byte=random.uniform(0.0, 0.02, NODES),
        latency_s=random.uniform(0.0, 0.05, (NODES, NODES)),
        seconds_per_byte=random.uniform(0.0, 0.3, (NODES, NODES)),
    )


def drawn_seconds(random: np.random.Generator, extent: int) -> Array:
    """The more units the longer, the less for each."""
    units = np.arange(extent + 1)
    return random.uniform(0.5, 3.0, (len(DEVICES), 1)) * (units / extent) ** random.uniform(0.6, 1.0)


def edge(random: np.random.Generator, source_extent: int, extent: int, source: int) -> Edge:
    """A window around the place in proportion."""
    reach = int(random.integers(0, 2))
    low = np.floor(np.arange(extent) * source_extent / extent).astype(np.int64) - reach
    high = np.ceil(np.arange(1, extent + 1) * source_extent / extent).astype(np.int64) + reach
    low, high = np.maximum(low, 0), np.minimum(high, source_extent)
    return Edge(source=source, low=np.append(low, low[-1]), high=np.append(high[0], high))


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
        best_s = min(float(latencies_s(tables, plans).min()) for plans in all_plans(tables))
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
    assert found.latency_s[0] <= latencies_s(tables, starts).min()
    assert found.latency_s == pytest.approx(latencies_s(tables, found.plans), rel=1e-12)


def test_no_plan_is_priced_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = random_tables(0)
    drawn: list[int] = []

    def recording(tables: Tables, plans: RowPlans) -> Array:
        drawn.extend(plans.fingerprints())
        return latencies_s(tables, plans)

    starts = seeds(tables)
    monkeypatch.setattr(refine, "latencies_s", recording)
    refined(tables, starts, 4000, seed=0)
    later = drawn[len(starts) :]
    assert len(later) == len(set(later)) > 512


def test_shares_that_are_kept_stay() -> None:
    tables = random_tables(0)
    starts = shared(tables, np.array([0.3, 0.7]))
    found = refined(tables, starts, 600, seed=0, keep_shares=True).plans
    assert (found.cuts == starts.cuts[0]).all()


def test_of_each_kind_the_best() -> None:
    tables = random_tables(1)
    found = priced(tables, seeds(tables))
    kinds = best_by_kind(found)
    groups = kinds.plans.starts.sum(axis=1)
    devices = (np.diff(kinds.plans.cuts, axis=2) > 0).any(axis=1).sum(axis=1)
    assert len(set(zip(groups.tolist(), devices.tolist(), strict=True))) == len(groups)
    assert (np.diff(kinds.latency_s) >= 0).all()
    assert kinds.latency_s[0] == found.latency_s.min()
