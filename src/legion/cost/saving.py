"""What layers save by running as one, from what was measured together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from legion.cost.model import CostModel
from legion.geometry.segment import Segment
from legion.profile.statistics import Point

Array = NDArray[np.float64]

_LEAST_VARIATION = 0.05
"""Where runs hardly vary, or were not repeated, the model is no better than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved:
    """Of one measurement: how many joints of layers, the bytes that stayed between them, seconds saved, their error."""

    joints: int
    kept_bytes: int
    seconds: float
    error_s: float


def with_savings(
    separate: CostModel, device: str, joined: Sequence[tuple[Segment, Point]], variation: float
) -> CostModel:
    """The cost model with what this device's layers save by running as one, on top of all calls but one.

    Per byte of what stays between them it is the mean over what was measured together, by how sure each is: runs vary,
    and so does what single joints save. What that leaves unexplained of the longest stretch is no matter of bytes, but
    of code and buffers that stay in the caches; it adds to what a call takes, by how sure it is against a mere call.
    """
    saved = [_saved(separate, device, segment, point, variation) for segment, point in joined]
    per_byte_s = _per_byte_s([each for each in saved if each.kept_bytes])
    call_s = separate.call_s[device] + _more_per_joint_s(saved, per_byte_s, separate.call_s[device])
    return replace(
        separate,
        call_s={**separate.call_s, device: call_s},
        saved_s_per_byte={**separate.saved_s_per_byte, device: per_byte_s},
    )


def _saved(separate: CostModel, device: str, segment: Segment, point: Point, variation: float) -> _Saved:
    # Samples hold no step of a program, which a run counts.
    apart_s = separate.run_s(device, segment) - separate.message_s(device)
    return _Saved(
        joints=len(segment.layers) - 1,
        kept_bytes=separate.kept_bytes(segment),
        seconds=apart_s - point.seconds,
        error_s=max(variation, _LEAST_VARIATION) * point.seconds / sqrt(point.runs),
    )


def _per_byte_s(saved: Sequence[_Saved]) -> float:
    if not saved:
        return 0.0
    kept_bytes = np.array([each.kept_bytes for each in saved])
    rates = np.array([each.seconds for each in saved]) / kept_bytes
    errors = np.array([each.error_s for each in saved]) / kept_bytes
    return max(0.0, mean_effect(rates, errors**2, np.array([each.joints for each in saved])))


def _more_per_joint_s(saved: Sequence[_Saved], per_byte_s: float, call_s: float) -> float:
    if not saved:
        return 0.0
    longest = max(saved, key=lambda each: each.joints)
    left_s = (longest.seconds - per_byte_s * longest.kept_bytes) / longest.joints
    error_s = longest.error_s / longest.joints
    return max(0.0, left_s) * call_s**2 / (call_s**2 + error_s**2)


def mean_effect(effects: Array, squared_errors: Array, counts: Array) -> float:
    """The mean of effects that were measured with errors and differ in truth, too: DerSimonian and Laird (1986).

    An effect that is itself the mean of several differs so much less.
    """
    weights = 1 / squared_errors
    squares = float(weights @ (effects - np.average(effects, weights=weights)) ** 2)
    freedom = weights.sum() - weights @ weights / weights.sum()
    variance = max(0.0, squares - (len(effects) - 1)) / max(freedom, 1e-300)
    return float(np.average(effects, weights=1 / (squared_errors + variance / counts)))
