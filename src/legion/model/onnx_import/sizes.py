"""Gives every extent of the inputs a number: the batch, and symbols by name."""

from collections.abc import Collection, Iterator, Mapping

import onnx

from legion.errors import InputError

_BATCH_NAMES = frozenset({"b", "bs", "n", "none", "?"})


def fix_sizes(model: onnx.ModelProto, inputs: Collection[str], batch: int, sizes: Mapping[str, int]) -> None:
    """Replace the symbolic extents of `inputs` in place.

    A symbol takes its value from `sizes`; a first axis that has no name, or a usual name of a batch, takes
    `batch`. An extent without a name is called `input[axis]` in `sizes`.

    Raises InputError when a symbol has no value, a value no symbol, a value is not positive, or a batch
    other than 1 is asked of a model without a symbolic one.
    """
    for name, size in {"batch": batch, **sizes}.items():
        if size < 1:
            raise InputError(f"{name} cannot be {size}; give at least 1")
    used: set[str] = set()
    unknown: list[str] = []
    has_batch = False
    for symbol, axis, dimension in _symbolic(model, inputs):
        if symbol in sizes:
            used.add(symbol)
            dimension.dim_value = sizes[symbol]
        elif axis == 0 and _means_batch(dimension):
            has_batch = True
            dimension.dim_value = batch
        else:
            unknown.append(symbol)
    if unknown:
        listed = ", ".join(dict.fromkeys(unknown))
        raise InputError(f"the model leaves these extents open: {listed}; give a size for each by name")
    if superfluous := sizes.keys() - used:
        raise InputError(f"the model has no open extent named {', '.join(sorted(superfluous))}; leave it out")
    if batch != 1 and not has_batch:
        raise InputError(f"the model's batch is fixed, so it cannot be {batch}; export it with a symbolic batch")


def _symbolic(
    model: onnx.ModelProto, inputs: Collection[str]
) -> Iterator[tuple[str, int, onnx.TensorShapeProto.Dimension]]:
    for port in model.graph.input:
        if port.name not in inputs:
            continue
        if not port.type.tensor_type.HasField("shape"):
            raise InputError(f"input {port.name!r} has no shape, not even a symbolic one; export the model with shapes")
        for axis, dimension in enumerate(port.type.tensor_type.shape.dim):
            if not dimension.HasField("dim_value") or dimension.dim_value < 0:
                yield _symbol(dimension) or f"{port.name}[{axis}]", axis, dimension


def _means_batch(dimension: onnx.TensorShapeProto.Dimension) -> bool:
    symbol = _symbol(dimension).lower()
    return not symbol or "batch" in symbol or symbol in _BATCH_NAMES


def _symbol(dimension: onnx.TensorShapeProto.Dimension) -> str:
    return str(dimension.dim_param)  # protobuf gives bytes where a damaged file holds no text
