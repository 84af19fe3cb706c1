"""The devices at hand: connected, described, and closed together."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from legion.cluster.cluster_file import read_cluster, read_controller
from legion.cluster.device import ControllerSetting, Device, DeviceInfo
from legion.plan.executable import ExecutablePlan
from legion.runtime.controller import Controller
from legion.runtime.local import start_local_workers
from legion.runtime.network import real_network
from legion.session.progress import Progress, silent


class Cluster:
    """Connected devices, led by this process as their controller. A context manager.

    Several sessions may share a cluster: the plan of the one that runs is installed on demand.
    """

    def __init__(self, controller: Controller, devices: Mapping[str, DeviceInfo], owned: ExitStack) -> None:
        self.controller = controller
        self.devices = devices
        self._owned = owned
        self._installed: ExecutablePlan | None = None

    def install(self, plan: ExecutablePlan, progress: Progress = silent) -> None:
        """Make `plan` the installed one; nothing is sent if it is already.

        Raises PeerError, with the device's name, if a device cannot take it.
        """
        if plan is self._installed:
            return
        self._installed = None
        self.controller.install(plan, lambda device, fraction: progress(f"installing on {device}", fraction))
        self._installed = plan

    def holds(self, plan: ExecutablePlan) -> bool:
        """Whether this plan is the installed one."""
        return plan is self._installed

    def forget_plan(self) -> None:
        """Have the next run install its plan anew, as after a failure."""
        self._installed = None

    def close(self) -> None:
        """Say goodbye to the workers; end those that this cluster started."""
        self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(cluster: str | Path | Sequence[Device]) -> Cluster:
    """Connect to the workers of a cluster file, or of a list of devices.

    Raises InputError for a flawed file, and PeerError naming the device that is unreachable, in use by
    another controller, or of another protocol version.
    """
    if isinstance(cluster, str | Path):
        return _connected(read_cluster(cluster), ExitStack(), read_controller(cluster))
    return _connected(tuple(cluster), ExitStack(), ControllerSetting())


def local_cluster(devices: int = 2, *, threads: int = 1) -> Cluster:
    """Start workers as processes on this machine's loopback, and connect to them.

    They end with the cluster. `threads` is the number of computing threads of each.
    """
    owned = ExitStack()
    try:
        workers = owned.enter_context(start_local_workers(devices, threads=threads))
        return _connected(workers.devices, owned, ControllerSetting())
    except BaseException:
        owned.close()
        raise


def _connected(devices: Sequence[Device], owned: ExitStack, setting: ControllerSetting) -> Cluster:
    transport = real_network(setting.bandwidth_bytes_per_s)
    controller = Controller(devices, transport, weight_cache=setting.weight_cache)
    owned.callback(controller.close)
    try:
        return Cluster(controller, controller.connect(), owned)
    except BaseException:
        owned.close()
        raise
