"""The paper's policy: shares by performance, the FLC of least cost, and the wild card against it."""

from math import inf

from legion.cost.matrices import Matrices, PortModel, build_matrices
from legion.cost.variation import varied
from legion.errors import InfeasibleError
from legion.plan.assign import Shares, assign
from legion.plan.lower import lower
from legion.plan.memory import MORE_MEMORY
from legion.plan.scheme import Scheme
from legion.policy.base import Candidate, Choice, Flc, Request, WildCardReport, groups_of, shares_for, tried_s
from legion.search.shortest_path import Partition, least_cost_partition
from legion.search.wild_card import WildCard, wild_card
from legion.simulate.typical import typical_frame


class LegionPolicy:
    """Every tensor that leaves a group goes by way of the controller; fused layers recompute their overlap.

    T is the paper's, the maximum over devices; that of `legion-one-port` has ports that carry one message at a time.
    """

    learns = False

    def __init__(self, ports: PortModel = "parallel") -> None:
        self.name = "legion" if ports == "parallel" else "legion-one-port"
        self._ports: PortModel = ports

    def choose(self, request: Request) -> Choice:
        """Fill T, take the partition of least cost, and try its most promising merge against it.

        With a trial both run on the devices and the faster is kept; without, both are simulated. Raises
        InfeasibleError where neither fits into the devices.
        """
        shares = shares_for(request)
        matrices = build_matrices(request.model, request.demand, request.cost, shares, ports=self._ports)
        least_cost = least_cost_partition(matrices.T)
        card = wild_card(matrices.T, least_cost)
        if card is None:
            return _choice(request, self.name, shares, matrices, least_cost.groups, None)
        report = _compare(request, self.name, shares, least_cost, card)
        kept = report.wild_card if report.kept == "wild card" else report.least_cost
        return _choice(request, self.name, shares, matrices, kept.flc, report)


def _compare(request: Request, policy: str, shares: Shares, least_cost: Partition, card: WildCard) -> WildCardReport:
    one, other = (_candidate(request, policy, shares, each) for each in (least_cost, card.partition))
    if min(_latency_s(one), _latency_s(other)) == inf:
        raise InfeasibleError(f"neither of the two best plans fits into the devices; {MORE_MEMORY}")
    return WildCardReport(
        least_cost=one,
        wild_card=other,
        merged=card.merged,
        kept="wild card" if _latency_s(other) < _latency_s(one) else "least cost",
        decided_by="predicted" if request.trial is None else "measured",
    )


def _candidate(request: Request, policy: str, shares: Shares, partition: Partition) -> Candidate:
    scheme = _scheme(request, policy, shares, partition.groups)
    programs = lower(request.model, request.demand, scheme)
    return Candidate(
        flc=partition.groups,
        cost_s=partition.total,
        predicted_s=typical_frame(programs, request.model, varied(request.cost)).latency_s,
        measured_s=tried_s(request.trial, request.model, scheme) if request.trial is not None else None,
    )


def _latency_s(candidate: Candidate) -> float:
    return candidate.predicted_s if candidate.measured_s is None else candidate.measured_s


def _scheme(request: Request, policy: str, shares: Shares, flc: Flc) -> Scheme:
    return assign(request.model, request.demand, groups_of(flc), shares, via_controller=True, policy=policy)


def _choice(  # noqa: PLR0913, PLR0917 - a choice is made of just these
    request: Request, policy: str, shares: Shares, matrices: Matrices, flc: Flc, report: WildCardReport | None
) -> Choice:
    return Choice(
        scheme=_scheme(request, policy, shares, flc),
        shares=shares,
        predicted_group_s=tuple(float(matrices.T[first, end - 1]) for first, end in flc),
        matrices=matrices,
        wild_card=report,
    )
