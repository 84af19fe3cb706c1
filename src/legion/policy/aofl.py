"""AOFL (SEC 2019): learned layer times, summed transfers, shares by group that let all devices finish together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from legion.cost.by_share import GroupTimes, group_times
from legion.cost.learned import learned_cost_model
from legion.cost.model import CostModel
from legion.cost.placement import INFEASIBLE
from legion.cost.shares import whole_model_s
from legion.errors import InputError
from legion.plan.assign import Shares, assign, shares_by_layer
from legion.policy.aofl_groups import aofl_groups
from legion.policy.base import Choice, Request, groups_of, shares_for
from legion.search.equal_finish import equal_finish_shares
from legion.search.shortest_path import Partition, least_cost_partition

Fractions = NDArray[np.float64]
"""(device, group)."""


class AoflPolicy:
    """Each group is scattered and gathered by the controller, in shares of its own."""

    name = "aofl"
    learns = True

    def choose(self, request: Request) -> Choice:
        """`t(i,j) = min_k group(i,k) + t(i+k,j-k)` for the fastest two devices, three...; the best count is kept.

        A group costs its transfers, summed over devices, and the longest of its runs. One device alone has all layers
        as one group. Where shares are asked for, all groups have these, and no counts are tried. Raises InputError
        where the profile has no training samples.
        """
        if request.profile is None:
            raise InputError("The policy aofl learns from a profile's training samples; give it one.")
        cost = learned_cost_model(request.model, request.demand, request.profile, request.cost.devices)
        times = group_times(request.model, request.demand, cost, aofl_groups(request.model))
        if request.shares is not None:
            fractions = _asked_for(cost, shares_for(request), times)
            return _choice(request, cost, _partitioned(times, fractions))
        by_speed = sorted(range(len(cost.devices)), key=lambda device: whole_model_s(cost, cost.devices[device]))
        plans = [_alone(request, cost, by_speed[0])]
        plans += [_partitioned(times, _solved(times, by_speed[:count])) for count in range(2, len(by_speed) + 1)]
        return _choice(request, cost, min(plans, key=lambda plan: plan.partition.total))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """A partition with the cost and the devices' fractions of each of its groups."""

    partition: Partition
    group_s: tuple[float, ...]
    fractions: Fractions


def _alone(request: Request, cost: CostModel, device: int) -> _Plan:
    whole = group_times(request.model, request.demand, cost, [(0, len(request.model.layers) - 1)])
    return _partitioned(whole, np.eye(len(cost.devices))[:, [device]])


def _solved(times: GroupTimes, devices: Sequence[int]) -> Fractions:
    """Fractions with which these devices, the fastest first, finish together; it alone has what is not divisible."""
    fractions = np.zeros(times.alone_s.shape)
    fractions[devices[0]] = 1.0
    chosen = np.array(devices)[:, None], np.flatnonzero(times.divisible)
    fixed_s = times.transfer.fixed_s + times.run.fixed_s
    per_share_s = times.transfer.per_share_s + times.run.per_share_s
    fractions[chosen] = equal_finish_shares(fixed_s[chosen], per_share_s[chosen])
    return fractions


def _asked_for(cost: CostModel, shares: Shares, times: GroupTimes) -> Fractions:
    """The same fractions for all groups; the device with the most has what is not divisible."""
    wanted = np.array([shares.get(device, 0.0) for device in cost.devices]) / sum(shares.values())
    whole = np.eye(len(wanted))[np.argmax(wanted)]
    return np.where(times.divisible, wanted[:, None], whole[:, None])


def _partitioned(times: GroupTimes, fractions: Fractions) -> _Plan:
    group_s = times.transfer.at(fractions).sum(axis=0) + times.run.at(fractions).max(axis=0)
    is_alone = np.count_nonzero(fractions, axis=0) == 1
    group_s = np.where(is_alone, times.alone_s[np.argmax(fractions, axis=0), range(len(group_s))], group_s)
    layers = 1 + max(last for _, last in times.groups)
    costs = np.full((layers, layers), INFEASIBLE)
    costs[tuple(zip(*times.groups, strict=True))] = group_s
    partition = least_cost_partition(costs)
    places = [times.groups.index((first, end - 1)) for first, end in partition.groups]
    return _Plan(partition=partition, group_s=tuple(map(float, group_s[places])), fractions=fractions[:, places])


def _choice(request: Request, cost: CostModel, plan: _Plan) -> Choice:
    """The devices that no group needs are left out, unless shares were asked for."""
    used = [place for place, fractions in enumerate(plan.fractions) if request.shares is not None or fractions.any()]
    by_group: list[Shares] = [
        request.shares or {cost.devices[place]: float(fractions[place]) for place in used}
        for fractions in plan.fractions.T
    ]
    return Choice(
        scheme=assign(
            request.model,
            request.demand,
            groups_of(plan.partition.groups),
            shares_by_layer(groups_of(plan.partition.groups), by_group),
            via_controller=True,
            policy=AoflPolicy.name,
        ),
        shares=request.shares or _mean(by_group, plan.group_s),
        group_shares=tuple(by_group),
        predicted_group_s=plan.group_s,
    )


def _mean(by_group: Sequence[Shares], group_s: Sequence[float]) -> Shares:
    """The mean over the groups, each weighed by its seconds."""
    return {
        device: sum(shares[device] * seconds for shares, seconds in zip(by_group, group_s, strict=True)) / sum(group_s)
        for device in by_group[0]
    }
