"""Which of several plans is the fastest: prediction says which could be, the devices say which is."""

from collections.abc import Callable, Sequence
from math import inf

from legion.errors import InfeasibleError
from legion.policy.base import RaceReport, Tried

WORTH = 0.01
"""A plan that could be faster by less than this fraction is not tried."""

MOST_TRIALS = 4

_OPTIMISM = 0.97
"""Before anything is known of prediction's errors, a plan may take this fraction of what is predicted."""


def race(predicted_s: Sequence[float], measure: Callable[[int], float], safest: int) -> tuple[int, RaceReport]:
    """The place of the fastest plan, and what was tried to find it.

    Plans are tried in the order of their prediction, for as long as one that was not tried could win: if its prediction
    erred as far as the most pessimistic one so far, it would beat the best by more than `WORTH`. Beyond `MOST_TRIALS`
    that holds for the plan at `safest` alone: what misled the predictions of the others may not concern it. `measure`
    gives the seconds of the plan at a place, infinite for one that does not fit into the devices. Raises
    InfeasibleError where none does.
    """
    tried: dict[int, float] = {}
    optimism = _OPTIMISM
    order = sorted(range(len(predicted_s)), key=lambda place: predicted_s[place])
    for place in (place for rank, place in enumerate(order) if rank < MOST_TRIALS or place == safest):
        if tried and predicted_s[place] * optimism > min(tried.values()) * (1 - WORTH):
            break
        tried[place] = measure(place)
        optimism = min(optimism, tried[place] / predicted_s[place])
    best = min(tried, key=lambda place: tried[place])
    if tried[best] == inf:
        raise InfeasibleError(f"none of the {len(tried)} best plans fits into the devices; give them more memory")
    untried = [seconds for place, seconds in enumerate(predicted_s) if place not in tried]
    tried = {place: seconds for place, seconds in tried.items() if seconds < inf}
    report = RaceReport(
        tried=tuple(Tried(predicted_s=predicted_s[place], measured_s=seconds) for place, seconds in tried.items()),
        kept=list(tried).index(best),
        hidden=max((1 - seconds * optimism / tried[best] for seconds in untried), default=0.0),
        candidates=len(predicted_s),
    )
    return best, report
