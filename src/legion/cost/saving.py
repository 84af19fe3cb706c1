"""What layers save by running as one, from what was measured together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from legion.cost.least_squares import least_squares
from legion.cost.model import CostModel
from legion.geometry.segment import Segment


def with_savings(separate: CostModel, device: str, joined: Sequence[tuple[Segment, float]]) -> CostModel:
    """The cost model with what this device's layers save by running as one; `joined` are the seconds of segments.

    Each joint of two layers saves a call, and each byte that stays between them its way out of the engine and in again.
    Both come from all that was measured together, and from the mere call, which counts as one joint: with the least
    squared relative error, neither below zero.
    """
    call_s = separate.call_s[device]
    joints = np.array([1] + [len(segment.layers) - 1 for segment, _ in joined], dtype=np.float64)
    kept_bytes = np.array([0] + [separate.kept_bytes(segment) for segment, _ in joined], dtype=np.float64)
    saved_s = np.array([call_s] + [_apart_s(separate, device, segment) - seconds for segment, seconds in joined])
    weights = 1 / np.array([call_s] + [seconds for _, seconds in joined])
    columns = np.stack([joints, kept_bytes], axis=1)
    per_joint_s, per_byte_s = least_squares(columns * weights[:, None], saved_s * weights).tolist()
    return replace(
        separate,
        call_s={**separate.call_s, device: per_joint_s},
        saved_s_per_byte={**separate.saved_s_per_byte, device: per_byte_s},
    )


def _apart_s(separate: CostModel, device: str, segment: Segment) -> float:
    """The layers one by one, each with a call."""
    return separate.run_s(device, segment) + (len(segment.layers) - 1) * separate.call_s[device]
