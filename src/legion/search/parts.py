"""Shares in parts, as arrays; see `legion.plan.fed_in_parts`, which makes the same of a scheme."""

import numpy as np

from legion.cost.tables import Places, Tables


def part_cut(low: Places, high: Places, parts: Places, part: int) -> Places:
    """(device, plan): where a part of `low`..`high` begins, or where all ends if there are fewer.

    There are `parts`, (plan,), of equal extent, or as many as there are units.
    """
    number = np.clip(parts, 1, np.maximum(high - low, 1))
    return low + (high - low) * np.minimum(part, number) // number


def of_layer(tables: Tables, layer: Places, places: Places) -> Places:
    """(layer, device, plan): places, (device, plan), in one layer of each plan, and zeros."""
    everywhere = np.zeros((tables.layers, *places.shape), dtype=np.int64)
    everywhere[layer, :, np.arange(len(layer))] = places.T
    return everywhere
