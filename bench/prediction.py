"""The simulator's prediction beside the measured time of the same run, for every network of the zoo.

Method: local workers of one thread each on loopback, one and then as many as this machine has cores.
Right before the frames the devices are profiled (one after the other, default measurement policy). Then
frames run one by one after two warm-ups; measured is the median over frames, per group and in all. A group
lasts from the end of the group before to the end of its own last run on any device. A reference kernel is
timed in this process next to the profile and next to the frames: `drift` is how much slower the machine was during
the frames. The error is predicted over measured, minus one; none is corrected for drift.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from rich.console import Console

from bench.results_file import write_results
from legion.engine.kernel import ReferenceKernel
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.pacer import Pacer
from legion.model import zoo
from legion.model.onnx_import import load_model
from legion.plan.group_times import group_times_s
from legion.plan.timeline import Timeline
from legion.report.tables import layer_range
from legion.session.cluster import local_cluster
from legion.session.feeds import sample_feeds
from legion.session.inference_session import InferenceSession
from legion.session.stages import profile_devices

POLICIES = ("legion", "coedge")
FRAMES = 15
WARMUPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPrediction:
    layers: str
    predicted_s: float
    measured_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPrediction:
    network: str
    workers: int
    policy: str
    predicted_s: float
    measured_s: tuple[float, ...]
    drift: float
    groups: tuple[GroupPrediction, ...]

    @property
    def error(self) -> float:
        return self.predicted_s / median(self.measured_s) - 1


def main() -> None:
    """Run all, print a line each, and write the results."""
    kernel = ReferenceKernel(OnnxRuntimeEngine())
    console = Console()
    runs: list[RunPrediction] = []
    for name in zoo.NAMES:
        content = zoo.build(name).SerializeToString()
        for workers in sorted({1, os.cpu_count() or 1}):
            for run in _runs(name, content, workers, kernel):
                runs.append(run)
                console.print(
                    f"{name:12} {workers} workers {run.policy:7} predicted {run.predicted_s * 1e3:8.2f} ms, "
                    f"measured {median(run.measured_s) * 1e3:8.2f} ms, error {run.error:+.1%}, drift {run.drift:.2f}"
                )
    results = [{"error": run.error, "run": run} for run in runs]
    write_results("prediction", __doc__ or "", results)


def _runs(name: str, content: bytes, workers: int, kernel: ReferenceKernel) -> Iterator[RunPrediction]:
    """All policies on one profile."""
    model = load_model(content)
    with local_cluster(workers) as cluster:
        before_s = _kernel_s(kernel)
        profile = profile_devices(model, cluster)
        profiled_s = (before_s + _kernel_s(kernel)) / 2
        for policy in POLICIES:
            session = InferenceSession(model, cluster=cluster, policy=policy, profile=profile, trials=False)
            yield _run(name, session, workers, profiled_s, kernel)


def _run(
    name: str, session: InferenceSession, workers: int, profiled_s: float, kernel: ReferenceKernel
) -> RunPrediction:
    feeds = sample_feeds(session.model)
    timelines: list[Timeline] = []
    before_s = _kernel_s(kernel)
    for _ in range(WARMUPS + FRAMES):
        session.run(None, feeds)
        timelines.append(session.measured)
    running_s = (before_s + _kernel_s(kernel)) / 2
    del timelines[:WARMUPS]
    groups = session.scheme.groups
    measured = [group_times_s(timeline, len(groups)) for timeline in timelines]
    predicted = group_times_s(session.predicted, len(groups))
    return RunPrediction(
        network=name,
        workers=workers,
        policy=session.scheme.policy,
        predicted_s=session.predicted.latency_s,
        measured_s=tuple(timeline.latency_s for timeline in timelines),
        drift=running_s / profiled_s,
        groups=tuple(
            GroupPrediction(
                layers=layer_range(session.model, group.layers),
                predicted_s=predicted[index],
                measured_s=median(times[index] for times in measured),
            )
            for index, group in enumerate(groups)
        ),
    )


def _kernel_s(kernel: ReferenceKernel) -> float:
    return median(kernel.time(Pacer().timed) for _ in range(15))


if __name__ == "__main__":
    main()
