"""The plain NumPy kernel of Resize: one matrix of weights per axis."""

from collections.abc import Callable, Mapping
from math import ceil, floor

import numpy as np

from legion.engine.reference_call import Call, Kernel, Wide
from legion.model.model import Array

_ROUNDINGS: Mapping[str, Callable[[float], int]] = {
    "round_prefer_floor": lambda place: ceil(place - 0.5),
    "round_prefer_ceil": lambda place: floor(place + 0.5),
    "floor": floor,
    "ceil": ceil,
}


def _resize(call: Call) -> Array:
    values = call.wide(0)
    scales, sizes = call.optional(2), call.extents(3)
    axes = call.integers("axes") or tuple(range(values.ndim))
    for position, axis in enumerate(axes):
        extent = values.shape[axis]
        if sizes:
            length, scale = sizes[position], sizes[position] / extent
        elif scales is not None:
            scale = float(scales.ravel()[position])
            length = floor(extent * scale)
        else:
            raise call.unsupported("neither scales nor sizes")
        if (length, scale) != (extent, 1):
            values = np.moveaxis(np.tensordot(_weights(call, extent, length, scale), values, (1, axis)), 0, axis)
    return values.astype(call.array(0).dtype)


def _weights(call: Call, extent: int, length: int, scale: float) -> Wide:
    """How much each of `length` outputs takes of each of `extent` inputs."""
    weights = np.zeros((length, extent))
    for index in range(length):
        place = _place(call, index, extent, length, scale)
        match call.text("mode", "nearest"):
            case "nearest":
                nearest = _ROUNDINGS[call.text("nearest_mode", "round_prefer_floor")](place)
                weights[index, min(max(nearest, 0), extent - 1)] = 1
            case "linear":
                place = min(max(place, 0.0), extent - 1.0)
                low = floor(place)
                weights[index, low] += 1 - (place - low)
                weights[index, min(low + 1, extent - 1)] += place - low
            case mode:
                raise call.unsupported(f"mode {mode!r}")
    return weights


def _place(call: Call, index: int, extent: int, length: int, scale: float) -> float:
    """Where output `index` lies among the inputs."""
    match call.text("coordinate_transformation_mode", "half_pixel"):
        case "half_pixel":
            return (index + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (index + 0.5) / scale - 0.5 if length > 1 else 0.0
        case "asymmetric":
            return index / scale
        case "align_corners":
            return index * (extent - 1) / (length - 1) if length > 1 else 0.0
        case mode:
            raise call.unsupported(f"coordinate_transformation_mode {mode!r}")


KERNELS: Mapping[str, Kernel] = {"Resize": _resize}
