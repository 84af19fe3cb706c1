"""Each group of a full search beside what every predictor says of it: its runs, and its way through the ports."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from bench.paper.results import MeasuredGroup
from legion.cost.group_terms import GroupTerms, group_terms, joined
from legion.cost.learned import learned_cost_model
from legion.cost.matrices import Matrices, build_matrices
from legion.cost.model import CostModel
from legion.cost.one_port import one_port_s
from legion.cost.placement import owned_boxes
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.model.part import part_of
from legion.plan.assign import Shares, assign
from legion.plan.lower import lower
from legion.plan.program import Program, Run
from legion.plan.scheme import CONTROLLER, Scheme
from legion.profile.samples import Profile
from legion.session.stages import Planning
from legion.session.trial_store import TrialRecord, TrialStore, trial_key
from legion.simulate.simulate import simulate


class _Predictors:
    """All that is predicted of a group of the model at some shares."""

    def __init__(self, planning: Planning, profile: Profile, shares: Shares) -> None:
        model = planning.model
        self._planning = planning
        self.matrices: Matrices = build_matrices(model, planning.demand, planning.costs, shares)
        self._one_port_s = build_matrices(model, planning.demand, planning.costs, shares, ports="one at a time").T
        self._learned = (
            learned_cost_model(model, planning.demand, profile, planning.devices)
            if all("training" in profile.devices[name].costs for name in planning.devices)
            else None
        )
        self._owned = owned_boxes(model, planning.demand, shares)

    def group(self, first: int, end: int, record: TrialRecord, programs: Mapping[str, Program]) -> MeasuredGroup:
        part = part_of(self._planning.model, first, end)
        costs = _of_part(self._planning.costs, first, end)
        run_s = {name: median(seconds) for name, seconds in record.run_s.items()}
        terms = self._terms(first, end)
        with_measured = replace(terms, run_s=np.array([run_s.get(name, 0.0) for name in self._owned]))
        parallel_s = with_measured.transfer_s + with_measured.run_s
        predicted_run_s = {
            "E*A": self._by_matrices(first, end - 1),
            "simulator": _runs(programs, costs),
        }
        if self._learned is not None:
            predicted_run_s["aofl"] = _runs(programs, _of_part(self._learned, first, end))
        return MeasuredGroup(
            first=first,
            end=end,
            latency_s=record.latencies_s,
            run_s=record.run_s,
            overrun_s=record.overruns_s,
            predicted_run_s=predicted_run_s,
            predicted_s={
                "parallel": float(self.matrices.T[first, end - 1]),
                "one at a time": float(self._one_port_s[first, end - 1]),
                "simulator": simulate(programs, part, costs).latency_s,
                "parallel, measured runs": float(parallel_s.max()),
                "one at a time, measured runs": one_port_s(with_measured),
            },
        )

    def _by_matrices(self, first: int, last: int) -> Mapping[str, float]:
        seconds = (self.matrices.E * self.matrices.A[:, :, last])[:, first : last + 1].sum(axis=1)
        return dict(zip(self.matrices.devices, map(float, seconds), strict=True))

    def _terms(self, first: int, end: int) -> GroupTerms:
        planning = self._planning
        of_devices = [
            next(
                terms
                for index, terms in group_terms(
                    planning.model, planning.demand, planning.costs, (name,), boxes, end - 1
                )
                if index == first
            )
            for name, boxes in self._owned.items()
        ]
        return joined(of_devices)


def measured_groups(
    planning: Planning, profile: Profile, store: TrialStore, shares: Shares
) -> tuple[MeasuredGroup, ...]:
    """All groups that the store holds at these shares, measured on the profile's devices."""
    predictors = _Predictors(planning, profile, shares)
    devices = {name: profile.devices[name].device for name in planning.devices}
    groups: list[MeasuredGroup] = []
    for first, last in np.argwhere(predictors.matrices.T >= 0).tolist():
        part, scheme = group_alone(planning.model, shares, first, last + 1)
        record = store.get(trial_key(scheme, devices))
        if record is not None:
            groups.append(predictors.group(first, last + 1, record, lower(part, Demand(part), scheme)))
    return tuple(groups)


def group_alone(model: Model, shares: Shares, first: int, end: int) -> tuple[Model, Scheme]:
    """A group as a model of its own, and how a full search runs it."""
    part = part_of(model, first, end)
    return part, assign(
        part, Demand(part), [range(len(part.layers))], shares, via_controller=True, policy="full-search"
    )


def _of_part(costs: CostModel, first: int, end: int) -> CostModel:
    """The same costs for a part of the model, whose layers are counted from its first."""
    return replace(
        costs,
        layers=costs.layers[first:end],
        curves={device: curves[first:end] for device, curves in costs.curves.items()},
    )


def _runs(programs: Mapping[str, Program], costs: CostModel) -> Mapping[str, float]:
    """Each device's seconds of running."""
    return {
        name: sum(_run_s(costs, name, program.instructions)) for name, program in programs.items() if name != CONTROLLER
    }


def _run_s(costs: CostModel, device: str, instructions: Sequence[object]) -> list[float]:
    return [costs.run_s(device, each.segment) for each in instructions if isinstance(each, Run)]
