"""Runs schemes on the devices for policies that want to know, and counts what that takes."""

from collections.abc import Callable
from statistics import median
from time import perf_counter

from legion.engine.base import graph_key
from legion.model.model import Model
from legion.plan.executable import ExecutablePlan
from legion.plan.scheme import CONTROLLER, Scheme
from legion.plan.timeline import Timeline
from legion.profile.measurement_cost import MeasurementCost
from legion.session.cluster import Cluster
from legion.session.feeds import computed_outputs, sample_feeds
from legion.session.progress import Progress
from legion.session.trial_store import TrialRecord, TrialStore, trial_key

WARMUPS = 1
FRAMES = 5

Planner = Callable[[Model, Scheme], ExecutablePlan]
"""Makes a scheme of a model ready; raises InfeasibleError where it does not fit into the devices."""


class Trials:
    """A policy's `Trial`. What the store holds is not run again, but what it took then is counted."""

    def __init__(self, cluster: Cluster, planner: Planner, store: TrialStore, progress: Progress) -> None:
        self._cluster = cluster
        self._planner = planner
        self._store = store
        self._progress = progress
        self._used: dict[str, TrialRecord] = {}

    def __call__(self, model: Model, scheme: Scheme) -> float:
        """Median seconds of a few frames of seeded numbers, after a warm-up."""
        key = trial_key(scheme, self._cluster.devices)
        record = self._store.get(key)
        if record is None:
            with self._cluster.exclusive:
                record = self._measured(key, model, scheme)
            self._store.add(record)
        self._used[key] = record
        return median(record.latencies_s)

    @property
    def cost(self) -> MeasurementCost:
        """What all trials so far took, each counted once."""
        return sum((record.cost for record in self._used.values()), MeasurementCost())

    def _measured(self, key: str, model: Model, scheme: Scheme) -> TrialRecord:
        begun_s = perf_counter()
        plan = self._planner(model, scheme)
        installing_s = perf_counter()
        self._cluster.install(plan, self._progress)
        devices = [name for name in plan.nodes if name != CONTROLLER]
        busy_s = (perf_counter() - installing_s) * len(devices)
        frames = self._frames(model, plan)
        latencies_s = tuple(timeline.latency_s for timeline in frames[WARMUPS:])
        events = [event for timeline in frames for event in timeline.events]
        return TrialRecord(
            key=key,
            model=model.name,
            latencies_s=latencies_s,
            cost=MeasurementCost(
                device_busy_s=busy_s + sum(event.end_s - event.start_s for event in events if event.kind == "run"),
                wall_s=perf_counter() - begun_s,
                bytes_moved=sum(event.size_bytes for event in events if event.kind == "send"),
                segments=frozenset(
                    f"{name} {graph_key(graph)}" for name in devices for graph in plan.nodes[name].graphs
                ),
            ),
        )

    def _frames(self, model: Model, plan: ExecutablePlan) -> list[Timeline]:
        feeds = sample_feeds(model)
        frames: list[Timeline] = []
        for frame in range(WARMUPS + FRAMES):
            self._progress(f"trying {model.name}", frame / (WARMUPS + FRAMES))
            self._cluster.run(plan, feeds, computed_outputs(model), self._progress)
            frames.append(self._cluster.controller.timeline())
        return frames
