"""What groups cost a device as a function of its share of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from legion.cost.group_terms import group_terms
from legion.cost.model import CostModel
from legion.geometry.demand import Demand
from legion.geometry.splitting import splits_features
from legion.model.model import Model
from legion.profile.extents import tile, whole_extent

Seconds = NDArray[np.float64]
"""(device, group)."""

_LEAST_S = 1e-12
"""A whole group takes at least this long, so that shares can be solved for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """`fixed_s + per_share_s * share`; the fixed part is what any share has to pay: latencies, and the halo."""

    fixed_s: Seconds
    per_share_s: Seconds

    def at(self, shares: Seconds) -> Seconds:
        """Seconds of these shares; a device that has none takes none."""
        return np.where(shares > 0, self.fixed_s + self.per_share_s * shares, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupTimes:
    """Of each group (first and last layer): scatter and gather, running, and all of it for the whole on one device.

    `divisible` says of which groups the last layer can be split; of others the affine figures mean nothing.
    """

    groups: tuple[tuple[int, int], ...]
    transfer: Affine
    run: Affine
    alone_s: Seconds
    divisible: NDArray[np.bool_]


def group_times(model: Model, demand: Demand, cost: CostModel, groups: Sequence[tuple[int, int]]) -> GroupTimes:
    """The times of groups of the layers first..last on the devices of the cost model, in their order.

    The affine figures go through a quarter and a half of the outputs, cut from the middle, so that halos are in them.
    """
    wholes = [whole_extent(model, demand, layer) for layer in range(len(model.layers))]
    quarters = [-(-whole // 4) for whole in wholes]
    halves = [min(whole, max(-(-whole // 2), quarter + 1)) for whole, quarter in zip(wholes, quarters, strict=True)]
    small, large, alone = (_seconds(model, demand, cost, groups, extents) for extents in (quarters, halves, wholes))
    lasts = [last for _, last in groups]
    fractions = [np.array([extents[last] / wholes[last] for last in lasts]) for extents in (quarters, halves)]
    return GroupTimes(
        groups=tuple(groups),
        transfer=_affine(fractions, (small[0], large[0])),
        run=_affine(fractions, (small[1], large[1])),
        alone_s=alone[0] + alone[1],
        divisible=np.array([wholes[last] > 1 and not splits_features(model, last) for last in lasts]),
    )


def _affine(fractions: Sequence[NDArray[np.float64]], seconds: Sequence[Seconds]) -> Affine:
    rise = np.maximum(fractions[1] - fractions[0], _LEAST_S)
    per_share_s = np.maximum((seconds[1] - seconds[0]) / rise, _LEAST_S)
    return Affine(fixed_s=np.maximum(seconds[0] - per_share_s * fractions[0], 0.0), per_share_s=per_share_s)


def _seconds(
    model: Model, demand: Demand, cost: CostModel, groups: Sequence[tuple[int, int]], extents: Sequence[int]
) -> tuple[Seconds, Seconds]:
    """Scatter and gather, and running, where each device computes these extents of the layers that leave the group."""
    owned = [tile(model, demand, layer, extent) for layer, extent in enumerate(extents)]
    places = {group: place for place, group in enumerate(groups)}
    transfer_s, run_s = np.zeros((2, len(cost.devices), len(groups)))
    firsts: dict[int, int] = {}
    for first, last in groups:
        firsts[last] = min(first, firsts.get(last, first))
    for last, stop in firsts.items():
        for first, terms in group_terms(model, demand, cost, cost.devices, owned, last):
            if (first, last) in places:
                transfer_s[:, places[first, last]] = terms.transfer_s
                run_s[:, places[first, last]] = terms.run_s
            if first == stop:
                break
    return transfer_s, run_s
