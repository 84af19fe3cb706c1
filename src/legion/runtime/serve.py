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

import numpy as np
import psutil

from legion.cluster.device import DeviceInfo
from legion.engine.base import Engine
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.onnx_session import CPU_PROVIDER
from legion.runtime.network import real_network
from legion.runtime.weights import WeightStore
from legion.runtime.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker is told at its start.

    `bind` is the `host:port` to listen at, port 0 for a free one; `provider` an execution provider of
    ONNX Runtime.
    """

    name: str
    bind: str
    threads: int
    cache_directory: Path
    provider: str = CPU_PROVIDER


def serve(options: WorkerOptions, ready: Callable[[Worker], None]) -> None:
    """Run a worker until SIGINT or SIGTERM, or until it is stopped; `ready` is called once, when it listens.

    Raises InputError when the address, the provider or the number of threads cannot be had.
    """
    engine = OnnxRuntimeEngine(threads=options.threads, provider=options.provider)
    info = describe_device(options.name, engine)
    transport = real_network()
    try:
        worker = Worker(transport, options.bind, info, engine, WeightStore(options.cache_directory))
        with _stopped_by_signals(worker):
            ready(worker)
            worker.run()
    finally:
        transport.close()


def describe_device(name: str, engine: Engine) -> DeviceInfo:
    """What this machine and this installation are."""
    return DeviceInfo(
        name=name,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        threads=engine.threads,
        memory_bytes=psutil.virtual_memory().total,
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
