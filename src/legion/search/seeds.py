"""Plans to start a search from: sensible on some network, good on none."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from legion.cost.tables import Array, Places, Tables
from legion.search.row_plans import Flags, RowPlans, joined

_CHEAP = 0.25
"""A layer that takes less than this fraction of a mean one is fused with the one before."""

_TAILS = (0.5, 0.7, 0.85)
"""Fractions of the work after which all goes to one device."""


def seeds(tables: Tables) -> RowPlans:
    """Each device alone, the fastest first; then the fastest two, three..., see `shared`, to the end, or with the last
    layers on the fastest device alone.
    """
    speeds = tables.speeds
    by_speed = np.argsort(-speeds, kind="stable")
    batches = [alone(tables, int(device)) for device in by_speed]
    for count in range(2, len(by_speed) + 1):
        weights = np.where(np.isin(np.arange(len(speeds)), by_speed[:count]), speeds, 0.0)
        batches.append(shared(tables, weights))
        batches += [_with_tail(tables, batches[-1], tail, int(by_speed[0])) for tail in _tails(tables)]
    return joined(batches)


def shared(tables: Tables, weights: Array) -> RowPlans:
    """All layers in proportion to the devices' weights: each exchanged, or cheap ones fused, or fused in pairs too.

    Each with and without borders first.
    """
    starts = np.repeat(np.stack(list(_structures(tables))), 2, axis=0)
    cuts = np.repeat(shared_out(tables, weights)[None], len(starts), axis=0)
    borders = np.zeros_like(starts)
    borders[::2] = ~tables.is_fed
    return RowPlans(starts=starts, cuts=cuts, borders=borders, parts=np.ones(len(starts), dtype=np.int64))


def alone(tables: Tables, device: int) -> RowPlans:
    """One device computes everything as one group."""
    starts = np.zeros((1, tables.layers), dtype=np.bool_)
    starts[:, 0] = True
    cuts = shared_out(tables, np.eye(len(tables.devices))[device])
    return RowPlans(starts=starts, cuts=cuts[None], borders=np.zeros_like(starts), parts=np.ones(1, dtype=np.int64))


def shared_out(tables: Tables, weights: Array) -> Places:
    """(layer, device + 1): in proportion to the devices' weights; a layer that can't be split to the heaviest."""
    fractions = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
    extents = tables.extents[: tables.layers, None]
    cuts = np.rint(extents * fractions).astype(np.int64)
    heaviest = int(np.argmax(weights))
    whole = np.where(np.arange(len(fractions)) > heaviest, 1, 0)
    return np.where(extents == 1, whole, cuts)


def _structures(tables: Tables) -> Iterator[Flags]:
    every = np.ones(tables.layers, dtype=np.bool_)
    yield every
    seconds = tables.least_whole_s
    cheap = seconds < _CHEAP * seconds.mean()
    fused = every.copy()
    for layer in range(1, tables.layers):
        follows = any(edge.source == layer - 1 for edge in tables.edges[layer])
        fused[layer] = not (cheap[layer] and follows)
    yield fused
    pairs = fused.copy()
    pairs[1::2] = False
    yield pairs


def _tails(tables: Tables) -> tuple[int, ...]:
    done = list(accumulate(map(float, tables.least_whole_s)))
    return tuple(bisect_left(done, fraction * done[-1]) for fraction in _TAILS)


def _with_tail(tables: Tables, plans: RowPlans, tail: int, device: int) -> RowPlans:
    """The same plans, with the layers from `tail` on as one group on one device."""
    cuts, starts = plans.cuts.copy(), plans.starts.copy()
    cuts[:, tail:] = tables.extents[tail : tables.layers, None] * (np.arange(len(tables.devices) + 1) > device)
    starts[:, tail:] = False
    starts[:, tail] = True
    return RowPlans(starts=starts, cuts=cuts, borders=plans.borders, parts=plans.parts)
