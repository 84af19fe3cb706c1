"""The one place that speaks to ONNX Runtime: its sessions, and what all sessions of a process share."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import onnxruntime  # pyright: ignore[reportMissingTypeStubs]  # the package ships none

from legion.errors import InputError
from legion.model.model import Array

CPU_PROVIDER = "CPUExecutionProvider"

_LOG_FATAL_ONLY = 4  # errors are raised, and need not be printed too
_EXTEND_AS_REQUESTED = 1

_ort = cast("Any", onnxruntime)
"""Its functions are typed in part only, so everything beyond this file sees the types stated here."""

_process_lock = threading.Lock()
_process_threads: int | None = None


class Session:
    """A loaded model, with the names of its inputs and outputs in the model's order."""

    def __init__(self, inner: Any) -> None:
        # The wrapper checks before what compiled graphs cannot get wrong: a third of what calling a short run takes.
        self._run = getattr(inner, "_sess", inner).run
        self.inputs: tuple[str, ...] = tuple(entry.name for entry in inner.get_inputs())
        self.outputs: tuple[str, ...] = tuple(entry.name for entry in inner.get_outputs())

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Whatever ONNX Runtime raises passes through."""
        return self._run(self.outputs, dict(zip(self.inputs, inputs, strict=True)), None)


def version() -> str:
    return _ort.__version__


def available_providers() -> tuple[str, ...]:
    return tuple(_ort.get_available_providers())


def open_session(model: bytes, external: Mapping[str, Array], *, threads: int, providers: Sequence[str]) -> Session:
    """Load a model; `external` holds its external constants, which the session may read while it lives.

    Whatever ONNX Runtime raises passes through.
    """
    options = _options(threads)
    if external:
        values = [_ort.OrtValue.ortvalue_from_numpy(array) for array in external.values()]
        options.add_external_initializers(list(external), values)
    return _load(model, options, providers)


def open_whole(model: str | bytes, threads: int) -> Session:
    """Load a model file, or its bytes, on the processor. Whatever ONNX Runtime raises passes through."""
    return _load(model, _options(threads), [CPU_PROVIDER])


def optimised(model: bytes, *, threads: int) -> bytes:
    """The model as ONNX Runtime rewrites it for the processor. Whatever it raises passes through."""
    with TemporaryDirectory(prefix="legion-") as directory:
        path = Path(directory) / "optimised.onnx"
        options = _options(threads)
        options.optimized_model_filepath = str(path)
        _load(model, options, [CPU_PROVIDER])
        return path.read_bytes()


def claim_process(threads: int) -> None:
    """Settle how many threads the sessions of this process use, and what memory they share.

    More than one thread means one pool for all sessions: ONNX Runtime then accepts no session beside it.
    So the first engine of a process decides, and InputError is raised when another wants a different number.
    """
    global _process_threads  # noqa: PLW0603  # ONNX Runtime's pool is a global of the process, and so is this
    with _process_lock:
        if _process_threads is None:
            if threads > 1:
                _share_threads(threads)
            _share_arena()
            _process_threads = threads
        if _process_threads != threads:
            raise InputError(
                f"this process already runs ONNX Runtime with {_process_threads} threads per operator, "
                f"so it cannot use {threads}; start another process"
            )


def _share_threads(threads: int) -> None:
    try:
        _ort.set_global_thread_pool_sizes(threads, 1)
    except Exception as exc:
        raise InputError(f"ONNX Runtime cannot share {threads} threads in this process: {exc}") from exc


def _share_arena() -> None:
    """One arena for the activations of all sessions: only one runs at a time, and each would keep its peak."""
    memory = _ort.OrtMemoryInfo("Cpu", _ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, _ort.OrtMemType.DEFAULT)
    _ort.create_and_register_allocator(memory, _ort.OrtArenaCfg({"arena_extend_strategy": _EXTEND_AS_REQUESTED}))


def _options(threads: int) -> Any:
    options = _ort.SessionOptions()
    options.log_severity_level = _LOG_FATAL_ONLY
    options.graph_optimization_level = _ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Memory patterns are kept per input shape, and shapes vary here: they save no time and hold memory.
    options.enable_mem_pattern = False
    if threads > 1:
        options.use_per_session_threads = False
    else:
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
    return options


def _load(model: str | bytes, options: Any, providers: Sequence[str]) -> Session:
    # ONNX Runtime's own fallback prints, and runs elsewhere than it was told to.
    inner = _ort.InferenceSession(model, options, providers=list(providers), enable_fallback=0)
    if providers[0] not in inner.get_providers():
        raise InputError(f"ONNX Runtime has {providers[0]} but cannot start it; are its driver and libraries there?")
    return Session(inner)
