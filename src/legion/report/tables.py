"""What was decided and measured, as tables for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from math import inf
from statistics import median

from rich.table import Table

from legion.cluster.device import DeviceInfo
from legion.cost.matrices import Matrices
from legion.cost.model import CostModel
from legion.cost.shares import whole_model_s
from legion.model.model import Model
from legion.plan.assign import Shares
from legion.plan.group_times import group_times_s
from legion.plan.scheme import Group
from legion.plan.timeline import Timeline
from legion.policy.base import Candidate, Choice, GroupSearchReport, RaceReport, WildCardReport
from legion.profile.ports import sharing
from legion.profile.samples import Profile

_HARDLY_LATE = 0.02
"""Of a frame."""


class MatrixName(StrEnum):
    """The matrices that a policy searches, see `Matrices`."""

    S = "S"
    R = "R"
    E = "E"
    A = "A"
    T = "T"


_MATRIX_MEANINGS = {
    MatrixName.S: "Set: ms to send each layer's input share",
    MatrixName.R: "Get: ms to fetch each layer's output share",
    MatrixName.E: "Run: ms to run each layer's share",
    MatrixName.A: "Alpha: growth of the row's layer when it is fused up to the column's",
    MatrixName.T: "Cost: ms of the group from the row's layer to the column's (-1: no group)",
}


def device_table(devices: Mapping[str, DeviceInfo]) -> Table:
    """What each device answers about itself."""
    table = _table("", "device", "cores", "threads", "memory", "machine", "engine", "providers")
    for name, info in devices.items():
        engine = f"{info.engine} {info.versions.get(info.engine, '')}".strip()
        memory = f"{info.memory_bytes / 1e9:.1f} GB"
        table.add_row(name, str(info.cores), str(info.threads), memory, info.machine, engine, ", ".join(info.providers))
    return table


def profile_table(costs: CostModel, profile: Profile) -> Table:
    """The figures of a profile in short: the whole model on each device, and its link."""
    table = _table("profile", "device", "whole model", "set", "get", "round trip", "samples")
    for device in costs.devices:
        measured, ports = profile.devices[device], costs.ports[device]
        table.add_row(
            device,
            _ms(whole_model_s(costs, device)),
            _bandwidth(ports.inward.seconds_per_byte),
            _bandwidth(ports.outward.seconds_per_byte),
            _ms(measured.round_trip_s),
            str(sum(len(sample.seconds) for sample in measured.layers)),
        )
    return table


def port_line(profile: Profile) -> str | None:
    """Whether devices share the controller's port, as a sentence; None where it was not measured."""
    if not profile.ports:
        return None
    devices = tuple(profile.ports[0].alone_s)
    ways = {"set": "to", "get": "from"}
    found = ", ".join(f"{sharing(sample):.2f} {ways[sample.direction]} them" for sample in profile.ports)
    return (
        f"the controller's port, {', '.join(devices)} at once: {found} "
        f"({len(devices)}: one message after the other, 1: as if alone)"
    )


def ring_line(costs: CostModel, profile: Profile) -> str | None:
    """What small messages between devices take, as a sentence; None where it was not measured."""
    if profile.ring is None:
        return None
    taken_s, later = median(profile.ring.seconds), "later" if costs.exchange_s >= 0 else "sooner"
    return (
        f"small messages between all devices at once: {_ms(taken_s)} from one to the next, "
        f"{_ms(abs(costs.exchange_s))} {later} than their links to the controller say"
    )


def overrun_line(measured: Sequence[Timeline]) -> str | None:
    """That emulated boards were later than they should be, as a sentence; None where that is next to nothing."""
    late = median(timeline.overrun_s / timeline.latency_s for timeline in measured)
    if late < _HARDLY_LATE:
        return None
    return (
        f"a board was {late:.0%} of a frame later than its speed asks, since this machine was busy: "
        "rely on these times only as far"
    )


def plan_tables(model: Model, choice: Choice) -> Iterator[Table]:
    """The shares, and the FLC with what each group is predicted to take."""
    shares = _table(f"shares by {choice.scheme.policy}", "device", "share")
    total = sum(choice.shares.values())
    for device, share in choice.shares.items():
        shares.add_row(device, f"{share / total:.1%}")
    yield shares
    groups = _table("fused-layer configuration", "group", "layers", "devices", "predicted")
    for index, (group, seconds) in enumerate(zip(choice.scheme.groups, choice.predicted_group_s, strict=True)):
        devices = _devices(group, choice.group_shares[index] if choice.group_shares else None)
        groups.add_row(str(index), layer_range(model, group.layers), devices, _ms(seconds))
    groups.add_row("", "all", "", _ms(sum(choice.predicted_group_s)))
    yield groups


