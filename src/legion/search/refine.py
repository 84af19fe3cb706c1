"""Local search: many plans at once, changed and mixed; the best go on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from legion.cost.tables import Array, Places, Tables
from legion.search.evaluate import Evaluator
from legion.search.moves import Moves
from legion.search.row_plans import RowPlans, joined

_MIXED = 0.5
"""How often a new plan has some layers of another."""

_CHANGED = 0.5
"""How often a plan that is mixed is changed too."""

_CHANGED_AGAIN = 0.4
"""How often one more change is made to a plan that was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Populations that know nothing of each other: in each round every one draws new plans, and so many survive.

    The stage prices this fraction of all plans.
    """

    populations: int
    drawn: int
    survivors: int
    fraction: float


_STAGES = (
    Stage(populations=16, drawn=64, survivors=32, fraction=0.6),
    Stage(populations=1, drawn=512, survivors=64, fraction=0.4),
)
"""What populations have found apart, one goes on with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Priced:
    """Plans, and their latencies as an `Evaluator` has them."""

    plans: RowPlans
    latency_s: Array

    def __getitem__(self, places: Places) -> "Priced":
        return Priced(plans=self.plans[places], latency_s=self.latency_s[places])


def refined(tables: Tables, starts: RowPlans, evaluations: int, seed: int, *, keep_shares: bool = False) -> Priced:
    """The best plans found from those of `starts`, within about so many evaluations: one of each kind, the best first.

    Each round draws plans from those that survived, the better the more often, gives some of them layers of others, and
    changes them at random; the best of all survive. So what was found in different layers comes together. A plan's kind
    is the number of devices that take part and that of groups.
    """
    random = np.random.default_rng(seed)
    moves = Moves(tables, random, keep_shares=keep_shares)
    evaluator = Evaluator(tables)
    found = Priced(plans=starts, latency_s=evaluator.latencies_s(starts))
    by_kind = best_by_kind(found)
    survivors = _joined([found] * _STAGES[0].populations)
    for stage in _STAGES:
        survivors = best([survivors], stage)
        for _ in range(max(1, round(evaluations * stage.fraction / (stage.populations * stage.drawn)))):
            drawn = _descendants(survivors.plans, stage, moves, random)
            found = Priced(plans=drawn, latency_s=evaluator.latencies_s(drawn))
            survivors = best([survivors, found], stage)
            by_kind = best_by_kind(_joined([by_kind, found]))
    return by_kind


def best_by_kind(found: Priced) -> Priced:
    """The best plan of each number of devices and of groups, the best of all first."""
    cuts, starts = found.plans.cuts, found.plans.starts
    devices = np.sum(np.any(cuts[:, :, 1:] > cuts[:, :, :-1], axis=1), axis=1)
    kinds = devices * (starts.shape[1] + 1) + starts.sum(axis=1)
    order = np.argsort(found.latency_s, kind="stable")
    return found[order[np.sort(np.unique(kinds[order], return_index=True)[1])]]


def _joined(several: Sequence[Priced]) -> Priced:
    return Priced(
        plans=joined([each.plans for each in several]),
        latency_s=np.concatenate([each.latency_s for each in several]),
    )


def best(several: Sequence[Priced], stage: Stage) -> Priced:
    """Population by population the survivors, the best first; of those that take equally long, the others come last.

    In each of several batches, populations lie one after another.
    """
    all_plans = _joined(several)
    sizes = [len(each.plans) for each in several]
    batches = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    places: Places = np.concatenate([batch.reshape(stage.populations, -1) for batch in batches], axis=1)
    latency_s = all_plans.latency_s[places]
    order = np.argsort(latency_s, axis=1, kind="stable")
    is_again = np.diff(np.take_along_axis(latency_s, order, axis=1), axis=1, prepend=-np.inf) == 0
    ranks = np.argsort(is_again, axis=1, kind="stable")[:, : stage.survivors]
    return all_plans[np.take_along_axis(places, np.take_along_axis(order, ranks, axis=1), axis=1).ravel()]


def _descendants(survivors: RowPlans, stage: Stage, moves: Moves, random: np.random.Generator) -> RowPlans:
    """New plans, population by population; parents are drawn so that the better of two is taken."""
    count, size = stage.populations * stage.drawn, len(survivors) // stage.populations
    firsts = np.repeat(np.arange(stage.populations) * size, stage.drawn)
    parents = firsts + (size * random.random(count) ** 2).astype(np.int64)
    others = firsts + (size * random.random(count)).astype(np.int64)
    is_mixed = random.random(count) < _MIXED
    plans = _mixed(survivors[parents], survivors[np.where(is_mixed, others, parents)], random)
    changed = np.flatnonzero(~is_mixed | (random.random(count) < _CHANGED))
    while len(changed):
        moves.make(plans, changed)
        changed = changed[random.random(len(changed)) < _CHANGED_AGAIN]
    return plans


def _mixed(ones: RowPlans, others: RowPlans, random: np.random.Generator) -> RowPlans:
    """Some consecutive ones of the layers in which plans differ are taken from the others."""
    differ = (ones.starts != others.starts) | (ones.borders != others.borders)
    differ |= np.any(ones.cuts != others.cuts, axis=2)
    differ[:, 0] |= ones.parts != others.parts
    number = np.cumsum(differ, axis=1)
    length = 1 + np.floor((number[:, -1:] - 1) * random.random((len(ones), 1)))
    first = np.floor((number[:, -1:] - length + 1) * random.random((len(ones), 1)))
    taken = (number > first) & (number <= first + length)
    return RowPlans(
        starts=np.where(taken, others.starts, ones.starts),
        cuts=np.where(taken[:, :, None], others.cuts, ones.cuts),
        borders=np.where(taken, others.borders, ones.borders),
        parts=np.where(taken[:, 0], others.parts, ones.parts),
    )
