"""The same facts as the tables', as plain data for JSON."""

from collections.abc import Sequence

from legion.model.model import Model
from legion.plan.timeline import Timeline
from legion.policy.base import Choice
from legion.report.prediction import group_times_s
from legion.report.tables import matrices_of

Summary = dict[str, object]


def choice_summary(model: Model, choice: Choice) -> Summary:
    """Groups, shares, predicted seconds, and the wild card's decision."""
    return {
        "policy": choice.scheme.policy,
        "model": model.name,
        "shares": dict(choice.shares),
        "groups": [
            {
                "layers": [model.layers[layer].name for layer in group.layers],
                "devices": list(group.runs),
                "predicted_s": seconds,
            }
            for group, seconds in zip(choice.scheme.groups, choice.predicted_group_s, strict=True)
        ],
        "wild_card": choice.wild_card,
    }


def matrices_summary(choice: Choice, names: Sequence[str]) -> Summary:
    """The matrices of these names as nested lists, with the devices that their first axis means."""
    return {name: {"devices": choice.scheme.devices, "values": _values(choice, name)} for name in names}


def run_summary(choice: Choice, predicted: Timeline, measured: Sequence[Timeline]) -> Summary:
    """Latencies of all frames, and predicted and measured seconds per group of the last."""
    groups = len(choice.scheme.groups)
    return {
        "predicted_latency_s": predicted.latency_s,
        "measured_latency_s": [timeline.latency_s for timeline in measured],
        "predicted_group_s": group_times_s(predicted, groups),
        "measured_group_s": group_times_s(measured[-1], groups),
    }


def _values(choice: Choice, name: str) -> object:
    return getattr(matrices_of(choice, name), name).tolist()