def decision_line(choice: Choice) -> str:
    """What decided for the plan, as a sentence: the wild card, a race or groups on the devices, or prediction alone."""
    if choice.race is not None:
        return _race_line(choice.race)
    if choice.group_search is not None:
        return _group_search_line(choice.group_search)
    if choice.wild_card is not None:
        return _wild_card_line(choice.wild_card)
    return f"decided by prediction under {choice.scheme.policy}; nothing was tried on the devices"


def _race_line(report: RaceReport) -> str:
    kept = report.tried[report.kept]
    hidden = max(0.0, report.hidden)
    return (
        f"trials: {len(report.tried)} of {report.candidates} plans ran on the devices; kept the one predicted at "
        f"{_ms(kept.predicted_s)} and measured at {_ms(kept.measured_s)}; one that was not tried could be faster by "
        f"{hidden:.1%} at most, if predictions err as these did"
    )


def _group_search_line(report: GroupSearchReport) -> str:
    tried = f"trials: {report.tried} of {report.groups} groups were tried on the devices"
    if report.tried == report.groups:
        return tried
    return (
        f"{tried}; another partition could be faster by {report.hidden:.1%} at most, if no other group takes less than "
        f"{report.optimism:.0%} of what is predicted"
    )


def _wild_card_line(report: WildCardReport) -> str:
    merged = report.wild_card.flc[report.merged]
    return (
        f"wild card: merging layers {merged[0]} to {merged[1] - 1} "
        f"({_candidate(report.wild_card)}) against the least-cost configuration ({_candidate(report.least_cost)}); "
        f"kept the {report.kept}, {report.decided_by}"
    )


def matrix_table(model: Model, matrices: Matrices, name: MatrixName) -> Iterator[Table]:
    """One of the matrices; A is one table per device."""
    layers = [layer.name for layer in model.layers]
    meaning = f"{name} ({_MATRIX_MEANINGS[name]})"
    if name is MatrixName.T:
        yield _square(meaning, layers, [[v if v < 0 else v * 1e3 for v in row] for row in matrices.T.tolist()])
    elif name is MatrixName.A:
        for device, alpha in zip(matrices.devices, matrices.A.tolist(), strict=True):
            yield _square(f"{meaning}, {device}", layers, alpha)
    else:
        table = _table(meaning, "layer", *matrices.devices)
        values: list[list[float]] = getattr(matrices, name).T.tolist()
        for layer, row in zip(layers, values, strict=True):
            table.add_row(layer, *(f"{value * 1e3:.3f}" for value in row))
        yield table


def timeline_table(predicted: Timeline, measured: Timeline, model: Model, choice: Choice) -> Table:
    """Measured beside predicted, per group and in all."""
    table = _table("predicted and measured", "group", "layers", "predicted", "measured", "error")
    groups = choice.scheme.groups
    for index, (predicted_s, measured_s) in enumerate(
        zip(group_times_s(predicted, len(groups)), group_times_s(measured, len(groups)), strict=True)
    ):
        table.add_row(str(index), layer_range(model, groups[index].layers), *_compared(predicted_s, measured_s))
    table.add_row("", "latency", *_compared(predicted.latency_s, measured.latency_s))
    return table


def layer_range(model: Model, layers: Sequence[int]) -> str:
    """Layers by the names of the first and the last."""
    first, last = model.layers[layers[0]].name, model.layers[layers[-1]].name
    return first if first == last else f"{first} .. {last}"


def _devices(group: Group, shares: Shares | None) -> str:
    """The devices of a group, with the shares that are its own."""
    if shares is None:
        return ", ".join(group.runs)
    total = sum(shares.values())
    return ", ".join(f"{device} {shares[device] / total:.0%}" for device in group.runs)


def _compared(predicted_s: float, measured_s: float) -> tuple[str, str, str]:
    error = f"{predicted_s / measured_s - 1:+.1%}" if measured_s > 0 else ""
    return _ms(predicted_s), _ms(measured_s), error


def _square(title: str, layers: Sequence[str], values: Sequence[Sequence[float]]) -> Table:
    table = _table(title, "layer", *(str(index) for index in range(len(layers))))
    for index, (layer, row) in enumerate(zip(layers, values, strict=True)):
        table.add_row(f"{index} {layer}", *("" if value < 0 else f"{value:.2f}" for value in row))
    return table


def _candidate(candidate: Candidate) -> str:
    predicted = f"predicted {_ms(candidate.predicted_s)}"
    if candidate.measured_s is None:
        return predicted
    measured = "does not fit" if candidate.measured_s == inf else f"measured {_ms(candidate.measured_s)}"
    return f"{predicted}, {measured}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title or None, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    return table


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def _bandwidth(seconds_per_byte: float) -> str:
    return "no limit seen" if seconds_per_byte <= 0 else f"{1e-6 / seconds_per_byte:.1f} MB/s"
