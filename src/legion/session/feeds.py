"""The caller's feeds checked against the model, and outputs turned into what the model declares."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from legion.errors import InputError
from legion.model.model import Array, Model, Port, TensorType


def check_feeds(model: Model, feeds: Mapping[str, object]) -> dict[str, Array]:
    """The inputs in the dtypes that the plan computes in.

    Raises InputError for missing, extra, wrongly shaped or wrongly typed feeds, naming each.
    """
    expected = {port.name: port for port in model.inputs}
    missing = [name for name in expected if name not in feeds]
    extra = [name for name in feeds if name not in expected]
    if missing or extra:
        problems = [f"missing {missing}"] * bool(missing) + [f"unknown {extra}"] * bool(extra)
        raise InputError(f"feeds: {', '.join(problems)}; the model's inputs are {list(expected)}")
    return {
        name: _checked(port, feeds[name]).astype(model.tensors[name].dtype, copy=False)
        for name, port in expected.items()
    }


def select_outputs(model: Model, names: Sequence[str] | None) -> tuple[Port, ...]:
    """The ports asked for, in order; all of them for None. Raises InputError for unknown names."""
    ports = {port.name: port for port in model.outputs}
    unknown = [name for name in names or () if name not in ports]
    if unknown:
        raise InputError(f"outputs {unknown} are unknown; the model's outputs are {list(ports)}")
    return tuple(ports[name] for name in (names or ports))


def computed_outputs(model: Model) -> list[str]:
    """The outputs that layers make; others are constants of the model, or its inputs."""
    made = {tensor for layer in model.layers for tensor in layer.outputs}
    return [port.name for port in model.outputs if port.name in made]


def sample_feeds(model: Model, seed: int = 0) -> dict[str, Array]:
    """Inputs of the right types for measuring: seeded normal numbers, any bytes for uint8, zeros for other types."""
    generator = np.random.default_rng(seed)
    return {port.name: _sample(generator, model.tensors[port.name]) for port in model.inputs}


def _checked(port: Port, value: object) -> Array:
    if not isinstance(value, np.ndarray):
        raise InputError(f"input {port.name!r} must be a numpy array, not {type(value).__name__}")
    array = cast("Array", value)
    if array.dtype != np.dtype(port.type.dtype):
        raise InputError(f"input {port.name!r} has type {array.dtype}, the model wants {port.type.dtype}")
    if array.shape != port.type.shape:
        raise InputError(f"input {port.name!r} has shape {list(array.shape)}, the model wants {list(port.type.shape)}")
    return array


def _sample(generator: np.random.Generator, kind: TensorType) -> Array:
    if np.issubdtype(np.dtype(kind.dtype), np.floating):
        return generator.standard_normal(kind.shape).astype(kind.dtype)
    if kind.dtype == "uint8":
        return generator.integers(0, 256, kind.shape, np.uint8)
    return np.zeros(kind.shape, kind.dtype)
