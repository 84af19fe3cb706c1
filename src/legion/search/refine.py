"""Local search: many plans at once, changed and mixed; the best go on."""

import os
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from legion.cost.tables import Array, Places, Tables
from legion.search.evaluate import latencies_s
from legion.search.moves import descend
from legion.search.native import NativeTables
from legion.search.row_plans import RowPlans, joined, room

KINDS = 8
"""Of so many kinds, the fastest, a search has plans to show."""

_BATCH = 64
"""Plans drawn at a time, with random numbers of their own, so that it does not matter how many processors draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Populations that know nothing of each other: in each round every one draws so many batches, and so many survive.

    The stage prices this fraction of all plans. It begins with the best of each population of the stage before, as many
    of one as of another: their plans differ most, and what each has found can be brought together.
    """

    populations: int
    batches: int
    survivors: int
    fraction: float


_STAGES = (
    Stage(populations=32, batches=1, survivors=32, fraction=0.45),
    Stage(populations=8, batches=2, survivors=32, fraction=0.3),
    Stage(populations=1, batches=8, survivors=64, fraction=0.25),
)
"""What four populations have found apart, one goes on with, and at last one with what eight have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Priced:
    """Plans, and their latencies as `latencies_s` has them."""

    plans: RowPlans
    latency_s: Array

    def __getitem__(self, places: Places) -> "Priced":
        return Priced(plans=self.plans[places], latency_s=self.latency_s[places])


def refined(tables: Tables, starts: RowPlans, evaluations: int, seed: int, *, keep_shares: bool = False) -> Priced:
    """The best plans found from those of `starts`: one of each kind, the best first.

    About so many are priced, at least those of a round of each stage.

    Each round draws plans from those that survived, the better the more often, gives some of them layers of others, and
    changes them at random; the best of all survive. So what was found in different layers comes together. A plan's kind
    is the number of devices that take part and that of groups. Uses all processors; how many there are makes no
    difference to what is found.
    """
    native = NativeTables(tables)
    found = Priced(plans=starts, latency_s=latencies_s(native, starts))
    kinds = best_by_kind(found)
    survivors = _joined([found] * _STAGES[0].populations)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        rounds = _Rounds(native, seed, threads, keep_shares=keep_shares)
        for before, stage in pairwise([_STAGES[0], *_STAGES]):
            survivors = handed_on(survivors, before, stage)
            for _ in range(max(1, round(evaluations * stage.fraction / (stage.populations * stage.batches * _BATCH)))):
                found = rounds.drawn(survivors.plans, stage)
                survivors = best([survivors, found], stage.populations, stage.survivors)
                kinds = best_by_kind(_joined([kinds, found[np.flatnonzero(found.latency_s < _bar_s(kinds))]]))
    return kinds


class _Rounds:
    """Draws and prices plans, batches at the same time."""

    def __init__(self, tables: NativeTables, seed: int, threads: Executor, *, keep_shares: bool) -> None:
        self._tables = tables
        self._keep_shares = keep_shares
        self._threads = threads
        batches = max(stage.populations * stage.batches for stage in _STAGES)
        self._random = [np.random.PCG64(each) for each in np.random.SeedSequence(seed).spawn(batches)]

    def drawn(self, survivors: RowPlans, stage: Stage) -> Priced:
        """New plans, population by population, with their latencies."""
        batches, size = stage.populations * stage.batches, len(survivors) // stage.populations
        plans = room(survivors, batches * _BATCH)

        def draw(batch: int) -> Array:
            first = batch // stage.batches * size
            new = plans[batch * _BATCH : (batch + 1) * _BATCH]
            parents = survivors[first : first + size]
            descend(self._tables, parents, new, self._random[batch], keep_shares=self._keep_shares)
            return latencies_s(self._tables, new)

        return Priced(plans=plans, latency_s=np.concatenate(list(self._threads.map(draw, range(batches)))))


def best_by_kind(found: Priced) -> Priced:
    """The best plan of each number of devices and of groups, the best of all first, `KINDS` at most."""
    cuts, starts = found.plans.cuts, found.plans.starts
    devices = np.sum(np.any(cuts[:, :, 1:] > cuts[:, :, :-1], axis=1), axis=1)
    kinds = devices * (starts.shape[1] + 1) + starts.sum(axis=1)
    order = np.argsort(found.latency_s, kind="stable")
    return found[order[np.sort(np.unique(kinds[order], return_index=True)[1])[:KINDS]]]


def _bar_s(kinds: Priced) -> float:
    """What a plan has to take less than to be among the best of its kinds."""
    return float(kinds.latency_s[-1]) if len(kinds.plans) == KINDS else np.inf


def _joined(several: Sequence[Priced]) -> Priced:
    return Priced(
        plans=joined([each.plans for each in several]),
        latency_s=np.concatenate([each.latency_s for each in several]),
    )


def handed_on(survivors: Priced, before: Stage, stage: Stage) -> Priced:
    """What a stage begins with: of each population of the one before as many, those of several as one population."""
    of_each = stage.populations * stage.survivors // before.populations
    return best([best([survivors], before.populations, of_each)], stage.populations, stage.survivors)


def best(several: Sequence[Priced], populations: int, count: int) -> Priced:
    """Of each population so many, the best first; of those that take equally long, all but one come last.

    In each of `several`, populations lie one after another.
    """
    all_plans = _joined(several)
    sizes = [len(each.plans) for each in several]
    batches = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    places: Places = np.concatenate([batch.reshape(populations, -1) for batch in batches], axis=1)
    latency_s = all_plans.latency_s[places]
    order = np.argsort(latency_s, axis=1, kind="stable")
    is_again = np.diff(np.take_along_axis(latency_s, order, axis=1), axis=1, prepend=-np.inf) == 0
    ranks = np.argsort(is_again, axis=1, kind="stable")[:, :count]
    return all_plans[np.take_along_axis(places, np.take_along_axis(order, ranks, axis=1), axis=1).ravel()]
