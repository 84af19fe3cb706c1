"""What no plan can beat: a lower bound on the latency."""

import numpy as np

from legion.cost.tables import Array, Places, Tables

_STEPS = 200


def least_s(tables: Tables) -> float:
    """A lower bound, in seconds, of all plans that share layers out along their axes, whatever is fused or sent.

    Computing must be done somewhere, at each device's best rate for each layer. If it were divisible at will, the last
    device would end no sooner than `sum_k min_d w_d c_dk` for any weights `w` of the devices that sum to one, `c_dk`
    being a whole layer's seconds at that rate (duality of linear programmes); good weights are found by subgradient
    steps. Before that, the thinnest part of an input has to arrive, and after it, the thinnest part of an output.
    """
    return _ends_s(tables) + _computing_s(_best_rates(tables))


def _best_rates(tables: Tables) -> Array:
    """(device, layer): seconds of a whole layer, at the number of units at which a unit is cheapest."""
    columns: list[Array] = []
    for layer, seconds in enumerate(tables.seconds):
        extent = int(tables.extents[layer])
        units: Places = np.arange(1, extent + 1)
        per_unit = np.min(seconds[:, 1:] / units, axis=1) - tables.saved_s_per_unit[layer]
        columns.append(np.maximum(per_unit, 0.0) * extent)
    return np.stack(columns, axis=1)


def _computing_s(whole_s: Array) -> float:
    speeds = 1.0 / np.maximum(whole_s.sum(axis=1), 1e-12)
    weights = speeds / speeds.sum()
    best = 0.0
    for step in range(1, _STEPS + 1):
        weighted = weights[:, None] * whole_s
        chosen = np.argmin(weighted, axis=0)
        best = max(best, float(weighted.min(axis=0).sum()))
        load = np.bincount(chosen, whole_s[chosen, np.arange(whole_s.shape[1])], len(weights))
        weights = weights * np.exp((load / max(load.max(), 1e-12) - 1.0) / step)
        weights /= weights.sum()
    return best


def _ends_s(tables: Tables) -> float:
    """The least way in of any part of an input, and the least way out of any part of an output."""
    controller = len(tables.devices)
    inputs = tables.bytes_per_unit[tables.layers :]
    outputs = tables.bytes_per_unit[: tables.layers][tables.is_output]
    inward_s = tables.latency_s[controller, :-1] + inputs.min(initial=np.inf) * tables.seconds_per_byte[controller, :-1]
    outward_s = (
        tables.latency_s[:-1, controller] + outputs.min(initial=np.inf) * tables.seconds_per_byte[:-1, controller]
    )
    return float(sum(seconds.min() for seconds in (inward_s, outward_s) if np.isfinite(seconds).all()))
