"""The planner's own policy: fusing or exchanging, shares, devices and order chosen together, for any network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np

from legion.cost.tables import Array, Places, Tables, build_tables
from legion.cost.variation import varied
from legion.errors import InfeasibleError
from legion.geometry.constant_pool import ConstantPool
from legion.plan.assign import Shares, assign
from legion.plan.border_first import border_first
from legion.plan.compile import compile_plan
from legion.plan.fed_in_parts import fed_in_parts
from legion.plan.group_times import group_times_s
from legion.plan.lower import lower
from legion.plan.memory import check_memory
from legion.plan.program import Program
from legion.plan.scheme import Scheme
from legion.plan.timeline import Timeline
from legion.policy.base import Choice, Request, shares_for, tried_s
from legion.policy.race import race
from legion.search.bound import least_s
from legion.search.evaluate import latencies_s
from legion.search.native import NativeTables
from legion.search.refine import refined
from legion.search.row_plans import RowPlans
from legion.search.seeds import seeds, shared
from legion.simulate.typical import typical_frame

EVALUATIONS_PER_LAYER = 20_000
"""So many plans are priced in a search for each layer, or about so many: more layers leave more to choose."""

_PRICED_LAYERS = 52_000_000
"""The layers of all plans that are priced: of very deep networks there are fewer plans, so that none takes long."""

COUNTED = 0.9
"""Of a device's memory, what the search may fill by its own count, which is up to 8 % too low."""

_LEAST_S = 1e-12


class AutoPolicy:
    """Tensors go straight from owner to reader; the best device that can hold it all alone is among the candidates."""

    name = "auto"
    learns = False

    def choose(self, request: Request) -> Choice:
        """The fastest plan of those that local search finds, and of the best device alone.

        With a trial, those that could be the fastest run on the devices; without, simulated latencies decide. None
        needs more memory than the devices have. Where shares are asked for, all layers that can be split have these.
        """
        devices = request.cost.devices if request.shares is None else tuple(shares_for(request))
        memory_bytes = {name: COUNTED * size for name, size in request.memory_bytes.items()}
        tables = build_tables(request.model, request.demand, request.cost, devices, memory_bytes)
        candidates, safest = _candidates(request, tables)
        frames = varied(request.cost)
        predicted = [typical_frame(candidate.programs, request.model, frames) for candidate in candidates]
        predicted_s = [timeline.latency_s for timeline in predicted]
        best, report = predicted_s.index(min(predicted_s)), None
        if request.trial is not None and len(candidates) > 1:
            measure = partial(tried_s, request.trial, request.model)
            best, report = race(predicted_s, lambda place: measure(candidates[place].scheme), safest)
        return replace(_choice(request, tables, candidates[best], predicted[best]), race=report)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    """A plan that fits into the devices, as a scheme, and as programs."""

    plan: RowPlans
    scheme: Scheme
    programs: Mapping[str, Program]


def _candidates(request: Request, tables: Tables) -> tuple[Sequence[_Candidate], int | None]:
    """What was found that fits, each scheme once, and the place of the best device alone, if one can hold it all.

    Different plans may be the same in the end. Raises InfeasibleError where none fits.
    """
    alone, found = _found(request, tables)
    refusals: list[InfeasibleError] = []
    candidates = list(islice(_fitting(request, tables, alone, refusals), 1))
    safest = 0 if candidates else None
    for candidate in _fitting(request, tables, found, refusals):
        if all(candidate.scheme != other.scheme for other in candidates):
            candidates.append(candidate)
    if not candidates:
        raise InfeasibleError(f"no plan was found that fits into the devices; of the nearest, {refusals[len(alone)]}")
    return candidates, safest


def _found(request: Request, tables: Tables) -> tuple[RowPlans, RowPlans]:
    """Each device alone, the fastest first, and the best plans of several kinds; with shares asked for, one plan."""
    evaluations = min(EVALUATIONS_PER_LAYER * tables.layers, _PRICED_LAYERS // tables.layers)
    if request.shares is not None:
        starts = shared(tables, np.array(list(request.shares.values()), dtype=np.float64))
        return starts[:0], refined(tables, starts, evaluations, 0, keep_shares=True).plans[[0]]
    starts = seeds(tables)
    alone = starts[: len(tables.devices)]
    ample = replace(tables, memory_bytes=np.full(len(tables.devices), np.inf))
    by_latency = np.argsort(latencies_s(NativeTables(ample), alone), kind="stable")
    return alone[by_latency], refined(tables, starts, evaluations, 0).plans


def _fitting(
    request: Request, tables: Tables, plans: RowPlans, refusals: list[InfeasibleError]
) -> Iterator[_Candidate]:
    """Those of the plans that fit into the devices' memory; why the others do not goes to `refusals`."""
    is_limited = bool(np.isfinite(tables.memory_bytes).any())
    for plan in (plans[[place]] for place in range(len(plans))):
        scheme = scheme_of(request, tables, plan)
        programs = lower(request.model, request.demand, scheme)
        try:
            if is_limited:
                ready = compile_plan(request.model, programs, ConstantPool(request.model, synthetic=True))
                check_memory(request.model, ready, request.memory_bytes)
        except InfeasibleError as exc:
            refusals.append(exc)
        else:
            yield _Candidate(plan=plan, scheme=scheme, programs=programs)


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


def _choice(request: Request, tables: Tables, chosen: _Candidate, predicted: Timeline) -> Choice:
    groups = chosen.scheme.groups
    computed_s = _computed_s(tables, chosen.plan)
    return Choice(
        scheme=chosen.scheme,
        shares=request.shares or dict(zip(tables.devices, (computed_s / computed_s.sum()).tolist(), strict=True)),
        group_shares=tuple(_shares(tables, chosen.plan.cuts[0, group.layers[-1]]) for group in groups),
        predicted_group_s=group_times_s(predicted, len(groups)),
        bound_s=least_s(tables),
    )


def _shares(tables: Tables, cuts: Places) -> Shares:
    """A layer's units by device."""
    return dict(zip(tables.devices, np.diff(cuts).tolist(), strict=True))


def _computed_s(tables: Tables, plan: RowPlans) -> Array:
    """Roughly what share of the work each device has: its part of each layer, weighed by what the layer takes."""
    fractions = np.diff(plan.cuts[0], axis=1) / tables.extents[: tables.layers, None]
    return fractions.T @ tables.least_whole_s + _LEAST_S
