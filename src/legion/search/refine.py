"""Local search: many plans at once, changed and mixed; the best go on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from legion.cost.tables import Array, Places, Tables
from legion.search.evaluate import latencies_s
from legion.search.moves import Moves
from legion.search.row_plans import RowPlans, joined

_BATCH = 512
"""Plans priced at once: the more, the cheaper is each."""

_SURVIVORS = 64

_MIXED = 0.5
"""How often a new plan has some layers of another."""

_CHANGED = 0.5
"""How often a plan that is mixed is changed too."""

_CHANGED_AGAIN = 0.4
"""How often one more change is made to a plan that was changed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Priced:
    """Plans, and their latencies as `latencies_s` has them."""

    plans: RowPlans
    latency_s: Array

    def __getitem__(self, places: Places) -> "Priced":
        return Priced(plans=self.plans[places], latency_s=self.latency_s[places])


def priced(tables: Tables, plans: RowPlans) -> Priced:
    """The plans with their latencies."""
    return Priced(plans=plans, latency_s=latencies_s(tables, plans))


def refined(tables: Tables, starts: RowPlans, evaluations: int, seed: int, *, keep_shares: bool = False) -> Priced:
    """The best plans found from those of `starts`, within about so many evaluations: one of each kind, the best first.

    Each round draws plans from those that survived, the better the more often, gives some of them layers of others, and
    changes them at random; the best of all survive. So what was found in different layers comes together. What was
    drawn before is not priced again. A plan's kind is the number of devices that take part and that of groups.
    """
    random = np.random.default_rng(seed)
    moves = Moves(tables, random, keep_shares=keep_shares)
    found = priced(tables, starts)
    survivors, by_kind, known = _best(found), best_by_kind(found), set[int]()
    for _ in range(max(1, evaluations // _BATCH)):
        drawn = _descendants(survivors.plans, moves, random)
        if new := _new(drawn.fingerprints(), known):
            found = priced(tables, drawn[new])
            survivors = _best(_both(survivors, found))
            by_kind = best_by_kind(_both(by_kind, found))
    return by_kind


def best_by_kind(found: Priced) -> Priced:
    """The best plan of each number of devices and of groups, the best of all first."""
    ordered = found[np.argsort(found.latency_s, kind="stable")]
    devices = np.sum(np.any(np.diff(ordered.plans.cuts, axis=2) > 0, axis=1), axis=1)
    kinds = np.stack([devices, ordered.plans.starts.sum(axis=1)], axis=1)
    return ordered[np.sort(np.unique(kinds, axis=0, return_index=True)[1])]


def _new(fingerprints: Sequence[int], known: set[int]) -> list[int]:
    """The places of those that are not known yet, which they are from now on; of equal ones, one."""
    places = {fingerprint: place for place, fingerprint in enumerate(fingerprints) if fingerprint not in known}
    known.update(places)
    return sorted(places.values())


def _best(found: Priced) -> Priced:
    """The survivors, the best first; of plans that take equally long, one."""
    return found[np.unique(found.latency_s, return_index=True)[1][:_SURVIVORS]]


def _both(one: Priced, other: Priced) -> Priced:
    return Priced(plans=joined([one.plans, other.plans]), latency_s=np.concatenate([one.latency_s, other.latency_s]))


def _descendants(survivors: RowPlans, moves: Moves, random: np.random.Generator) -> RowPlans:
    """New plans; parents are drawn so that the better of two is taken."""
    parents = (len(survivors) * random.random(_BATCH) ** 2).astype(np.int64)
    others = (len(survivors) * random.random(_BATCH)).astype(np.int64)
    is_mixed = random.random(_BATCH) < _MIXED
    mates = np.where(is_mixed, others, parents)
    plans = _mixed(survivors[parents], survivors[mates], random)
    changed = np.flatnonzero(~is_mixed | (random.random(_BATCH) < _CHANGED))
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
