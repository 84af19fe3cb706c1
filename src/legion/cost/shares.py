"""Which fraction of each layer a device should get."""

from legion.cost.model import CostModel
from legion.plan.assign import Shares

_LEAST_S = 1e-9
"""Keeps a model whose layers are all counted as free from dividing by zero."""


def performance_shares(cost: CostModel) -> Shares:
    """Fractions in proportion to measured performance: one over the device's time for the whole model."""
    speeds = {device: 1.0 / max(whole_model_s(cost, device), _LEAST_S) for device in cost.devices}
    total = sum(speeds.values())
    return {device: speed / total for device, speed in speeds.items()}


def whole_model_s(cost: CostModel, device: str) -> float:
    """Seconds of one device for all layers, whole."""
    return sum(curve.at(shape.extent) for curve, shape in zip(cost.curves[device], cost.layers, strict=True))
