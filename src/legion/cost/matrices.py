"""The matrices of the paper: Set, Run, Get, Alpha, and the Cost of every group of consecutive layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from legion.cost.groups import connected_groups
from legion.cost.model import CostModel
from legion.cost.one_port import one_port_costs
from legion.cost.placement import INFEASIBLE, Placement, last_readers, owned_boxes, place
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import Shares

Matrix = NDArray[np.float64]

PortModel = Literal["parallel", "one at a time"]
"""How the controller's ports serve several devices: each as if it were alone, or one message after another."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrices:
    """All in seconds but A, which is a ratio; axes are (device, layer) or (device, layer, last layer).

    `S[d, i]` sends layer i's input share to d, `R[d, j]` fetches layer j's output share from it, `E[d, k]` runs layer
    k's share there. `A[d, k, j]` is the growth of layer k's share in a group that ends with layer j: 1 on the diagonal,
    0 where d computes nothing of k for such a group. `T[i, j]` is the cost of the group i..j. Where d has no share of a
    layer, S and E are those of the thinnest slice of it (of all of it, where it can't be split) and A counts in that.
    """

    devices: tuple[str, ...]
    S: Matrix
    R: Matrix
    E: Matrix
    A: Matrix
    T: Matrix


def build_matrices(
    model: Model, demand: Demand, cost: CostModel, shares: Shares, *, ports: PortModel = "parallel"
) -> Matrices:
    """`T[i,j] = max_d(S_d[i]*A_d[i,j] + sum_{k=i..j} E_d[k]*A_d[k,j] + R_d[j])`, the paper's formula on a chain.

    On a graph, layers stand in topological order. Then the first term is the sum over the tensors that come from
    outside, each counted once, by the reader that needs most of it; the last term is the sum over the tensors that
    leave. Tensors that leave before the last layer are computed at least at their own share.

    With ports that carry one message at a time, T is instead the time until the last output is there, by the boxes that
    each device is sent, computes and hands over; see `one_port_costs`.
    """
    devices = tuple(shares)
    owned = owned_boxes(model, demand, shares)
    places = [place(model, demand, cost, owned[device], device) for device in devices]
    return Matrices(
        devices=devices,
        S=np.array([[sum(sets.values()) for sets in where.set_s] for where in places]),
        R=np.array([[sum(gets.values()) for gets in where.get_s] for where in places]),
        E=np.array([where.run_s for where in places]),
        A=np.array([where.alpha for where in places]),
        T=_group_costs(model, places) if ports == "parallel" else one_port_costs(model, demand, cost, shares),
    )


def _group_costs(model: Model, places: list[Placement]) -> Matrix:
    count = len(model.layers)
    costs = np.full((count, count), INFEASIBLE)
    last_reader = last_readers(model)
    connected = connected_groups(model)
    terms = _Terms(places)
    for last in range(count):
        group = _Group(terms, last)
        for first in range(last, -1, -1):
            group.prepend(model, first, last_reader)
            if connected[first, last]:
                costs[first, last] = group.cost_s()
    return costs


class _Terms:
    """The terms of the cost with the devices as the last axis, so that a group is a few sums of short vectors."""

    def __init__(self, places: list[Placement]) -> None:
        alpha = np.stack([where.alpha for where in places], axis=-1)
        self.alpha = alpha
        self.run_s = np.array([where.run_s for where in places]).T[:, None, :] * alpha
        self.set_s = [_by_tensor([where.set_s[layer] for where in places]) for layer in range(len(alpha))]
        self.get_s = [_by_tensor([where.get_s[layer] for where in places]) for layer in range(len(alpha))]


def _by_tensor(by_device: list[Mapping[str, float]]) -> Mapping[str, Matrix]:
    return {tensor: np.array([values[tensor] for values in by_device]) for tensor in by_device[0]}


class _Group:
    """The cost of the group first..last while it grows towards the first layer; vectors are over devices."""

    def __init__(self, terms: _Terms, last: int) -> None:
        self._terms = terms
        self._last = last
        self._set_s: dict[str, Matrix] = {}
        self._run_s = np.zeros(terms.alpha.shape[-1])
        self._get_s = np.zeros(terms.alpha.shape[-1])

    def prepend(self, model: Model, first: int, last_reader: Mapping[str, int]) -> None:
        layer = model.layers[first]
        alpha = self._terms.alpha[first, self._last]
        self._run_s += self._terms.run_s[first, self._last]
        for tensor in layer.outputs:
            self._set_s.pop(tensor, None)
            if last_reader[tensor] > self._last:
                self._get_s += self._terms.get_s[first][tensor]
        for tensor, set_s in self._terms.set_s[first].items():
            self._set_s[tensor] = np.maximum(self._set_s.get(tensor, 0.0), set_s * alpha)

    def cost_s(self) -> float:
        return float(np.max(sum(self._set_s.values(), self._run_s + self._get_s)))
