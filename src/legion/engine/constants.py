"""Values for the constants of a local graph: loaded by digest, or synthetic."""

from math import prod, sqrt

import numpy as np

from legion.engine.base import Loader
from legion.errors import InfeasibleError, InputError
from legion.geometry.local_graph import LocalConstant
from legion.model.model import Array

_BLOCK_LENGTH = 1 << 16
"""Synthetic values repeat after this many: drawing 100 million of them would take seconds."""


def constant_values(constant: LocalConstant, load: Loader) -> Array:
    """The values of one constant in C order, from `load` if it has a digest.

    Raises InputError when the constant cannot exist, or what was loaded has another shape or dtype than
    declared, InfeasibleError when synthetic values do not fit into memory.
    """
    dtype = numpy_dtype(constant.dtype)
    values = synthetic_constant(constant) if constant.digest is None else load(constant)
    if values.shape != constant.shape or values.dtype != dtype:
        raise InputError(
            f"constant {constant.name!r} should be {constant.dtype}{list(constant.shape)}, "
            f"but its stored values are {values.dtype}{list(values.shape)}; send the weights again"
        )
    return np.require(values, requirements="C")


def synthetic_constant(constant: LocalConstant) -> Array:
    """Seeded values of a sane range, the same for equal shapes and dtypes.

    Floats are scaled by the fan-in, so that activations keep their size, and stay away from zero:
    denormals would slow a device down. Vectors are positive, for some hold variances. Integers and
    booleans are zero.
    """
    dtype = numpy_dtype(constant.dtype)
    if any(extent < 0 for extent in constant.shape):
        raise InputError(f"constant {constant.name!r} has a negative extent: {list(constant.shape)}")
    try:
        return (_synthetic_floats if dtype.kind == "f" else np.zeros)(constant.shape, dtype)
    except (MemoryError, ValueError) as exc:  # NumPy's limits of rank and size are ValueErrors
        raise InfeasibleError(f"constant {constant.name!r} of {list(constant.shape)} does not fit into memory") from exc


def numpy_dtype(name: str) -> np.dtype[np.generic]:
    """The dtype of a number or boolean by its NumPy name; InputError for anything else."""
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError) as exc:
        raise InputError(f"{name!r} is no tensor type that the engine knows; use a model of NumPy's types") from exc
    if dtype.kind not in "biuf":
        raise InputError(f"tensors of type {name!r} cannot be run; only booleans and numbers can")
    return dtype


def _synthetic_floats(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    size = prod(shape)
    generator = np.random.default_rng(list(shape))
    block = generator.uniform(0.5, 1.5, min(size, _BLOCK_LENGTH))
    if len(shape) > 1:
        # Which axes are summed over is the operator's secret: taking the longer side never overflows.
        fan_in = max(shape[0], size // shape[0]) if size else 1
        block *= generator.choice((-1.0, 1.0), block.size) / sqrt(fan_in)
    return _tiled(block.astype(dtype), size).reshape(shape)


def _tiled(block: Array, size: int) -> Array:
    """`block` repeated and cut to `size` elements, written once."""
    values = np.empty(size, block.dtype)
    repeats = size // block.size if block.size else 0
    whole = repeats * block.size
    values[:whole].reshape(repeats, block.size)[:] = block
    values[whole:] = block[: size - whole]
    return values
