"""The planner's own policy: fusing or exchanging, shares, devices and order chosen together, for any network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from legion.cost.tables import Array, Places, Tables, build_tables
from legion.cost.variation import varied
from legion.plan.assign import Shares, assign
from legion.plan.border_first import border_first
from legion.plan.fed_in_parts import fed_in_parts
from legion.plan.group_times import group_times_s
from legion.plan.lower import lower
from legion.plan.scheme import Scheme
from legion.plan.timeline import Timeline
from legion.policy.base import Choice, Request, shares_for, tried_s
from legion.policy.race import race
from legion.search.bound import least_s
from legion.search.evaluate import latencies_s
from legion.search.native import NativeTables
from legion.search.refine import refined
from legion.search.row_plans import RowPlans, joined
from legion.search.seeds import seeds, shared
from legion.simulate.typical import typical_frame

EVALUATIONS_PER_LAYER = 20_000
"""So many plans are priced in a search for each layer, or about so many: more layers leave more to choose."""

_PRICED_LAYERS = 52_000_000
"""The layers of all plans that are priced: of very deep networks there are fewer plans, so that none takes long."""

_LEAST_S = 1e-12

_ALONE = 0
"""The place of the best device alone among the candidates."""


class AutoPolicy:
    """Tensors go straight from owner to reader; each device alone is always among the candidates."""

    name = "auto"
    learns = False

    def choose(self, request: Request) -> Choice:
        """The fastest plan of those that local search finds, and of the best device alone.

        With a trial, those that could be the fastest run on the devices; without, simulated latencies decide. Where
        shares are asked for, all layers that can be split have these.
        """
        devices = request.cost.devices if request.shares is None else tuple(shares_for(request))
        tables = build_tables(request.model, request.demand, request.cost, devices)
        candidates = _candidates(request, tables)
        predicted_s = [candidate.predicted.latency_s for candidate in candidates]
        best, report = predicted_s.index(min(predicted_s)), None
        if request.trial is not None and len(candidates) > 1:
            measure = partial(tried_s, request.trial, request.model)
            best, report = race(predicted_s, lambda place: measure(candidates[place].scheme), safest=_ALONE)
        return replace(_choice(request, tables, candidates[best]), race=report)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    """A plan as a scheme, with what the simulator says of it."""

    plan: RowPlans
    scheme: Scheme
    predicted: Timeline


def _candidates(request: Request, tables: Tables) -> Sequence[_Candidate]:
    """What was found, each scheme once: different plans may be the same in the end."""
    candidates: list[_Candidate] = []
    plans, frames = _found(request, tables), varied(request.cost)
    for plan in (plans[[place]] for place in range(len(plans))):
        scheme = scheme_of(request, tables, plan)
        if all(scheme != other.scheme for other in candidates):
            programs = lower(request.model, request.demand, scheme)
            predicted = typical_frame(programs, request.model, frames)
            candidates.append(_Candidate(plan=plan, scheme=scheme, predicted=predicted))
    return candidates


def _found(request: Request, tables: Tables) -> RowPlans:
    """The best device alone, and the best plans of several kinds; where shares are asked for, one plan."""
    evaluations = min(EVALUATIONS_PER_LAYER * tables.layers, _PRICED_LAYERS // tables.layers)
    if request.shares is not None:
        starts = shared(tables, np.array(list(request.shares.values()), dtype=np.float64))
        return refined(tables, starts, evaluations, 0, keep_shares=True).plans[[0]]
    starts = seeds(tables)
    alone = int(np.argmin(latencies_s(NativeTables(tables), starts[: len(tables.devices)])))
    return joined([starts[[alone]], refined(tables, starts, evaluations, 0).plans])


def scheme_of(request: Request, tables: Tables, plan: RowPlans) -> Scheme:
    """The only plan of a batch as a scheme."""
    starts = np.flatnonzero(plan.starts[0]).tolist()
    flc = [range(first, end) for first, end in zip(starts, [*starts[1:], tables.layers], strict=True)]
    by_layer = [_shares(tables, cuts) for cuts in plan.cuts[0]]
    scheme = assign(
        request.model, request.demand, flc, by_layer, via_controller=False, policy=AutoPolicy.name, features=True
    )
    early = [place for place, first in enumerate(starts) if plan.borders_first[0, first]]
    return fed_in_parts(request.demand, border_first(request.demand, scheme, early), int(plan.parts[0]))


def _choice(request: Request, tables: Tables, chosen: _Candidate) -> Choice:
    groups = chosen.scheme.groups
    computed_s = _computed_s(tables, chosen.plan)
    return Choice(
        scheme=chosen.scheme,
        shares=request.shares or dict(zip(tables.devices, (computed_s / computed_s.sum()).tolist(), strict=True)),
        group_shares=tuple(_shares(tables, chosen.plan.cuts[0, group.layers[-1]]) for group in groups),
        predicted_group_s=group_times_s(chosen.predicted, len(groups)),
        bound_s=least_s(tables),
    )


def _shares(tables: Tables, cuts: Places) -> Shares:
    """A layer's units by device."""
    return dict(zip(tables.devices, np.diff(cuts).tolist(), strict=True))


def _computed_s(tables: Tables, plan: RowPlans) -> Array:
    """Roughly what share of the work each device has: its part of each layer, weighed by what the layer takes."""
    fractions = np.diff(plan.cuts[0], axis=1) / tables.extents[: tables.layers, None]
    return fractions.T @ tables.least_whole_s + _LEAST_S
