"""The same facts as the tables', as plain data for JSON."""

from collections.abc import Mapping, Sequence

from legion.cost.matrices import Matrices
from legion.model.model import Model
from legion.plan.group_times import group_times_s
from legion.plan.timeline import Timeline
from legion.policy.base import Choice
from legion.profile.measurement_cost import MeasurementCost
from legion.report.tables import MatrixName

Summary = dict[str, object]


def choice_summary(model: Model, choice: Choice) -> Summary:
    """Groups, shares, predicted seconds, and what decided."""
    by_group = choice.group_shares or (choice.shares,) * len(choice.scheme.groups)
    return {
        "policy": choice.scheme.policy,
        "model": model.name,
        "shares": dict(choice.shares),
        "groups": [
            {
                "layers": [model.layers[layer].name for layer in group.layers],
                "devices": list(group.runs),
                "shares": dict(shares),
                "predicted_s": seconds,
            }
            for group, shares, seconds in zip(choice.scheme.groups, by_group, choice.predicted_group_s, strict=True)
        ],
        "wild_card": choice.wild_card,
        "race": choice.race,
        "group_search": choice.group_search,
        "bound_s": choice.bound_s,
    }


def matrices_summary(matrices: Mapping[MatrixName, Matrices]) -> Summary:
    """Each as nested lists, with the devices that the first axis of all but T means."""
    return {
        name: {"devices": those.devices, "values": getattr(those, name).tolist()} for name, those in matrices.items()
    }


def costs_summary(costs: Mapping[str, MeasurementCost]) -> Summary:
    """What was measured, and what that took; compiled segments as their number."""
    return {
        "measurement_costs": {
            part: {
                "device_busy_s": cost.device_busy_s,
                "wall_s": cost.wall_s,
                "bytes_moved": cost.bytes_moved,
                "segments": len(cost.segments),
            }
            for part, cost in costs.items()
        }
    }


def run_summary(choice: Choice, predicted: Timeline, measured: Sequence[Timeline]) -> Summary:
    """Latencies of all frames with what was beside them, and predicted and measured seconds per group of the last."""
    groups = len(choice.scheme.groups)
    return {
        "predicted_latency_s": predicted.latency_s,
        "measured_latency_s": [timeline.latency_s for timeline in measured],
        "overrun_s": [timeline.overrun_s for timeline in measured],
        "wire_cpu_s": [timeline.wire_cpu_s for timeline in measured],
        "predicted_group_s": group_times_s(predicted, groups),
        "measured_group_s": group_times_s(measured[-1], groups),
    }
