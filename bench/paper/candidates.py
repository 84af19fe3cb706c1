"""The plans that are compared: what each policy chooses, what it took to choose, and what it should take."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import msgspec

from bench.paper.cells import FSS, Cell
from bench.paper.results import Predicted, ProfilingCost, counted
from legion.cost.matrices import PortModel, build_matrices
from legion.cost.shares import performance_shares, whole_model_s
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import Shares, assign
from legion.plan.executable import ExecutablePlan
from legion.plan.lower import lower
from legion.plan.memory import check_memory
from legion.plan.scheme import Scheme
from legion.policy.base import Choice
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.samples import Profile
from legion.search.shortest_path import Costs
from legion.session.cluster import Cluster
from legion.session.progress import silent
from legion.session.stages import Planning
from legion.session.trial_store import TrialStore
from legion.session.trials import Trials

LEAST_COST = "legion-least-cost"
"""Legion's FLC of least cost, without the wild card; the policy `legion` is with it."""

PROFILED: Mapping[str, tuple[str, ...]] = {
    "full-search": (),
    "lazy-search": ("comparison", "layers", "links"),
    "legion": ("comparison", "layers", "links"),
    "legion-one-port": ("comparison", "layers", "links"),
    "aofl": ("comparison", "training", "links"),
    "early-fused": ("comparison", "layers", "links"),
    "modnn": ("comparison", "layers"),
    "coedge": ("comparison", "layers"),
    "auto": ("comparison", "layers", "links"),
}
"""The parts of a profile that a policy's choice needs. Shares are a gift to the full search: its trials alone count."""

_OVERHEAD_S = 0.5
"""About what a trial takes beside its frames."""

