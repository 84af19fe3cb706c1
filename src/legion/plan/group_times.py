"""A timeline divided by groups, so that prediction and measurement can be compared group by group."""

from legion.plan.timeline import Timeline


def group_times_s(timeline: Timeline, groups: int) -> tuple[float, ...]:
    """How long each group takes on the way through the frame, the transfers before it included.

    A group ends with its last run on any device, and begins where the one before ended. The sum of all
    is the time until the last run of all; what is left of the latency fetches the outputs.
    """
    ends = [0.0] * (groups + 1)
    for event in timeline.events:
        if event.kind == "run" and event.group is not None:
            ends[event.group + 1] = max(ends[event.group + 1], event.end_s)
    return tuple(max(0.0, ends[index + 1] - max(ends[: index + 1])) for index in range(groups))
