"""Devices measured: their layers, many devices at once, then their links one by one, and what the measuring took."""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from time import perf_counter

from legion.engine.base import graph_key
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.probes import ProbePlan
from legion.profile.samples import DeviceProfile, LayerSample, MeasurementPolicy, ProcessorSample
from legion.session.cluster import Cluster

LINK_SIZES_BYTES = (160_000, 40_000, 1_000)
LINK_ROUNDS = 7
LINK_BUDGET_S = 0.12
_TICK_S = 0.1

Report = Callable[[float], None]
"""Told the fraction that is done; may raise to end the measuring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLayers:
    """A device's samples, and what each part of them took."""

    samples: tuple[LayerSample, ...]
    costs: Mapping[str, MeasurementCost]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredProcessor:
    """A device's processor, and what it took to measure it."""

    sample: ProcessorSample
    cost: MeasurementCost = field(default_factory=MeasurementCost)


class _EndedError(Exception):
    """Another device failed, or the caller has had enough."""


def compare(cluster: Cluster, names: Collection[str]) -> Mapping[str, MeasuredProcessor]:
    """What devices take for the same work: all at the same time, unless they would take each other's cores.

    Raises PeerError, with the device's name, if one fails.
    """

    def measured(name: str) -> MeasuredProcessor:
        begun_s = perf_counter()
        sample = cluster.controller.probe_processor(name)
        taken_s = perf_counter() - begun_s
        return MeasuredProcessor(sample=sample, cost=MeasurementCost(device_busy_s=taken_s, wall_s=taken_s))

    at_once = 1 if cluster.share_machine else max(1, len(names))
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return dict(zip(names, pool.map(measured, names), strict=True))


def measure_layers(
    cluster: Cluster,
    plans: Mapping[str, Mapping[str, ProbePlan]],
    policy: MeasurementPolicy,
    report: Report,
) -> Mapping[str, MeasuredLayers]:
    """What devices take for the layers of their plans, by device, all measured at the same time; `plans` are by device
    and then by the part under which its cost is kept. Each device has an order of its own, so that a bad moment of what
    they share does not hit the same layer on all. The budget is of those with the most probes of a part, so that a
    probe is measured as often by whomever.

    Raises PeerError, with the device's name, if one fails; the others then stop too.
    """
    most: dict[str, int] = {}
    for part, plan in (item for parts in plans.values() for item in parts.items()):
        most[part] = max(most.get(part, 1), len(plan.probes))
    ended = Event()
    fractions = dict.fromkeys(plans, 0.0)

    def measured(place: int, name: str) -> MeasuredLayers:
        def note(fraction: float) -> None:
            if ended.is_set():
                raise _EndedError
            fractions[name] = fraction

        policies = {
            part: replace(policy, budget_s=policy.budget_s * len(plan.probes) / most[part], seed=policy.seed + place)
            for part, plan in plans[name].items()
        }
        return _measure_device(cluster, name, plans[name], policies, note)

    with ThreadPoolExecutor(max_workers=max(1, len(plans))) as pool:
        futures = {name: pool.submit(measured, place, name) for place, name in enumerate(plans)}
        try:
            _wait_for_all(futures.values(), lambda: report(sum(fractions.values()) / len(plans)))
        finally:
            ended.set()
    return {name: future.result() for name, future in futures.items()}


def _wait_for_all(futures: Iterable[Future[MeasuredLayers]], tick: Callable[[], None]) -> None:
    """Wait until all are done, or one has failed; raises what it raised."""
    running = set(futures)
    while running:
        done, running = wait(running, _TICK_S)
        for future in done:
            future.result()
        tick()


def _measure_device(
    cluster: Cluster,
    name: str,
    plans: Mapping[str, ProbePlan],
    policies: Mapping[str, MeasurementPolicy],
    report: Report,
) -> MeasuredLayers:
    samples: list[LayerSample] = []
    costs: dict[str, MeasurementCost] = {}
    total = sum(len(plan.probes) for plan in plans.values())
    for part, plan in plans.items():
        done = len(samples)

        def report_part(fraction: float, plan: ProbePlan = plan, done: int = done) -> None:
            report((done + fraction * len(plan.probes)) / total)

        begun_s = perf_counter()
        samples += cluster.controller.probe_layers(name, plan.probes, policies[part], plan.constants, report_part)
        taken_s = perf_counter() - begun_s
        segments = frozenset(f"{name} {graph_key(probe.graph)}" for probe in plan.probes)
        costs[part] = MeasurementCost(device_busy_s=taken_s, wall_s=taken_s, segments=segments)
    return MeasuredLayers(samples=tuple(samples), costs=costs)


def with_links(
    cluster: Cluster, name: str, processor: MeasuredProcessor, layers: MeasuredLayers, policy: MeasurementPolicy
) -> DeviceProfile:
    """The profile of the device `name`: its layers, and the way there and back, which is measured now.

    Raises PeerError, with the device's name, if it fails.
    """
    begun_s = perf_counter()
    probe = cluster.controller.probe_link(name, LINK_SIZES_BYTES, LINK_ROUNDS, LINK_BUDGET_S)
    frames = 1 + len(probe.samples[0].seconds)
    cost = MeasurementCost(wall_s=perf_counter() - begun_s, bytes_moved=2 * sum(LINK_SIZES_BYTES) * frames)
    return DeviceProfile(
        device=cluster.devices[name],
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        policy=policy,
        processor=processor.sample,
        layers=layers.samples,
        links=probe.samples,
        round_trip_s=probe.round_trip_s,
        handling_s=probe.handling_s,
        controller_handling_s=probe.controller_handling_s,
        costs={"comparison": processor.cost, **layers.costs, "links": cost},
    )
