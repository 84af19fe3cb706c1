"""Local search: many small changes are priced at once, and those that help are taken together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from legion.cost.tables import Array, Tables
from legion.search.evaluate import latencies_s
from legion.search.moves import Move, Moves, applied
from legion.search.row_plans import RowPlans

_BATCH = 192

_PATIENCE = 5
"""Rounds in which nothing helps, after which the search ends."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refined:
    """One plan (a batch of one), and its latency as `latencies_s` has it."""

    plan: RowPlans
    latency_s: float


def refined(tables: Tables, start: RowPlans, evaluations: int, seed: int, *, keep_shares: bool = False) -> Refined:
    """The best plan found from the only one of `start`, within about so many evaluations.

    Each round draws moves at random, and prices the plan with each of them; then with the best two, four, eight...
    together, for moves that help seldom stand in each other's way. The best of all is where the next round begins;
    after a few in which nothing helps the search ends.
    """
    moves = Moves(tables, seed, keep_shares=keep_shares)
    best = Refined(plan=start, latency_s=float(latencies_s(tables, start)[0]))
    vain = 0
    for _ in range(max(1, evaluations // _BATCH)):
        drawn = [moves.draw() for _ in range(_BATCH)]
        tried = applied(best.plan, 0, [[move] for move in drawn])
        seconds = latencies_s(tables, tried)
        order: list[int] = np.argsort(seconds, kind="stable").tolist()
        helpful = [drawn[place] for place in order if seconds[place] < best.latency_s]
        vain = 0 if helpful else vain + 1
        if vain == _PATIENCE:
            break
        if helpful:
            best = min(
                (_best(tried, seconds), *_together(tables, best.plan, helpful)), key=lambda found: found.latency_s
            )
    return best


def _together(tables: Tables, plan: RowPlans, helpful: Sequence[Move]) -> Sequence[Refined]:
    """The best of the plan with the first two, four, eight... moves at once; none where there are no two."""
    counts = [1 << power for power in range(1, len(helpful).bit_length())]
    if not counts:
        return ()
    tried = applied(plan, 0, [helpful[:count] for count in sorted({*counts, len(helpful)})])
    return (_best(tried, latencies_s(tables, tried)),)


def _best(plans: RowPlans, seconds: Array) -> Refined:
    place = int(np.argmin(seconds))
    return Refined(plan=plans[[place]], latency_s=float(seconds[place]))
