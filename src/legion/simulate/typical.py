"""The frame to expect: runs vary, and who ends late holds up the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from legion.model.model import Model
from legion.plan.program import Program
from legion.plan.timeline import Timeline
from legion.simulate.simulate import Costs, simulate


def typical_frame(programs: Mapping[str, Program], model: Model, frames: Sequence[Costs]) -> Timeline:
    """Of the frames that take what `frames` say, the one nearest to their mean latency, stretched to that.

    A plan whose devices never wait for one another takes the mean of what its runs take: no plan of it, cut into more
    or fewer runs, is faster by the luck of one frame. Raises what `simulate` does.
    """
    timelines = [simulate(programs, model, costs) for costs in frames]
    expected_s = fmean(timeline.latency_s for timeline in timelines)
    nearest = min(timelines, key=lambda timeline: abs(timeline.latency_s - expected_s))
    return nearest if nearest.latency_s == expected_s else _stretched(nearest, expected_s / nearest.latency_s)


def _stretched(timeline: Timeline, factor: float) -> Timeline:
    return replace(
        timeline,
        latency_s=timeline.latency_s * factor,
        events=tuple(
            replace(event, start_s=event.start_s * factor, end_s=event.end_s * factor) for event in timeline.events
        ),
    )