_TELL_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A scheme to be run, with what it took to find. `shares` are those of each group."""

    policy: str
    scheme: Scheme
    shares: tuple[Shares, ...]
    profiling: Mapping[str, ProfilingCost]
    predicted: Predicted

    @property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """Half-open ranges of layers."""
        return tuple((group.layers[0], group.layers[-1] + 1) for group in self.scheme.groups)


class Planner:
    """Chooses schemes for one model on the devices of a cluster, and makes them ready to run."""

    def __init__(self, model: Model, cluster: Cluster, profile: Profile) -> None:
        self.model = model
        self.cluster = cluster
        self.profile = profile
        self.planning = Planning(model, profile, tuple(cluster.devices))
        self._costs_of: dict[tuple[object, ...], Costs] = {}

    def ready(self, model: Model, scheme: Scheme) -> ExecutablePlan:
        """A scheme of the model, or of a part of it, as a plan; raises InfeasibleError where it does not fit."""
        demand = self.planning.demand if model is self.model else Demand(model)
        plan = self.planning.compile(lower(model, demand, scheme), model)
        check_memory(model, plan, {name: info.memory_bytes for name, info in self.cluster.devices.items()})
        return plan

    def one_device(self) -> tuple[Scheme, float]:
        """The whole model as one group on the fastest device, fed by the controller, and its predicted seconds."""
        fastest = min(self.cluster.devices, key=lambda name: whole_model_s(self.planning.costs, name))
        whole = [tuple(range(len(self.model.layers)))]
        scheme = assign(
            self.model, self.planning.demand, whole, {fastest: 1.0}, via_controller=True, policy="one-device"
        )
        return scheme, self.planning.predict(self.planning.programs(scheme)).latency_s

    def candidates(self, policy: str, cell: Cell, fss_frames: int) -> list[Candidate]:
        """What a policy chooses; of `legion` also what it would without the wild card."""
        if policy == FSS:
            trials = Trials(self.cluster, self.ready, TrialStore(cell.trials), silent, frames=fss_frames)
            shares = searched_shares(cell, self.planning)
            choice = self.planning.choose(policy, shares=shares, trial=self._watched(trials, fss_frames, shares))
        else:
            trials = Trials(self.cluster, self.ready, TrialStore(), silent)
            choice = self.planning.choose(policy, trial=trials)
        parts = self._profiling(PROFILED[policy])
        found = [self._candidate(policy, choice, {**parts, "trials": trials.cost} if trials.cost.wall_s else parts)]
        if policy == "legion":
            found.insert(0, self._least_cost(choice, parts))
        return found

    def _least_cost(self, choice: Choice, parts: Mapping[str, MeasurementCost]) -> Candidate:
        scheme = choice.scheme
        if choice.wild_card is not None:
            flc = [range(first, end) for first, end in choice.wild_card.least_cost.flc]
            scheme = assign(
                self.model, self.planning.demand, flc, choice.shares, via_controller=True, policy=choice.scheme.policy
            )
        return self._candidate(LEAST_COST, replace(choice, scheme=scheme), parts)

    def _candidate(self, policy: str, choice: Choice, parts: Mapping[str, MeasurementCost]) -> Candidate:
        shares = choice.group_shares or (choice.shares,) * len(choice.scheme.groups)
        total = sum(parts.values(), MeasurementCost())
        return Candidate(
            policy=policy,
            scheme=choice.scheme,
            shares=shares,
            profiling={name: counted(cost) for name, cost in (*parts.items(), ("total", total))},
            predicted=Predicted(
                simulator_s=self.planning.predict(self.planning.programs(choice.scheme)).latency_s,
                parallel_s=self._sum_of_costs(choice.scheme, shares, "parallel"),
                one_at_a_time_s=self._sum_of_costs(choice.scheme, shares, "one at a time"),
            ),
        )

    def _sum_of_costs(self, scheme: Scheme, shares: Sequence[Shares], ports: PortModel) -> float | None:
        """The sum of T over the groups, each by its own shares; None where tensors go from peer to peer."""
        if not scheme.via:
            return None
        total = 0.0
        for group, of_group in zip(scheme.groups, shares, strict=True):
            working = {device: share for device, share in of_group.items() if share > 0}
            key = (ports, *working.items())
            if key not in self._costs_of:
                self._costs_of[key] = build_matrices(
                    self.model, self.planning.demand, self.planning.costs, working, ports=ports
                ).T
            total += float(self._costs_of[key][group.layers[0], group.layers[-1]])
        return total

    def _profiling(self, parts: Sequence[str]) -> dict[str, MeasurementCost]:
        """Of all devices: layers are measured on all at once, links one after the other."""
        costs: dict[str, MeasurementCost] = {}
        for part in parts:
            of_devices = [
                cost
                for name in self.cluster.devices
                if (cost := self.profile.devices[name].costs.get(part)) is not None
            ]
            total = sum(of_devices, MeasurementCost())
            if part == "links":
                costs[part] = total + self.profile.shared_cost
            else:
                costs[part] = replace(total, wall_s=max(cost.wall_s for cost in of_devices))
        return costs

    def _watched(self, trials: Trials, frames: int, shares: Shares) -> Callable[[Model, Scheme], float]:
        """The trials of a full search, telling how far it is. Its groups come in the order of the matrix."""
        matrices = build_matrices(self.model, self.planning.demand, self.planning.costs, shares)
        expected_s = [frames * float(s) + _OVERHEAD_S for s in matrices.T[matrices.T >= 0]]
        begun_s, done = perf_counter(), 0
        print(f"full search: {len(expected_s)} groups, about {sum(expected_s) / 60:.1f} min", flush=True)

        def trial(model: Model, scheme: Scheme) -> float:
            nonlocal done
            seconds = trials(model, scheme)
            done += 1
            if done % _TELL_EVERY == 0:
                spent_s, left_s = perf_counter() - begun_s, sum(expected_s[done:])
                print(f"  {done} groups, {spent_s / 60:.1f} min, about {left_s / 60:.1f} min left", flush=True)
            return seconds

        return trial


def searched_shares(cell: Cell, planning: Planning) -> Shares:
    """The shares of a cell's full search: those with which it began, by performance if it begins now."""
    if not cell.shares.exists():
        cell.shares.write_bytes(msgspec.json.encode(performance_shares(planning.costs)))
    return msgspec.json.decode(cell.shares.read_bytes(), type=dict[str, float])
