"""Small messages between all devices at once, measured."""

from collections.abc import Mapping

from legion.profile.ring import RingSample
from legion.runtime.ring_probe import ring_inputs, ring_plan, ring_sample
from legion.session.cluster import Cluster
from legion.wire.messages import FrameReport

SIZE_BYTES = 1_000
ROUNDS = 7
_WARMUPS = 1


def measure_ring(cluster: Cluster) -> RingSample | None:
    """Messages from each device to the next; None where there is one device alone.

    It takes the place of the installed plan. Raises PeerError, with the device's name, if one fails.
    """
    devices = tuple(cluster.devices)
    if len(devices) < 2:
        return None
    plan, inputs = ring_plan(devices, SIZE_BYTES), ring_inputs(devices, SIZE_BYTES)
    with cluster.exclusive:
        frames: list[Mapping[str, FrameReport]] = []
        for _ in range(_WARMUPS + ROUNDS):
            cluster.run(plan, inputs, ())
            frames.append(cluster.controller.reports())
    return ring_sample(devices, SIZE_BYTES, frames[_WARMUPS:])
