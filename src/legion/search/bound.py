"""What no plan can beat: a lower bound on the latency."""

from dataclasses import dataclass

import numpy as np

from legion.cost.tables import Array, Places, Tables
from legion.search.row_plans import Flags

_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The parts of a lower bound: the first way in, computing, and the last way out."""

    inward_s: float
    computing_s: float
    outward_s: float

    @property
    def latency_s(self) -> float:
        return self.inward_s + self.computing_s + self.outward_s


def least_s(tables: Tables) -> float:
    """A lower bound, in seconds, of all plans that share layers out along their axes, whatever is fused or sent."""
    return lower_bound(tables).latency_s


def lower_bound(tables: Tables) -> Bound:
    """The same in its parts.

    What the outputs need must be computed somewhere, at each device's best rate for each layer. Before that, the
    thinnest part of an input has to arrive, and after it, the thinnest part of an output.
    """
    inward_s, outward_s = _ends_s(tables)
    return Bound(inward_s=inward_s, computing_s=divided(least_work_s(tables))[0], outward_s=outward_s)


def best_rates(tables: Tables) -> Array:
    """(device, layer): seconds of a whole layer, at the number of units at which a unit is cheapest."""
    columns: list[Array] = []
    for layer, seconds in enumerate(tables.seconds):
        extent = int(tables.extents[layer])
        units: Places = np.arange(1, extent + 1)
        per_unit = np.min((seconds - tables.saved_s[layer])[:, 1:] / units, axis=1)
        columns.append(per_unit * extent)
    return np.stack(columns, axis=1)


def least_work_s(tables: Tables) -> Array:
    """(device, layer): the same for what the model's outputs need of a layer. A pool may pass over the last row."""
    return best_rates(tables) * tables.breadths * [float(units.mean()) for units in _needed_units(tables)]


def _needed_units(tables: Tables) -> list[Flags]:
    """By layer, the units that some unit of an output needs, whoever computes it."""
    needed = [
        np.full(tables.extents[layer], is_output, dtype=np.bool_) for layer, is_output in enumerate(tables.is_output)
    ]
    for layer in reversed(range(tables.layers)):
        units = np.flatnonzero(needed[layer])
        for edge in tables.edges[layer]:
            if edge.source < tables.layers:
                low, high = edge.low[units], edge.high[units + 1]
                reads = np.zeros(tables.extents[edge.source] + 1)
                np.add.at(reads, low[low < high], 1)
                np.add.at(reads, high[low < high], -1)
                needed[edge.source] |= np.cumsum(reads)[:-1] > 0
    return needed


def divided(whole_s: Array) -> tuple[float, Array]:
    """Seconds of computing that was divisible at will, and weights of the devices that prove it; they sum to one.

    `whole_s` is (device, layer): a whole layer's seconds `c_dk`. The last device ends no sooner than
    `sum_k min_d w_d c_dk` for any weights `w` (duality of linear programmes); good ones are found by subgradient steps.
    """
    speeds = 1.0 / np.maximum(whole_s.sum(axis=1), 1e-12)
    weights = best_weights = speeds / speeds.sum()
    best = 0.0
    for step in range(1, _STEPS + 1):
        weighted = weights[:, None] * whole_s
        chosen = np.argmin(weighted, axis=0)
        least = float(weighted.min(axis=0).sum())
        if least > best:
            best, best_weights = least, weights
        load = np.bincount(chosen, whole_s[chosen, np.arange(whole_s.shape[1])], len(weights))
        weights = weights * np.exp((load / max(np.abs(load).max(), 1e-12) - 1.0) / step)
        weights = weights / weights.sum()
    return best, best_weights


def _ends_s(tables: Tables) -> tuple[float, float]:
    """The least way in of any part of an input, and the least way out of any part of an output."""
    controller = len(tables.devices)
    inputs = tables.bytes_per_unit[tables.layers :]
    outputs = tables.bytes_per_unit[: tables.layers][tables.is_output]
    inward_s = _message_s(tables, np.s_[controller, :-1], inputs)
    outward_s = _message_s(tables, np.s_[:-1, controller], outputs)
    return _least(inward_s), _least(outward_s)


def _message_s(tables: Tables, links: tuple[slice | int, ...], sizes_bytes: Array) -> Array:
    """What the smallest of some messages takes after a pause, by link."""
    filling_s = sizes_bytes.min(initial=np.inf) * tables.seconds_per_byte[links]
    return tables.latency_s[links] + np.maximum(0.0, filling_s - tables.burst_s[links])


def _least(seconds: Array) -> float:
    return float(seconds.min()) if np.isfinite(seconds).all() else 0.0
