"""The devices at hand: connected, described, and closed together."""

import platform
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

from legion.cluster.cluster_file import read_cluster, read_controller
from legion.cluster.device import ControllerSetting, Device, DeviceInfo
from legion.errors import InputError
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan
from legion.runtime.controller import Controller
from legion.runtime.local import start_local_workers
from legion.runtime.network import real_network
from legion.session.progress import Progress, silent


class Cluster:
    """Connected devices, led by this process as their controller. A context manager.

    Several sessions may share a cluster, also in several threads: the plan of the one that runs is
    installed on demand. Whoever needs the devices for longer than a frame holds `exclusive`.
    `share_machine` tells that the devices are processes on this machine, which take each other's cores;
    `reached` names the way to the devices, the same whenever it leads to the same ones.
    """

    def __init__(
        self,
        controller: Controller,
        devices: Mapping[str, DeviceInfo],
        owned: ExitStack,
        *,
        share_machine: bool,
        reached: str,
    ) -> None:
        self.controller = controller
        self.devices = devices
        self.share_machine = share_machine
        self.reached = reached
        self._owned = owned
        self.exclusive = RLock()

    def install(self, plan: ExecutablePlan, progress: Progress = silent) -> None:
        """Make `plan` the installed one; nothing is sent if it is already. Its devices that were lost are tried again.

        Raises PeerError, with the device's name, if a device is not there or cannot take it.
        """
        with self.exclusive:
            self.controller.connect([name for name in plan.nodes if name in self.devices])
            if not self.controller.holds(plan):
                self.controller.install(plan, lambda device, done: progress(f"installing on {device}", done))

    def run(
        self, plan: ExecutablePlan, feeds: Mapping[str, Array], outputs: Sequence[str], progress: Progress = silent
    ) -> Mapping[str, Array]:
        """One frame of `plan`, installed first unless it is already: the tensors named in `outputs`, whole.

        Raises PeerError, with the device's name, if one fails; the others can be given another plan.
        """
        with self.exclusive:
            self.install(plan, progress)
            return self.controller.run(feeds, outputs)

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

    Raises InputError for a flawed file and for no devices, and PeerError naming the device that is
    unreachable, in use by another controller, or of another protocol version.
    """
    if isinstance(cluster, str | Path):
        setting = read_controller(cluster)
        return _connected(read_cluster(cluster), ExitStack(), setting, file=str(Path(cluster).resolve()))
    return _connected(tuple(cluster), ExitStack(), ControllerSetting())


def local_cluster(devices: int = 2, *, threads: int = 1) -> Cluster:
    """Start workers as processes on this machine's loopback, and connect to them.

    They end with the cluster. `threads` is the number of computing threads of each. Raises InputError for
    fewer than one of either.
    """
    if devices < 1 or threads < 1:
        raise InputError(
            f"a local cluster of {devices} devices with {threads} threads each cannot be; one is the least"
        )
    owned = ExitStack()
    try:
        workers = owned.enter_context(start_local_workers(devices, threads=threads))
        return _connected(workers.devices, owned, ControllerSetting(), share_machine=True)
    except BaseException:
        owned.close()
        raise


def _connected(
    devices: Sequence[Device],
    owned: ExitStack,
    setting: ControllerSetting,
    *,
    share_machine: bool = False,
    file: str = "",
) -> Cluster:
    if not devices:
        raise InputError("a cluster needs at least one device")
    transport = real_network(setting.bandwidth_bytes_per_s)
    controller = Controller(devices, transport, weight_cache=setting.weight_cache)
    owned.callback(controller.close)
    try:
        infos = controller.connect()
        # The ports of this machine's own workers are others each time. Labs differ in their file, if in nothing else.
        way = "" if share_machine else f"{file} {setting} {list(devices)}"
        return Cluster(controller, infos, owned, share_machine=share_machine, reached=f"{platform.node()} {way}")
    except BaseException:
        owned.close()
        raise
