"""What layers save by running as one, from what was measured together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from legion.cost.model import CostModel
from legion.geometry.segment import Segment
from legion.profile.statistics import Point

Array = NDArray[np.float64]

_LEAST_VARIATION = 0.05
"""Where runs hardly vary, or were not repeated, the model is no better than this."""


def saved_s_per_byte(
    separate: CostModel, device: str, joined: Sequence[tuple[Segment, Point]], variation: float
) -> float:
    """What layers run as one save against each by itself, per byte of what stays between them; never below zero.

    The mean over what was measured together, by how sure each is: runs vary, and so does what single joints save.
    """
    rates: list[float] = []
    squared_errors: list[float] = []
    joints: list[int] = []
    for segment, point in joined:
        # Samples hold no step of a program, which a run counts.
        apart_s = separate.run_s(device, segment) - separate.message_s(device)
        if kept_bytes := separate.kept_bytes(segment):
            rates.append((apart_s - point.seconds) / kept_bytes)
            squared_errors.append((max(variation, _LEAST_VARIATION) * point.seconds / kept_bytes) ** 2 / point.runs)
            joints.append(len(segment.layers) - 1)
    return max(0.0, mean_effect(np.array(rates), np.array(squared_errors), np.array(joints))) if rates else 0.0


def mean_effect(effects: Array, squared_errors: Array, counts: Array) -> float:
    """The mean of effects that were measured with errors and differ in truth, too: DerSimonian and Laird (1986).

    An effect that is itself the mean of several differs so much less.
    """
    weights = 1 / squared_errors
    squares = float(weights @ (effects - np.average(effects, weights=weights)) ** 2)
    freedom = weights.sum() - weights @ weights / weights.sum()
    variance = max(0.0, squares - (len(effects) - 1)) / max(freedom, 1e-300)
    return float(np.average(effects, weights=1 / (squared_errors + variance / counts)))
