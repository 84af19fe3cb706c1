"""Which of several plans is the fastest: prediction says which could be, the devices say which is."""

from collections.abc import Callable, Sequence
from math import inf

from legion.errors import InfeasibleError
from legion.plan.memory import MORE_MEMORY
from legion.policy.base import RaceReport, Tried

WORTH = 0.01
"""A plan that could be faster by less than this fraction is not tried."""

MOST_TRIALS = 4

_OPTIMISM = 0.97
"""Before anything is known of prediction's errors, a plan may take this fraction of what is predicted."""

_SAFEST_OPTIMISM = 0.75
"""The safest plan may take this fraction of what is predicted, whatever is seen of others: a device alone has the
memory and the caches to itself that devices on one machine, measured at the same time, share. 0.78 was seen.
"""


def race(predicted_s: Sequence[float], measure: Callable[[int], float], safest: int | None) -> tuple[int, RaceReport]:
    """The place of the fastest plan, and what was tried to find it.

    Plans are tried in the order of their prediction, for as long as one that was not tried could win: if its prediction
    erred as far as the most pessimistic one so far, it would beat the best by more than `WORTH`. There are
    `MOST_TRIALS` at most, those that do not fit into the devices not counted. How right predictions of other plans are
    says little of the plan at `safest`, and the other way round: it is tried besides wherever it could win at all, and
    it wins unless another beats it by more than `WORTH`; there may be none. `measure` gives the seconds of the plan at
    a place, infinite for one that does not fit into the devices. Raises InfeasibleError where none does.
    """
    tried: dict[int, float] = {}

    def least_s(place: int) -> float:
        optimism = min([_OPTIMISM, *(tried[other] / predicted_s[other] for other in tried if other != safest)])
        return predicted_s[place] * (min(optimism, _SAFEST_OPTIMISM) if place == safest else optimism)

    def could_win(place: int) -> bool:
        return not tried or least_s(place) <= min(tried.values()) * (1 - WORTH)

    for place in sorted(range(len(predicted_s)), key=lambda place: predicted_s[place]):
        if not could_win(place) or sum(seconds < inf for seconds in tried.values()) == MOST_TRIALS:
            break
        tried[place] = measure(place)
    if safest is not None and safest not in tried and could_win(safest):
        tried[safest] = measure(safest)
    best = min(tried, key=lambda place: tried[place])
    if tried[best] == inf:
        raise InfeasibleError(f"none of {len(tried)} plans fits into the devices; {MORE_MEMORY}")
    if safest is not None and tried.get(safest, inf) * (1 - WORTH) <= tried[best]:
        best = safest
    fitting = {place: seconds for place, seconds in tried.items() if seconds < inf}
    untried = [place for place in range(len(predicted_s)) if place not in tried]
    report = RaceReport(
        tried=tuple(Tried(predicted_s=predicted_s[place], measured_s=seconds) for place, seconds in fitting.items()),
        kept=list(fitting).index(best),
        hidden=max((1 - least_s(place) / tried[best] for place in untried), default=0.0),
        candidates=len(predicted_s),
    )
    return best, report
