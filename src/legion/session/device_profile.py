"""One device measured: layers, the way there and back, and what the measuring took."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import perf_counter

from legion.cluster.device import DeviceInfo
from legion.engine.base import graph_key
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.probes import ProbePlan
from legion.profile.samples import DeviceProfile, LayerSample, MeasurementPolicy
from legion.session.cluster import Cluster

LINK_SIZES_BYTES = (1_000, 10_000, 100_000, 1_000_000, 4_000_000)
LINK_ROUNDS = 7
_LINK_WARMUPS = 1


def same_kind(one: DeviceInfo, other: DeviceInfo) -> bool:
    """Whether samples of one hold for the other: the same kind of machine, threads, engine and providers."""
    return all(
        getattr(one, name) == getattr(other, name) for name in ("cores", "threads", "machine", "engine", "providers")
    ) and one.versions.get(one.engine) == other.versions.get(other.engine)


def measure_device(
    cluster: Cluster,
    name: str,
    plans: Mapping[str, ProbePlan],
    policy: MeasurementPolicy,
    report: Callable[[float], None],
) -> DeviceProfile:
    """The profile of the device `name`, with the samples of all plans; its costs are kept under the plans' names.

    Raises PeerError, with the device's name, if it fails.
    """
    samples: list[LayerSample] = []
    costs: dict[str, MeasurementCost] = {}
    total = sum(len(plan.probes) for plan in plans.values())
    for part, plan in plans.items():
        done = len(samples)

        def report_part(fraction: float, plan: ProbePlan = plan, done: int = done) -> None:
            report((done + fraction * len(plan.probes)) / total)

        begun_s = perf_counter()
        samples += cluster.controller.probe_layers(name, plan.probes, policy, plan.constants, report_part)
        taken_s = perf_counter() - begun_s
        segments = frozenset(f"{name} {graph_key(probe.graph)}" for probe in plan.probes)
        costs[part] = MeasurementCost(device_busy_s=taken_s, wall_s=taken_s, segments=segments)
    begun_s = perf_counter()
    links, round_trip_s, copy_bytes_per_s = cluster.controller.probe_link(name, LINK_SIZES_BYTES, LINK_ROUNDS)
    frames = LINK_ROUNDS + _LINK_WARMUPS
    costs["links"] = MeasurementCost(wall_s=perf_counter() - begun_s, bytes_moved=2 * sum(LINK_SIZES_BYTES) * frames)
    return DeviceProfile(
        device=cluster.devices[name],
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        policy=policy,
        layers=tuple(samples),
        links=links,
        round_trip_s=round_trip_s,
        copy_bytes_per_s=copy_bytes_per_s,
        costs=costs,
    )
