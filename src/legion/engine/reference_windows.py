"""Plain NumPy kernels of operators that slide a window: convolutions and pools, over any number of axes.

Tensors are (batch, channels, *spatial), and all windows lie on the spatial axes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from legion.engine.reference_call import Call, Kernel, Wide
from legion.model.model import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """Where the windows lie on one axis: `count` of them over `extent` elements and the padding around."""

    extent: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    count: int

    def seen_by(self, place: int) -> slice:
        """What the kernel's element at `place` sees of the padded axis, for all windows at once."""
        start = place * self.dilation
        return slice(start, start + (self.count - 1) * self.stride + 1, self.stride)

    @property
    def padding(self) -> tuple[int, int]:
        """The padding, and as much beyond it as the last window of ceil_mode reaches."""
        end = (self.count - 1) * self.stride + self.dilation * (self.kernel - 1) + 1
        return self.before, max(self.after, end - self.before - self.extent)


def _axes(call: Call, kernel: Sequence[int]) -> list[_Axis]:
    rank = len(kernel)
    extents = call.array(0).shape[2:]
    strides = call.integers("strides") or (1,) * rank
    dilations = call.integers("dilations") or (1,) * rank
    automatic = call.text("auto_pad", "NOTSET")
    pads = (call.integers("pads") if automatic == "NOTSET" else None) or (0,) * (2 * rank)
    axes: list[_Axis] = []
    for axis, extent in enumerate(extents):
        stride, reach = strides[axis], dilations[axis] * (kernel[axis] - 1) + 1
        before, after = pads[axis], pads[axis + rank]
        if automatic.startswith("SAME"):
            before, after = _halves(max(0, (-(-extent // stride) - 1) * stride + reach - extent), automatic)
        room = extent + before + after - reach
        count = room // stride + 1
        # With ceil_mode one more window may hang over the end, but not one that starts in the padding there.
        if call.integer("ceil_mode", 0) and room % stride and count * stride < extent + before:
            count += 1
        axes.append(
            _Axis(
                extent=extent,
                kernel=kernel[axis],
                stride=stride,
                dilation=dilations[axis],
                before=before,
                after=after,
                count=count,
            )
        )
    return axes


def _halves(total: int, automatic: str) -> tuple[int, int]:
    """Padding before and after; an odd element goes after with SAME_UPPER, else before."""
    small, large = total // 2, total - total // 2
    return (small, large) if automatic == "SAME_UPPER" else (large, small)


def _padded(values: Wide, axes: Sequence[_Axis], fill: float) -> Wide:
    """Only the last axes, the spatial ones, are padded."""
    widths = [(0, 0)] * (values.ndim - len(axes)) + [axis.padding for axis in axes]
    return np.pad(values, widths, constant_values=fill)


def _offsets(axes: Sequence[_Axis]) -> list[tuple[int, ...]]:
    return list(np.ndindex(*(axis.kernel for axis in axes)))


def _seen(axes: Sequence[_Axis], offset: Sequence[int]) -> tuple[slice, ...]:
    return tuple(axis.seen_by(place) for axis, place in zip(axes, offset, strict=True))


def _grouped(values: Wide, groups: int, axis: int) -> Wide:
    """`axis` split into (groups, rest)."""
    shape = values.shape
    return values.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def _with_bias(call: Call, grouped: Wide) -> Array:
    """(batch, groups, features, *spatial) as the operator gives it: groups merged, bias added, narrow again."""
    values = grouped.reshape(grouped.shape[0], -1, *grouped.shape[3:])
    if call.optional(2) is not None:
        values = values + call.wide(2).reshape(-1, *(1,) * (values.ndim - 2))
    return values.astype(call.array(0).dtype)


def _convolution(call: Call) -> Array:
    weights = _grouped(call.wide(1), call.integer("group", 1), 0)  # (groups, features, channels, *kernel)
    axes = _axes(call, weights.shape[3:])
    values = _padded(_grouped(call.wide(0), weights.shape[0], 1), axes, 0.0)  # (batch, groups, channels, *spatial)
    total = np.zeros((values.shape[0], *weights.shape[:2], *(axis.count for axis in axes)))
    for offset in _offsets(axes):
        total += np.einsum("bgc...,gfc->bgf...", values[..., *_seen(axes, offset)], weights[..., *offset])
    return _with_bias(call, total)


def _transposed_convolution(call: Call) -> Array:
    """Each input element adds the kernel, times itself, to where it lies in the output."""
    weights = _grouped(call.wide(1), call.integer("group", 1), 0)  # (groups, channels, features, *kernel)
    values = _grouped(call.wide(0), weights.shape[0], 1)
    axes = [_transposed_axis(call, axis, length) for axis, length in enumerate(weights.shape[3:])]
    # The output, as if it were the input of a convolution whose windows are our input elements.
    spatial = [sum(axis.padding) + axis.extent for axis in axes]
    total = np.zeros((values.shape[0], weights.shape[0], weights.shape[2], *spatial))
    for offset in _offsets(axes):
        part = np.einsum("bgc...,gcf->bgf...", values, weights[..., *offset])
        total[..., *_seen(axes, offset)] += part
    return _with_bias(call, total[..., *(slice(axis.before, axis.before + axis.extent) for axis in axes)])


def _transposed_axis(call: Call, axis: int, kernel: int) -> _Axis:
    rank = call.array(0).ndim - 2
    count = call.array(0).shape[axis + 2]
    stride = (call.integers("strides") or (1,) * rank)[axis]
    dilation = (call.integers("dilations") or (1,) * rank)[axis]
    reached = (count - 1) * stride + dilation * (kernel - 1) + 1
    reached += (call.integers("output_padding") or (0,) * rank)[axis]
    automatic = call.text("auto_pad", "NOTSET")
    wanted = call.integers("output_shape")
    if wanted is not None or automatic.startswith("SAME"):
        extent = count * stride if wanted is None else wanted[axis - rank]
        before, after = _halves(max(0, reached - extent), automatic)
    else:
        pads = (call.integers("pads") if automatic == "NOTSET" else None) or (0,) * (2 * rank)
        before, after = pads[axis], pads[axis + rank]
        extent = reached - before - after
    return _Axis(
        extent=extent, kernel=kernel, stride=stride, dilation=dilation, before=before, after=after, count=count
    )


def _max_pool(call: Call) -> Array:
    axes = _axes(call, call.integers("kernel_shape") or ())
    values = _padded(call.wide(0), axes, -np.inf)
    return np.maximum.reduce([values[..., *_seen(axes, offset)] for offset in _offsets(axes)]).astype(
        call.array(0).dtype
    )


def _average_pool(call: Call) -> Array:
    axes = _axes(call, call.integers("kernel_shape") or ())
    values = _padded(call.wide(0), axes, 0.0)
    # What counts is the input, and the padding if so asked, but never what ceil_mode reaches beyond it.
    counted = np.zeros(values.shape[2:])
    include_padding = call.integer("count_include_pad", 0)
    counted[
        tuple(
            slice(0, axis.before + axis.extent + axis.after)
            if include_padding
            else slice(axis.before, axis.before + axis.extent)
            for axis in axes
        )
    ] = 1
    total, count = (
        np.add.reduce([array[..., *_seen(axes, offset)] for offset in _offsets(axes)]) for array in (values, counted)
    )
    return (total / count).astype(call.array(0).dtype)


def _global_average_pool(call: Call) -> Array:
    values = call.wide(0)
    return values.mean(axis=tuple(range(2, values.ndim)), keepdims=True).astype(call.array(0).dtype)


def _global_max_pool(call: Call) -> Array:
    values = call.array(0)
    return values.max(axis=tuple(range(2, values.ndim)), keepdims=True)


KERNELS: Mapping[str, Kernel] = {
    "AveragePool": _average_pool,
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
}
