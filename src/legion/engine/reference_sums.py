"""Plain NumPy kernels of operators that sum over whole axes: products of matrices, reductions, normalisations."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from legion.engine.reference_call import Call, Kernel, Wide
from legion.model.model import Array


def _gemm(call: Call) -> Array:
    left, right = call.wide(0), call.wide(1)
    left = left.T if call.integer("transA", 0) else left
    right = right.T if call.integer("transB", 0) else right
    result = call.number("alpha", 1.0) * (left @ right)
    addend = call.optional(2)
    if addend is not None:
        result = result + call.number("beta", 1.0) * addend.astype(np.float64)
    return result.astype(call.array(0).dtype)


def _matrix_product(call: Call) -> Array:
    return np.asarray(np.matmul(call.wide(0), call.wide(1))).astype(call.array(0).dtype)


def _reduction(function: Callable[..., Any]) -> Kernel:
    """A reduction over the axes of input 1, or all of them."""

    def kernel(call: Call) -> Array:
        axes = call.extents(1)
        if not axes:
            if call.integer("noop_with_empty_axes", 0):
                return call.array(0).copy()
            axes = None
        result = function(call.wide(0), axis=axes, keepdims=bool(call.integer("keepdims", 1)))
        return np.asarray(result).astype(call.array(0).dtype)

    return kernel


def _softmax(call: Call) -> Array:
    return np.exp(_log_softmax_wide(call)).astype(call.array(0).dtype)


def _log_softmax(call: Call) -> Array:
    return _log_softmax_wide(call).astype(call.array(0).dtype)


def _log_softmax_wide(call: Call) -> Wide:
    axis = call.integer("axis", -1)
    values = call.wide(0)
    shifted = values - values.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _along_channels(call: Call, index: int) -> Wide:
    """A vector of one number per channel, shaped so that it meets (batch, channels, *spatial)."""
    return call.wide(index).reshape(-1, *(1,) * (call.array(0).ndim - 2))


def _batch_normalisation(call: Call) -> Array:
    scale, shift, mean, variance = (_along_channels(call, index) for index in range(1, 5))
    normalised = (call.wide(0) - mean) / np.sqrt(variance + call.number("epsilon", 1e-5))
    return (normalised * scale + shift).astype(call.array(0).dtype)


def _instance_normalisation(call: Call) -> Array:
    values = call.wide(0)
    normalised = _standardised(values, tuple(range(2, values.ndim)), call.number("epsilon", 1e-5))
    return (normalised * _along_channels(call, 1) + _along_channels(call, 2)).astype(call.array(0).dtype)


def _layer_normalisation(call: Call) -> Array:
    values = call.wide(0)
    first = call.integer("axis", -1) % values.ndim
    result = _standardised(values, tuple(range(first, values.ndim)), call.number("epsilon", 1e-5)) * call.wide(1)
    shift = call.optional(2)
    return (result if shift is None else result + shift).astype(call.array(0).dtype)


def _standardised(values: Wide, axes: tuple[int, ...], epsilon: float) -> Wide:
    centred = values - values.mean(axis=axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=axes, keepdims=True) + epsilon)


def _local_response_normalisation(call: Call) -> Array:
    """Each element is divided by a power of the squares of its neighbours across channels."""
    values = call.wide(0)
    size, channels = call.integer("size", 1), values.shape[1]
    squares = np.zeros(values.shape)
    for channel in range(channels):
        low, high = max(0, channel - (size - 1) // 2), min(channels, channel + size // 2 + 1)
        squares[:, channel] = (values[:, low:high] ** 2).sum(axis=1)
    divisor = call.number("bias", 1.0) + call.number("alpha", 1e-4) / size * squares
    return (values / divisor ** call.number("beta", 0.75)).astype(call.array(0).dtype)


KERNELS: Mapping[str, Kernel] = {
    "BatchNormalization": _batch_normalisation,
    "Gemm": _gemm,
    "InstanceNormalization": _instance_normalisation,
    "LRN": _local_response_normalisation,
    "LayerNormalization": _layer_normalisation,
    "LogSoftmax": _log_softmax,
    "MatMul": _matrix_product,
    "ReduceMax": _reduction(np.max),
    "ReduceMean": _reduction(np.mean),
    "ReduceMin": _reduction(np.min),
    "ReduceProd": _reduction(np.prod),
    "ReduceSum": _reduction(np.sum),
    "Softmax": _softmax,
}
