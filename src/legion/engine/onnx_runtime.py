"""The ONNX Runtime engine: one session per distinct local graph."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx

from legion.engine import onnx_session
from legion.engine.base import Loader, graph_key
from legion.engine.blocked_crops import convolved_crops, keeps_blocks
from legion.engine.constants import constant_values
from legion.engine.memory import return_free_memory
from legion.engine.onnx_build import EXTERNAL_FROM_BYTES, build_onnx
from legion.errors import InputError, InternalError
from legion.geometry.local_graph import LocalGraph
from legion.model.model import Array


class OnnxRuntimeEngine:
    """Runs local graphs with ONNX Runtime, on the processor unless another provider is named.

    Operators that the named provider lacks run on the processor. All engines of a process have the same
    number of threads.

    Raises InputError for a provider that this installation does not have, and for a number of threads
    that this process cannot have.
    """

    name = "onnxruntime"

    def __init__(self, *, threads: int = 1, provider: str = onnx_session.CPU_PROVIDER) -> None:
        available = onnx_session.available_providers()
        if provider not in available:
            raise InputError(f"ONNX Runtime here has no provider {provider!r}; it has {', '.join(available)}")
        if threads < 1:
            raise InputError(f"an engine needs at least one thread, not {threads}")
        onnx_session.claim_process(threads)
        self.threads = threads
        self.providers = tuple(dict.fromkeys((provider, onnx_session.CPU_PROVIDER)))
        self._in_blocks = provider == onnx_session.CPU_PROVIDER and keeps_blocks(threads)
        self._executables: dict[str, OnnxRuntimeExecutable] = {}

    @property
    def versions(self) -> Mapping[str, str]:
        return {"onnxruntime": onnx_session.version(), "onnx": onnx.__version__, "numpy": np.__version__}

    @property
    def resident_bytes(self) -> int:
        loaded: dict[str, int] = {}
        reordered = 0
        for executable in self._executables.values():
            loaded |= executable.constant_bytes
            reordered += sum(executable.constant_bytes.values())
        return sum(loaded.values()) + reordered

    def prepare(self, graph: LocalGraph, load: Loader) -> "OnnxRuntimeExecutable":
        key = graph_key(graph)
        if key not in self._executables:
            self._executables[key] = self._open(graph, key, load)
        return self._executables[key]

    def retain(self, graphs: Iterable[LocalGraph]) -> None:
        wanted = {graph_key(graph) for graph in graphs}
        self._executables = {key: entry for key, entry in self._executables.items() if key in wanted}
        return_free_memory()

    def _open(self, graph: LocalGraph, key: str, load: Loader) -> "OnnxRuntimeExecutable":
        constants: Mapping[str, Array] = {each.name: constant_values(each, load) for each in graph.constants}
        try:
            if self._in_blocks:
                graph, constants = convolved_crops(graph, constants)
            external = {name: values for name, values in constants.items() if values.nbytes >= EXTERNAL_FROM_BYTES}
            model = build_onnx(graph, constants).SerializeToString()
            session = onnx_session.open_session(model, external, threads=self.threads, providers=self.providers)
        except InputError:
            raise
        except Exception as exc:
            raise InputError(f"ONNX Runtime cannot run {_described(graph)}: {exc}") from exc
        return OnnxRuntimeExecutable(graph, key, session, constants)


class OnnxRuntimeExecutable:
    """A session with the constants that it may still read, and their sizes by what names their bytes."""

    def __init__(
        self, graph: LocalGraph, key: str, session: onnx_session.Session, constants: Mapping[str, Array]
    ) -> None:
        # Stored constants are mapped once for all graphs, synthetic ones are made for each.
        self.constant_bytes = {
            constant.digest or f"{key} {constant.name}": constants[constant.name].nbytes for constant in graph.constants
        }
        self._constants = constants
        self._session = session
        self._description = _described(graph)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        try:
            return self._session.run(inputs)
        except Exception as exc:
            raise InternalError(f"running {self._description} failed: {exc}") from exc


def _described(graph: LocalGraph) -> str:
    """The graph in words: its first operators, and how many more there are."""
    names = [f"{operator.name} ({operator.op_type})" for operator in graph.operators[:4]]
    rest = len(graph.operators) - len(names)
    return (", ".join(names) or "an empty graph") + (f" and {rest} more" if rest else "")
