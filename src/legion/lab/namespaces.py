"""The lab's network: one namespace per node, and one for the switch between them, all links shaped.

Nothing is seen of it outside: bridge and cables lie in the switch's namespace and go with it. Every name
starts with the lab's own prefix.
"""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from legion.errors import InputError, InternalError
from legion.lab.kernel_commands import run_tool
from legion.lab.setting import Link

CONTROLLER_ADDRESS = "10.77.0.1"
MAX_DEVICES = 250

_NAMESPACES = Path("/run/netns")
_CABLE = "eth0"
_LEAST_BURST_BYTES = 1600
_LARGEST_BURST_BYTES = 1 << 16
"""What passes at once, and the largest packet that the stack hands over, between one Ethernet frame and what the
kernel can make. Less would be truer to small messages, but the kernel's work for each packet is charged to whatever
computes at that moment: at 100 Mbit/s, saturated, it slows a worker down by 20 to 30 % with bursts of 0.3 ms, by less
than 5 % with 1 ms."""

_QUEUE_BYTES = 4 << 20
"""Enough to lose nothing when several nodes send to one: a switch with flow control."""

_CONGESTION_CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control"
"""Every kernel has reno, which does on a link that loses nothing what boards' usual cubic does. A host may prefer
another: BBR lets messages that share a port overtake each other."""

_END_S = 5.0
_END_POLL_S = 0.02


def device_address(index: int) -> str:
    """The address of the lab's device of this index."""
    return f"10.77.0.{index + 2}"


def device_namespace(prefix: str, index: int) -> str:
    """The namespace of the lab's device of this index."""
    return f"{prefix}-{index}"


def controller_namespace(prefix: str) -> str:
    """The namespace of the lab's controller."""
    return f"{prefix}-controller"


def inside(namespace: str) -> list[str]:
    """The words before a command that is to run in a namespace; its process id is the command's."""
    return ["ip", "netns", "exec", namespace]


def build_network(prefix: str, controller: Link, devices: Sequence[Link]) -> None:
    """Make all namespaces of a lab, and connect them.

    Raises InputError for a delay that the kernel cannot make, for too many devices, and when this user may
    not make namespaces; InternalError when the kernel refuses something else.
    """
    if len(devices) > MAX_DEVICES:
        raise InputError(f"a lab has room for {MAX_DEVICES} devices, not {len(devices)}")
    switch = f"{prefix}-switch"
    _add_namespace(switch)
    run_tool(["ip", "-n", switch, "link", "add", "bridge", "type", "bridge"])
    run_tool(["ip", "-n", switch, "link", "set", "bridge", "up"])
    _connect(switch, "port-c", controller_namespace(prefix), CONTROLLER_ADDRESS, controller)
    for index, link in enumerate(devices):
        _connect(switch, f"port-{index}", device_namespace(prefix, index), device_address(index), link)


def remove_network(prefix: str) -> None:
    """End what runs in a lab's namespaces, and remove them; there may be none.

    Raises InternalError when one cannot be removed.
    """
    for namespace in lab_namespaces(prefix):
        try:
            _end_processes(namespace)
            run_tool(["ip", "netns", "del", namespace])
        except InternalError:
            if namespace in lab_namespaces(prefix):  # else another has removed it at the same moment
                raise


def lab_namespaces(prefix: str) -> list[str]:
    """The names of a lab's namespaces that exist."""
    return sorted(path.name for path in _NAMESPACES.glob(f"{prefix}-*"))


def _connect(switch: str, port: str, namespace: str, address: str, link: Link) -> None:
    """A cable from the switch to a new namespace; each end shapes what it sends."""
    _add_namespace(namespace)
    cable = ["type", "veth", "peer", "name", _CABLE, "netns", namespace]
    run_tool(["ip", "-n", switch, "link", "add", port, *cable])
    run_tool(["ip", "-n", switch, "link", "set", port, "master", "bridge", "up"])
    run_tool(["ip", "-n", namespace, "address", "add", f"{address}/24", "dev", _CABLE])
    run_tool(["ip", "-n", namespace, "link", "set", _CABLE, "gso_max_size", str(_burst_bytes(link)), "up"])
    _shape(namespace, _CABLE, link)
    _shape(switch, port, link)


def _add_namespace(namespace: str) -> None:
    try:
        run_tool(["ip", "netns", "add", namespace])
    except InternalError as exc:
        raise InputError(f"{exc}; run it as root, or set network to transport") from exc
    run_tool(["ip", "-n", namespace, "link", "set", "lo", "up"])
    run_tool([*inside(namespace), "sh", "-c", f"echo reno > {_CONGESTION_CONTROL}"])


def _shape(namespace: str, interface: str, link: Link) -> None:
    add = [*inside(namespace), "tc", "qdisc", "add", "dev", interface]
    place = ["root"]
    if link.delay_s:
        try:
            run_tool([*add, "root", "handle", "1:", "netem", "delay", f"{link.delay_s * 1e6:.0f}us"])
        except InternalError as exc:
            raise InputError(f"a delay needs the kernel's netem, which is not to be had here ({exc})") from exc
        place = ["parent", "1:1"]
    rate, burst = f"{link.bandwidth_bytes_per_s * 8:.0f}bit", str(_burst_bytes(link))
    run_tool([*add, *place, "tbf", "rate", rate, "burst", burst, "limit", str(_QUEUE_BYTES)])


def _burst_bytes(link: Link) -> int:
    return min(max(_LEAST_BURST_BYTES, round(link.bandwidth_bytes_per_s * link.burst_s)), _LARGEST_BURST_BYTES)


def _end_processes(namespace: str) -> None:
    """They are the lab's, or were started by what is; those being started meanwhile come next."""
    deadline_s = time.monotonic() + _END_S
    while (processes := _processes_in(namespace)) and time.monotonic() < deadline_s:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_END_POLL_S)


def _processes_in(namespace: str) -> list[int]:
    return [int(each) for each in run_tool(["ip", "netns", "pids", namespace]).split()]
