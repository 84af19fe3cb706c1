"""What a policy is asked, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal, Protocol

from legion.cost.matrices import Matrices
from legion.cost.model import CostModel
from legion.cost.shares import performance_shares
from legion.errors import InfeasibleError, InputError
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import Shares
from legion.plan.scheme import Scheme
from legion.profile.samples import Profile

Flc = tuple[tuple[int, int], ...]
"""A fused-layer configuration whose groups are consecutive layers, as half-open ranges."""

Trial = Callable[[Model, Scheme], float]
"""Runs a scheme of the request's model, or of a part of it, on the devices; median seconds of its frames.

Raises InfeasibleError where the scheme does not fit into the devices.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A model to place on the devices of a cost model.

    Without `trial` nothing is run, and predictions decide. `shares` by device, where given, replace those by measured
    performance. `profile` holds the samples from which `cost` was made, for policies that predict in their own way.
    `memory_bytes` by device limits what `auto` plans; others' plans are refused when they do not fit.
    """

    model: Model
    demand: Demand
    cost: CostModel
    profile: Profile | None = None
    trial: Trial | None = None
    shares: Shares | None = None
    memory_bytes: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An FLC with its cost, the sum of T, its simulated latency, and its measured one where it was tried.

    That is infinite where it does not fit into the devices.
    """

    flc: Flc
    cost_s: float
    predicted_s: float
    measured_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WildCardReport:
    """The FLC of least cost against that with one more merge; `merged` is the place of the merged group in the latter.

    `decided_by` says whether latencies measured on the devices or simulated ones were compared; the lower was kept.
    """

    least_cost: Candidate
    wild_card: Candidate
    merged: int
    kept: Literal["least cost", "wild card"]
    decided_by: Literal["measured", "predicted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A plan that ran on the devices: what was predicted for a frame, and the median of those measured."""

    predicted_s: float
    measured_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceReport:
    """Plans tried on the devices in turn; `kept` is the place of the chosen one, `candidates` how many there were.

    `hidden` is the fraction of its time by which one that was not tried could beat it, if its prediction erred as far
    as `race` takes for possible; below zero there is none.
    """

    tried: tuple[Tried, ...]
    kept: int
    hidden: float
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSearchReport:
    """Groups tried on the devices, each alone, of all `groups` that there are; those that cannot run count as none.

    `hidden` is the fraction of its cost by which another partition could beat the chosen one, if no group that was not
    tried takes less than `optimism` times what is predicted.
    """

    tried: int
    groups: int
    optimism: float
    hidden: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """A policy's answer. `predicted_group_s` are the groups' costs by the policy's own formula, one after another.

    Where groups have shares of their own, these are `group_shares`, and `shares` tells roughly what devices get.
    `bound_s` is what no plan can beat by the cost model, where the policy knows.
    """

    scheme: Scheme
    shares: Shares
    predicted_group_s: tuple[float, ...]
    group_shares: tuple[Shares, ...] | None = None
    matrices: Matrices | None = None
    wild_card: WildCardReport | None = None
    bound_s: float | None = None
    race: RaceReport | None = None
    group_search: GroupSearchReport | None = None


class Policy(Protocol):
    """A way to choose a scheme."""

    @property
    def name(self) -> str:
        """How the policy is called by users."""
        ...

    @property
    def learns(self) -> bool:
        """Whether it predicts from training samples, so that the request's profile must hold them."""
        ...

    def choose(self, request: Request) -> Choice:
        """Choose; raises InfeasibleError where no plan fits."""
        ...


def shares_for(request: Request) -> Shares:
    """The shares asked for, else those by measured performance.

    Raises InputError where the shares asked for do not name devices of the cost model, or are not fractions.
    """
    if request.shares is None:
        return performance_shares(request.cost)
    unknown = [device for device in request.shares if device not in request.cost.devices]
    if unknown:
        raise InputError(f"Shares are given for {', '.join(unknown)}, which the profile does not know.")
    if any(not 0 <= share < float("inf") for share in request.shares.values()) or not sum(request.shares.values()):
        raise InputError("Shares must be fractions of at least 0, not all of them 0.")
    return request.shares


def tried_s(trial: Trial, model: Model, scheme: Scheme) -> float:
    """The seconds of a scheme on the devices; infinite where it does not fit into them."""
    try:
        return trial(model, scheme)
    except InfeasibleError:
        return inf


def groups_of(flc: Flc) -> Sequence[Sequence[int]]:
    """The layers of each group."""
    return [range(first, end) for first, end in flc]
