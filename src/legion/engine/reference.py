"""A slow engine in plain NumPy: an oracle that shares nothing with ONNX Runtime but the standard's text."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from legion.engine import reference_elementwise, reference_layout, reference_resize, reference_sums, reference_windows
from legion.engine.base import Loader, graph_key
from legion.engine.constants import constant_values
from legion.engine.reference_call import Call, Kernel
from legion.errors import InputError, InternalError, LegionError
from legion.geometry.local_graph import LocalGraph
from legion.model.model import Array, Operator

_OLDEST_OPSET = 18
"""From this one on the operators here have kept their meaning."""

_KERNELS: Mapping[str, Kernel] = {
    **reference_elementwise.KERNELS,
    **reference_layout.KERNELS,
    **reference_resize.KERNELS,
    **reference_sums.KERNELS,
    **reference_windows.KERNELS,
}


class ReferenceEngine:
    """Runs the common operators one after the other, sums in double precision."""

    name = "reference"
    providers = ("NumPy",)
    threads = 1

    def __init__(self) -> None:
        self._executables: dict[str, ReferenceExecutable] = {}

    @property
    def versions(self) -> Mapping[str, str]:
        return {"numpy": np.__version__}

    @property
    def resident_bytes(self) -> int:
        return sum(executable.constant_bytes for executable in self._executables.values())

    def prepare(self, graph: LocalGraph, load: Loader) -> "ReferenceExecutable":
        key = graph_key(graph)
        if key not in self._executables:
            if graph.opset < _OLDEST_OPSET:
                raise InputError(f"the reference engine has no opset {graph.opset}, only {_OLDEST_OPSET} and later")
            for operator in graph.operators:
                _check(operator)
            self._executables[key] = ReferenceExecutable(
                graph, {constant.name: constant_values(constant, load) for constant in graph.constants}
            )
        return self._executables[key]

    def retain(self, graphs: Iterable[LocalGraph]) -> None:
        wanted = {graph_key(graph) for graph in graphs}
        self._executables = {key: entry for key, entry in self._executables.items() if key in wanted}


class ReferenceExecutable:
    """A local graph with its constants at hand."""

    def __init__(self, graph: LocalGraph, constants: Mapping[str, Array]) -> None:
        self.constant_bytes = sum(values.nbytes for values in constants.values())
        self._graph = graph
        self._constants = constants

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        try:
            tensors = dict(self._constants)
            tensors |= {entry.name: values for entry, values in zip(self._graph.inputs, inputs, strict=True)}
            for operator in self._graph.operators:
                given = [tensors[name] if name else None for name in operator.inputs]
                tensors[operator.outputs[0]] = _KERNELS[operator.op_type](Call(operator=operator, inputs=given))
            return [tensors[name].copy() for name in self._graph.outputs]
        except LegionError:
            raise
        except Exception as exc:
            raise InternalError(f"the reference engine failed: {exc}") from exc


def _check(operator: Operator) -> None:
    if operator.op_type not in _KERNELS:
        raise InputError(f"the reference engine has no {operator.op_type}")
    if len([name for name in operator.outputs if name]) != 1:
        raise InputError(f"the reference engine has no {operator.op_type} of {len(operator.outputs)} outputs")
