"""Frames of several plans in turn, so that all see the same drift of the machine."""

from collections.abc import Mapping
from random import Random

from bench.paper.results import Frames
from legion.model.model import Model
from legion.plan.executable import ExecutablePlan
from legion.plan.program import Run
from legion.plan.scheme import CONTROLLER
from legion.plan.timeline import Timeline
from legion.session.cluster import Cluster
from legion.session.feeds import computed_outputs, sample_feeds
from legion.wire.messages import FrameReport

BLOCK = 2
"""Frames of one plan in a row at most. Devices hold one plan, and another takes seconds to install, which is not timed.
Nor is the first frame after that, which takes 3 to 10 % longer than those that follow: connections are new, and nothing
is in a cache. Few, since the machine can be slower by a third for as long as four frames take."""


def interleaved(cluster: Cluster, model: Model, plans: Mapping[str, ExecutablePlan], repeat: int) -> dict[str, Frames]:
    """`repeat` frames of each plan by its name, in rounds over all plans, in another order each round."""
    order = Random(0)
    taken: dict[str, list[_Frame]] = {name: [] for name in plans}
    rounds = -(-repeat // BLOCK)
    for number in range(rounds):
        count = repeat // rounds + (number < repeat % rounds)
        for name in order.sample(list(plans), len(plans)):
            taken[name] += _block(cluster, model, plans[name], count)
        print(f"frames: round {number + 1} of {rounds}", flush=True)
    return {name: _together(frames) for name, frames in taken.items()}


_Frame = tuple[Timeline, Mapping[str, float]]
"""What was measured, and run seconds by device."""


def _block(cluster: Cluster, model: Model, plan: ExecutablePlan, count: int) -> list[_Frame]:
    feeds, outputs = sample_feeds(model), computed_outputs(model)
    frames: list[_Frame] = []
    with cluster.exclusive:
        cluster.install(plan)
        cluster.run(plan, feeds, outputs)
        for _ in range(count):
            cluster.run(plan, feeds, outputs)
            reports = cluster.controller.reports()
            run_s = {name: _run_s(plan, name, report) for name, report in reports.items() if name != CONTROLLER}
            frames.append((cluster.controller.timeline(), run_s))
    return frames


def _run_s(plan: ExecutablePlan, name: str, report: FrameReport) -> float:
    instructions = plan.nodes[name].program.instructions
    return sum(
        record.end_s - record.start_s for record in report.records if isinstance(instructions[record.instruction], Run)
    )


def _together(frames: list[_Frame]) -> Frames:
    return Frames(
        latency_s=tuple(timeline.latency_s for timeline, _ in frames),
        overrun_s=tuple(timeline.overrun_s for timeline, _ in frames),
        wire_cpu_s=tuple(timeline.wire_cpu_s for timeline, _ in frames),
        run_s={name: tuple(run_s[name] for _, run_s in frames) for name in frames[0][1]},
    )
