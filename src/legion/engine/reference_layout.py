"""Plain NumPy kernels of operators that only move elements."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from legion.engine.reference_call import Call, Kernel
from legion.model.model import Array


def _concat(call: Call) -> Array:
    return np.concatenate([call.array(index) for index in range(len(call.inputs))], axis=call.integer("axis", 0))


def _slice(call: Call) -> Array:
    values = call.array(0)
    starts, ends = call.extents(1) or (), call.extents(2) or ()
    axes = call.extents(3) or tuple(range(len(starts)))
    steps = call.extents(4) or (1,) * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        values = np.take(values, _slice_indices(values.shape[axis], start, end, step), axis=axis)
    return values


def _slice_indices(extent: int, start: int, end: int, step: int) -> range:
    """Bounds below zero count from the end, then both are clamped: going backwards, to before the first."""
    low, high = (0, extent) if step > 0 else (-1, extent - 1)
    first = start + extent if start < 0 else start
    last = end + extent if end < 0 else end
    return range(min(max(first, 0), high), min(max(last, low), high), step)


def _pad(call: Call) -> Array:
    """Negative widths crop."""
    values = call.array(0)
    pads = call.extents(1) or ()
    axes = call.extents(3) or tuple(range(values.ndim))
    widths = [(0, 0)] * values.ndim
    for position, axis in enumerate(axes):
        widths[axis] = (pads[position], pads[position + len(axes)])
    cropped = values[
        tuple(
            slice(max(0, -low), extent - max(0, -high))
            for (low, high), extent in zip(widths, values.shape, strict=True)
        )
    ]
    widths = [(max(0, low), max(0, high)) for low, high in widths]
    match call.text("mode", "constant"):
        case "constant":
            fill = call.optional(2)
            return np.pad(cropped, widths, constant_values=0 if fill is None else fill.item())
        case "reflect":
            return np.pad(cropped, widths, mode="reflect")
        case "edge":
            return np.pad(cropped, widths, mode="edge")
        case mode:
            raise call.unsupported(f"mode {mode!r}")


def _transpose(call: Call) -> Array:
    return np.transpose(call.array(0), call.integers("perm")).copy()


def _reshape(call: Call) -> Array:
    values = call.array(0)
    shape = list(call.extents(1) or ())
    if not call.integer("allowzero", 0):
        shape = [values.shape[axis] if extent == 0 else extent for axis, extent in enumerate(shape)]
    return values.reshape(shape).copy()


def _flatten(call: Call) -> Array:
    values = call.array(0)
    axis = call.integer("axis", 1)
    axis += values.ndim if axis < 0 else 0
    return values.reshape(prod(values.shape[:axis]), -1).copy()


def _squeeze(call: Call) -> Array:
    return np.squeeze(call.array(0), axis=call.extents(1)).copy()


def _unsqueeze(call: Call) -> Array:
    return np.expand_dims(call.array(0), call.extents(1) or ()).copy()


def _expand(call: Call) -> Array:
    values, shape = call.array(0), call.extents(1) or ()
    return np.broadcast_to(values, np.broadcast_shapes(values.shape, shape)).copy()


def _gather(call: Call) -> Array:
    return np.take(call.array(0), call.array(1), axis=call.integer("axis", 0))


def _shape(call: Call) -> Array:
    shape = call.array(0).shape
    return np.array(shape[slice(call.integer("start", 0), call.integer("end", len(shape)))], dtype=np.int64)


def _rearranged(values: Array, split: Sequence[int], order: Sequence[int], shape: Sequence[int]) -> Array:
    return values.reshape(split).transpose(order).reshape(shape).copy()


def _depth_to_space(call: Call) -> Array:
    values, block = call.array(0), call.integer("blocksize", 1)
    batch, channels, rows, columns = values.shape
    kept = channels // block**2
    shape = (batch, kept, rows * block, columns * block)
    if call.text("mode", "DCR") == "DCR":
        return _rearranged(values, (batch, block, block, kept, rows, columns), (0, 3, 4, 1, 5, 2), shape)
    return _rearranged(values, (batch, kept, block, block, rows, columns), (0, 1, 4, 2, 5, 3), shape)


def _space_to_depth(call: Call) -> Array:
    values, block = call.array(0), call.integer("blocksize", 1)
    batch, channels, rows, columns = values.shape
    split = (batch, channels, rows // block, block, columns // block, block)
    shape = (batch, channels * block**2, rows // block, columns // block)
    return _rearranged(values, split, (0, 3, 5, 1, 2, 4), shape)


KERNELS: Mapping[str, Kernel] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
