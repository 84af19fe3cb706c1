"""The frame to expect: runs vary, and who ends late holds up the others."""

from collections.abc import Mapping, Sequence

from legion.model.model import Model
from legion.plan.program import Program
from legion.plan.timeline import Timeline
from legion.simulate.simulate import Costs, simulate


def typical_frame(programs: Mapping[str, Program], model: Model, frames: Sequence[Costs]) -> Timeline:
    """Of the frames that take what `frames` say, that of median latency. Raises what `simulate` does."""
    timelines = [simulate(programs, model, costs) for costs in frames]
    return sorted(timelines, key=lambda timeline: timeline.latency_s)[len(timelines) // 2]
