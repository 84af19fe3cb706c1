"""Runs schemes on the devices for policies that want to know, and counts what that takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from legion.engine.base import graph_key
from legion.model.model import Model
from legion.plan.executable import ExecutablePlan
from legion.plan.program import Run, Send
from legion.plan.scheme import CONTROLLER, Scheme
from legion.profile.measurement_cost import MeasurementCost
from legion.session.cluster import Cluster
from legion.session.feeds import computed_outputs, sample_feeds
from legion.session.progress import Progress
from legion.session.trial_store import TrialRecord, TrialStore, trial_key
from legion.wire.messages import FrameReport

FRAMES = 5
LEAST_S = 1.0
MOST_FRAMES = 20
"""A trial has `FRAMES`; where they are shorter, as many as take `LEAST_S` together, but no more than `MOST_FRAMES`."""

Planner = Callable[[Model, Scheme], ExecutablePlan]
"""Makes a scheme of a model ready; raises InfeasibleError where it does not fit into the devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What a frame took: as a whole, each device for its runs, and all nodes for what they sent."""

    latency_s: float
    run_s: Mapping[str, float]
    overrun_s: float
    sent_bytes: int


class Trials:
    """A policy's `Trial`: frames of seeded numbers, `frames` of them where given, else five, and more of short ones.

    What the store holds is not run again, but what it took then is counted.
    """

    def __init__(
        self, cluster: Cluster, planner: Planner, store: TrialStore, progress: Progress, *, frames: int | None = None
    ) -> None:
        self._cluster = cluster
        self._planner = planner
        self._store = store
        self._progress = progress
        self._frame_count = frames
        self._used: dict[str, TrialRecord] = {}

    def __call__(self, model: Model, scheme: Scheme) -> float:
        """Median seconds of the frames."""
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
        return TrialRecord(
            key=key,
            model=model.name,
            latencies_s=tuple(frame.latency_s for frame in frames),
            run_s={name: tuple(frame.run_s[name] for frame in frames) for name in devices},
            overruns_s=tuple(frame.overrun_s for frame in frames),
            cost=MeasurementCost(
                device_busy_s=busy_s + sum(sum(frame.run_s.values()) for frame in frames),
                wall_s=perf_counter() - begun_s,
                bytes_moved=sum(frame.sent_bytes for frame in frames),
                segments=frozenset(
                    f"{name} {graph_key(graph)}" for name in devices for graph in plan.nodes[name].graphs_as_run()
                ),
            ),
        )

    def _frames(self, model: Model, plan: ExecutablePlan) -> list[_Frame]:
        feeds = sample_feeds(model)
        frames: list[_Frame] = []
        while (fraction := done([frame.latency_s for frame in frames], self._frame_count)) < 1:
            self._progress(f"trying {model.name}", fraction)
            begun_s = perf_counter()
            self._cluster.run(plan, feeds, computed_outputs(model), self._progress)
            latency_s = perf_counter() - begun_s
            # Durations need no common clock, and reading all clocks would take as long as a short frame.
            frames.append(_frame(plan, self._cluster.controller.reports(), latency_s))
        return frames


def done(latencies_s: Sequence[float], frames: int | None = None) -> float:
    """The fraction of a trial that these are, of as many `frames` where given; 1 or more when it is over."""
    if frames is not None:
        return len(latencies_s) / frames
    return min(len(latencies_s) / FRAMES, max(len(latencies_s) / MOST_FRAMES, sum(latencies_s) / LEAST_S))


def _frame(plan: ExecutablePlan, reports: Mapping[str, FrameReport], latency_s: float) -> _Frame:
    run_s = {name: 0.0 for name in plan.nodes if name != CONTROLLER}
    sent_bytes = 0
    for name, report in reports.items():
        instructions = plan.nodes[name].program.instructions
        for record in report.records:
            match instructions[record.instruction]:
                case Run():
                    run_s[name] += record.end_s - record.start_s
                case Send():
                    sent_bytes += record.size_bytes
                case _:
                    pass
    overrun_s = max(report.overrun_s for report in reports.values())
    return _Frame(latency_s=latency_s, run_s=run_s, overrun_s=overrun_s, sent_bytes=sent_bytes)
