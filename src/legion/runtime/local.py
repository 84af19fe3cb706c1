"""Workers on this machine: as child processes over loopback, or as threads over the in-memory network."""

import json
import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from legion.cluster.device import Device
from legion.engine.base import Engine
from legion.errors import InternalError
from legion.runtime.serve import describe_device
from legion.runtime.weights import WeightStore
from legion.runtime.worker import Worker
from legion.transport.memory import MemoryNetwork

_END_S = 5.0
"""How long a worker may take to end before it is killed."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWorkers:
    """Running workers; `process_ids` in the order of the devices, empty for those that are threads."""

    devices: tuple[Device, ...]
    process_ids: tuple[int, ...]


@contextmanager
def start_local_workers(
    count: int, *, threads: int = 1, cache_directory: Path | None = None
) -> Generator[LocalWorkers]:
    """Workers `local-0`, `local-1`... as processes of `threads` threads each, until the `with` statement is left.

    They share one weight cache, in a temporary directory if none is given, and do not outlive this process.

    Raises InternalError when one does not start.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="legion-")))
        cache = cache_directory or directory / "weights"
        names = [f"local-{index}" for index in range(count)]
        children = [stack.enter_context(_child(name, threads, cache, directory / f"{name}.log")) for name in names]
        devices = tuple(child.device() for child in children)
        yield LocalWorkers(devices=devices, process_ids=tuple(child.process.pid for child in children))


@contextmanager
def start_memory_workers(
    count: int, network: MemoryNetwork, make_engine: Callable[[], Engine]
) -> Generator[LocalWorkers]:
    """Workers as threads of this process, each with an engine of its own, reached over `network`."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="legion-")))
        devices: list[Device] = []
        for index in range(count):
            name, engine = f"local-{index}", make_engine()
            worker = Worker(network, "memory:0", describe_device(name, engine), engine, WeightStore(directory))
            thread = threading.Thread(target=worker.run, name=name)
            thread.start()
            stack.callback(thread.join)
            stack.callback(worker.stop)
            devices.append(Device(name=name, address=worker.address))
        yield LocalWorkers(devices=tuple(devices), process_ids=())


@dataclass(frozen=True, slots=True)
class _Child:
    """A worker process, and where its complaints go."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def device(self) -> Device:
        """Where it listens, once it does."""
        assert self.process.stdout is not None  # noqa: S101 - it was opened with a pipe
        line = self.process.stdout.readline()
        if not line:
            raise InternalError(f"worker {self.name} did not start: {self.log.read_text()[-2000:].strip()}")
        return Device(name=self.name, address=json.loads(line)["address"])


@contextmanager
def _child(name: str, threads: int, cache: Path, log: Path) -> Generator[_Child]:
    command = [sys.executable, "-m", "legion.runtime.worker_process", "--name", name, "--bind", "127.0.0.1:0"]
    command += ["--threads", str(threads), "--cache", str(cache)]
    with log.open("wb") as complaints:
        # A session of its own: Ctrl-C is for the caller, who ends the workers, or goes on using them.
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, start_new_session=True
        )
    try:
        yield _Child(name, process, log)
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            _logger.warning("worker %s does not end; it is killed", name)
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
