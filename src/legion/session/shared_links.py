"""What devices share of the network, measured with several at once: the controller's port, and whatever is between."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from legion.errors import PeerError
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.ports import PortSample
from legion.profile.ring import RingSample
from legion.runtime.port_probe import port_inputs, port_plan, port_samples
from legion.runtime.ring_probe import ring_inputs, ring_plan, ring_sample
from legion.session.cluster import Cluster

PORT_BYTES = 100_000
PORT_ROUNDS = 3
RING_BYTES = 200
"""Few, so that slow links are hardly filled by them."""

RING_ROUNDS = 7
_WARMUPS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLinks:
    """What was measured, see `Profile`, and what it took."""

    ports: tuple[PortSample, ...] = ()
    ring: RingSample | None = None
    cost: MeasurementCost = field(default_factory=MeasurementCost)


def measure_shared_links(cluster: Cluster) -> SharedLinks:
    """Messages of all devices in turn and at once, to them and back, then from each to the next.

    There must be two at least. Nothing of ports is measured where all are on this machine, so that messages pass none.
    It takes the place of the installed plan. Raises PeerError, with the device's name, if one fails.
    """
    devices = tuple(cluster.devices)
    begun_s, frames = perf_counter(), _Frames(cluster)
    with cluster.exclusive:
        ports = () if cluster.share_machine else _ports(frames, devices)
        ring = _ring(frames, devices)
    cost = MeasurementCost(wall_s=perf_counter() - begun_s, bytes_moved=frames.sent_bytes)
    return SharedLinks(ports=ports, ring=ring, cost=cost)


class _Frames:
    """Runs frames, and counts the bytes that are sent in them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.controller = cluster.controller
        self.sent_bytes = 0

    def run(self, plan: ExecutablePlan, inputs: Mapping[str, Array], rounds: int) -> Iterator[None]:
        """One after another; comes back after each that counts."""
        for number in range(_WARMUPS + rounds):
            self._cluster.run(plan, inputs, ())
            self.sent_bytes += sum(report.sent_bytes for report in self.controller.reports().values())
            if number >= _WARMUPS:
                yield


def _ports(frames: _Frames, devices: tuple[str, ...]) -> tuple[PortSample, ...]:
    plan, inputs = port_plan(devices, PORT_BYTES), port_inputs(devices, PORT_BYTES)
    timelines = [frames.controller.timeline() for _ in frames.run(plan, inputs, PORT_ROUNDS)]
    return port_samples(devices, PORT_BYTES, timelines)


def _ring(frames: _Frames, devices: tuple[str, ...]) -> RingSample:
    plan, inputs = ring_plan(devices, RING_BYTES), ring_inputs(devices, RING_BYTES)
    try:
        reports = [frames.controller.reports() for _ in frames.run(plan, inputs, RING_ROUNDS)]
    except PeerError as exc:
        raise PeerError(f"{exc}; devices were sending to one another: see that they can reach each other") from exc
    return ring_sample(devices, RING_BYTES, reports)
