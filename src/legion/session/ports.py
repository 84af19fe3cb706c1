"""Whether devices share the controller's port, measured."""

from legion.plan.timeline import Timeline
from legion.profile.ports import PortSample
from legion.runtime.port_probe import port_inputs, port_plan, port_samples
from legion.session.cluster import Cluster

SIZE_BYTES = 100_000
ROUNDS = 3
_WARMUPS = 1


def measure_ports(cluster: Cluster) -> tuple[PortSample, ...]:
    """Messages of the first two devices in turn and at once, to them and back.

    Nothing where there is one device alone, or all are on this machine, so that messages pass no port. It takes the
    place of the installed plan. Raises PeerError, with the device's name, if one fails.
    """
    if len(cluster.devices) < 2 or cluster.share_machine:
        return ()
    first, second = tuple(cluster.devices)[:2]
    devices = first, second
    plan, inputs = port_plan(devices, SIZE_BYTES), port_inputs(devices, SIZE_BYTES)
    with cluster.exclusive:
        timelines: list[Timeline] = []
        for _ in range(_WARMUPS + ROUNDS):
            cluster.run(plan, inputs, ())
            timelines.append(cluster.controller.timeline())
    return port_samples(devices, SIZE_BYTES, timelines[_WARMUPS:])
