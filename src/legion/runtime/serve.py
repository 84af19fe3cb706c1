"""A worker as a program: what it is made of, how it is told to end, what it says of its device."""

import os
import platform
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np
import psutil

from legion.cluster.device import DeviceInfo
from legion.engine.base import Engine
from legion.engine.kernel import waking_call
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.onnx_session import CPU_PROVIDER
from legion.engine.pacer import Pacer, end_sleeps_in_time
from legion.errors import InputError
from legion.runtime.network import real_network
from legion.runtime.weights import WeightStore
from legion.runtime.worker import Worker

if TYPE_CHECKING:
    from legion.engine.turns import Turns


_RESERVED_BYTES = 300_000_000
"""Of a machine's memory: for the system, Python and the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker is told at its start.

    `bind` is the `host:port` to listen at, port 0 for a free one; `provider` an execution provider of
    ONNX Runtime. The last four emulate a lesser device: a fraction of a core, the file by which it takes
    turns with other such devices, less memory than there is (which is told, not enforced), and a slower link.
    """

    name: str
    bind: str
    threads: int
    cache_directory: Path
    provider: str = CPU_PROVIDER
    speed: float = 1.0
    turns: Path | None = None
    memory_bytes: int | None = None
    bandwidth_bytes_per_s: float | None = None


def serve(options: WorkerOptions, ready: Callable[[Worker], None]) -> None:
    """Run a worker until SIGINT or SIGTERM, or until it is stopped; `ready` is called once, when it listens.

    Raises InputError when the address, the provider, the number of threads, the speed or turns cannot be had.
    """
    engine = OnnxRuntimeEngine(threads=options.threads, provider=options.provider)
    info = describe_device(options.name, engine, options.memory_bytes)
    transport = real_network(options.bandwidth_bytes_per_s)
    try:
        pacer = _pacer(options, engine, transport.clock)
        worker = Worker(transport, options.bind, info, engine, WeightStore(options.cache_directory), pacer)
        with _stopped_by_signals(worker):
            ready(worker)
            worker.run()
    finally:
        transport.close()


def _pacer(options: WorkerOptions, engine: Engine, clock: Callable[[], float]) -> Pacer:
    """What slows an engine of one thread down, if anything; it counts the processor time of the thread that runs it."""
    if options.speed == 1:
        return Pacer(clock=clock)
    if engine.threads != 1:
        raise InputError(f"an engine of {engine.threads} threads cannot be slowed down; give it one")
    end_sleeps_in_time()
    return Pacer(options.speed, turns=_turns(options.turns), wake=waking_call(engine), clock=clock)


def _turns(path: Path | None) -> "Turns | None":
    if path is None:
        return None
    from legion.engine.turns import Turns  # noqa: PLC0415 - it needs file locks, which are not on every system

    return Turns(path)


def available_cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_device(name: str, engine: Engine, memory_bytes: int | None = None) -> DeviceInfo:
    """What this machine and this installation are; `memory_bytes` in place of what there is for a plan."""
    return DeviceInfo(
        name=name,
        cores=available_cores(),
        threads=engine.threads,
        memory_bytes=memory_bytes or max(0, psutil.virtual_memory().total - _RESERVED_BYTES),
        machine=f"{platform.system()} {platform.machine()}",
        engine=engine.name,
        providers=tuple(engine.providers),
        versions={
            "legion": version("legion-edge"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            **engine.versions,
        },
    )


@contextmanager
def _stopped_by_signals(worker: Worker) -> Generator[None]:
    """SIGINT and SIGTERM stop the worker, where this is the thread that gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        worker.stop()

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, stop) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
