"""What layers save by running as one, from what was measured together."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from legion.cost.layer_cost import Saving
from legion.cost.least_squares import least_squares
from legion.cost.model import CostModel
from legion.geometry.segment import Segment

_HALVINGS = 30

Measured = tuple[Segment, float]
"""A segment of layers, and the seconds of its run."""


def with_savings(separate: CostModel, device: str, joined: Sequence[Measured]) -> CostModel:
    """The cost model with what this device's layers save by running as one; `joined` is as `joined_layers` has it.

    Each joint of two layers saves a call, and each byte that stays between them its way out of the engine and in again.
    Both come from the tiles that were measured together, and from the mere call, which counts as one joint: with the
    least squared relative error, neither below zero. What bytes of whole layers save is what makes the stretch that was
    measured whole take what it took.
    """
    if not joined:
        return separate
    stretch, *tiles = joined
    per_joint_s, per_byte_s = _saved_in_tiles(separate, device, tiles or [stretch])

    def saving(whole_s: float) -> CostModel:
        return replace(
            separate,
            call_s={**separate.call_s, device: per_joint_s},
            savings={**separate.savings, device: Saving(tile_s=per_byte_s, whole_s=whole_s)},
        )

    return saving(_whole_s(saving, device, stretch))


def _saved_in_tiles(separate: CostModel, device: str, tiles: Sequence[Measured]) -> tuple[float, float]:
    """What each joint saves, and each byte."""
    call_s = separate.call_s[device]
    joints = np.array([1] + [len(segment.layers) - 1 for segment, _ in tiles], dtype=np.float64)
    kept_bytes = np.array([0] + [separate.kept_bytes(segment) for segment, _ in tiles], dtype=np.float64)
    saved_s = np.array([call_s] + [_apart_s(separate, device, segment) - seconds for segment, seconds in tiles])
    weights = 1 / np.array([call_s] + [seconds for _, seconds in tiles])
    columns = np.stack([joints, kept_bytes], axis=1)
    per_joint_s, per_byte_s = least_squares(columns * weights[:, None], saved_s * weights).tolist()
    return per_joint_s, per_byte_s


def _whole_s(saving: Callable[[float], CostModel], device: str, stretch: Measured) -> float:
    """What a byte of whole layers has to save so that the stretch takes what was measured.

    Nothing where it took longer than its layers, and never more than if all that these take was saved.
    """
    segment, measured_s = stretch
    unsaved = saving(0.0)
    least_s, most_s = 0.0, unsaved.run_s(device, segment) / max(1, unsaved.kept_bytes(segment))
    for _ in range(_HALVINGS):
        middle_s = (least_s + most_s) / 2
        if saving(middle_s).run_s(device, segment) > measured_s:
            least_s = middle_s
        else:
            most_s = middle_s
    return least_s


def _apart_s(separate: CostModel, device: str, segment: Segment) -> float:
    """The layers one by one, each with a call."""
    return separate.run_s(device, segment) + (len(segment.layers) - 1) * separate.call_s[device]
