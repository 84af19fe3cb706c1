"""Small local graphs for the engines' tests, and both engines' answers to them."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from legion.engine.base import Executable, Loader
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.reference import ReferenceEngine
from legion.geometry.local_graph import LocalConstant, LocalGraph, LocalInput
from legion.model.model import Array, Operator

OPSET = 20


def operator(op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> Operator:
    return Operator(
        name=f"{op_type} for {output}", op_type=op_type, inputs=tuple(inputs), outputs=(output,), attributes=attributes
    )


def digest_of(values: Array) -> str:
    return blake2b(values.tobytes(), digest_size=16).hexdigest()


def loader(*constants: Mapping[str, Array]) -> Loader:
    stored = {digest_of(values): values for mapping in constants for values in mapping.values()}

    def load(constant: LocalConstant) -> Array:
        assert constant.digest is not None
        return stored[constant.digest]

    return load


def local_graph(
    operators: Sequence[Operator],
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = OPSET,
) -> LocalGraph:
    """A graph on inputs like those given; extents from axis 2 on may differ from run to run."""
    return LocalGraph(
        opset=opset,
        operators=tuple(operators),
        inputs=tuple(
            LocalInput(
                name=name,
                dtype=str(values.dtype),
                dims=tuple(None if axis >= 2 else extent for axis, extent in enumerate(values.shape)),
            )
            for name, values in inputs.items()
        ),
        outputs=tuple(outputs),
        constants=tuple(
            LocalConstant(name=name, shape=values.shape, dtype=str(values.dtype), digest=digest_of(values))
            for name, values in (constants or {}).items()
        ),
    )


def assert_engines_agree(
    operators: Sequence[Operator],
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] = ("y",),
) -> None:
    """Both engines give the same shapes, dtypes and, within rounding, values."""
    graph = local_graph(operators, inputs, constants, outputs)
    load = loader(constants or {})
    executables: list[Executable] = [engine.prepare(graph, load) for engine in (OnnxRuntimeEngine(), ReferenceEngine())]
    ours, theirs = (executable.run(list(inputs.values())) for executable in executables)
    for name, left, right in zip(outputs, ours, theirs, strict=True):
        assert left.shape == right.shape, name
        assert left.dtype == right.dtype, name
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(right).max(initial=0.0))))


def normal(shape: Sequence[int], seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(tuple(shape)).astype(np.float32)
