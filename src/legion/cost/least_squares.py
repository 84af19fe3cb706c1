"""Least squares with no coefficient below zero, for figures that cannot shrink: latencies, seconds per byte."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def relative_least_squares(columns: Array, seconds: Array) -> Array:
    """The coefficients, none below zero, with the least squared relative error; see `least_squares`.

    Relative, where samples span orders of magnitude and the small ones carry the fixed costs.
    """
    weights = 1.0 / np.maximum(seconds, 1e-9)
    return least_squares(columns * weights[:, None], seconds * weights)


def least_squares(columns: Array, seconds: Array) -> Array:
    """The coefficients, none below zero, with the least squared error.

    `columns` is (samples, coefficients), `seconds` (samples). All subsets of the columns are tried, so let them be few.
    """
    scale = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    weighted, target = columns / scale, seconds
    count = columns.shape[1]
    subsets = [chosen for size in range(count, 0, -1) for chosen in combinations(range(count), size)]
    candidates = [_solve(weighted, target, chosen) for chosen in subsets]
    feasible = [candidate for candidate in candidates if (candidate >= 0).all()]
    best = min(feasible, key=lambda c: float(np.sum((weighted @ c - target) ** 2)), default=np.zeros(count))
    return best / scale


def _solve(columns: Array, target: Array, chosen: tuple[int, ...]) -> Array:
    """Least squares on the chosen columns alone, zero for the rest."""
    solution = np.zeros(columns.shape[1])
    solution[list(chosen)] = np.linalg.lstsq(columns[:, list(chosen)], target)[0]
    return solution
