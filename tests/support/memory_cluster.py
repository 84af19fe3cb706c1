"""Clusters whose workers are threads of the test's own process."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.runtime.controller import Controller, Timeouts
from legion.runtime.local import start_memory_workers
from legion.session.cluster import Cluster
from legion.transport.memory import MemoryNetwork


@contextmanager
def memory_cluster(devices: int, *, share_machine: bool = False) -> Generator[Cluster]:
    """So many devices, connected; whether they are said to be processes of one machine."""
    network = MemoryNetwork()
    with start_memory_workers(devices, network, OnnxRuntimeEngine) as workers, ExitStack() as owned:
        controller = Controller(workers.devices, network, timeouts=Timeouts(connect_s=2.0, run_s=30.0))
        owned.callback(controller.close)
        yield Cluster(controller, controller.connect(), owned, share_machine=share_machine, reached="")
