"""The tables of what choosing takes, from cells' results and what was published."""

from dataclasses import replace

from bench.markdown import markdown_table
from bench.paper.cell_files import CellFile, Cells, Published
from bench.paper.cells import FSS, POLICIES, WILD_CARD
from bench.paper.results import ProfilingCost
from legion.session.trials import FRAMES

COMPARED_COSTS = (WILD_CARD, "lazy-search", "auto")
"""Policies whose cost stands beside that of the full search."""

_BLANK = ""


def profiling_table(cells: Cells, published: Published) -> str:
    """What the full search takes to choose, over what Legion with wild card takes."""
    header = ("network", "devices", "paper: FSS", "Legion", "ratio", "here: FSS", "Legion", "ratio")
    beside = ("of device-busy seconds", "of bytes", "of segments")
    rows: list[list[str]] = []
    for (model, devices), cell in cells.items():
        theirs = published.profiling_s.get((model, devices), {})
        full, legion = _total(cell, FSS), _total(cell, WILD_CARD)
        rows.append(
            [
                model,
                devices,
                *_two_and_ratio(theirs.get(FSS), theirs.get(WILD_CARD)),
                *_two_and_ratio(full and full.wall_s, legion and legion.wall_s),
                *(
                    _ratio(full and of(full), legion and of(legion))
                    for of in (_busy_s, lambda cost: cost.bytes_moved, lambda cost: cost.segments)
                ),
            ]
        )
    return markdown_table((*header, *beside), rows)


def cost_table(cells: Cells, _: Published) -> str:
    """What each policy took to choose, by part, over all cells in which it was measured."""
    rows: list[list[str]] = []
    for policy in POLICIES:
        measured = [found for cell in cells.values() if (found := cell.policy(policy))]
        for part in sorted(dict.fromkeys(part for each in measured for part in each.profiling), key="total".__eq__):
            costs = [each.profiling[part] for each in measured if part in each.profiling]
            rows.append(
                [
                    policy,
                    part,
                    str(len(costs)),
                    *(f"{sum(of(cost) for cost in costs):.0f}" for of in (_wall_s, _busy_s)),
                    f"{sum(cost.bytes_moved for cost in costs) / 1e6:.0f}",
                    str(sum(cost.segments for cost in costs)),
                ]
            )
    return markdown_table(("policy", "part", "cells", "wall s", "device-busy s", "MB moved", "segments"), rows)


def ratio_table(cells: Cells, _: Published) -> str:
    """What the full search takes over what others take, if each of its groups ran as many frames as their trials."""
    header = ["network", "devices", "FSS: wall", "device-busy"]
    for policy in COMPARED_COSTS:
        header += [f"over {policy}: wall", "device-busy"]
    rows: list[list[str]] = []
    for place, cell in cells.items():
        full = at_equal_repeats(cell)
        if full is None:
            continue
        row = [*place, _seconds(full.wall_s), _seconds(full.device_busy_s)]
        for policy in COMPARED_COSTS:
            other = _total(cell, policy)
            row += [_ratio(of(full), other and of(other)) for of in (_wall_s, _busy_s)]
        rows.append(row)
    return markdown_table(header, rows)


def at_equal_repeats(cell: CellFile) -> ProfilingCost | None:
    """The full search's cost with `FRAMES` frames of each group, further ones taking what those that ran took; None
    where it was not measured."""
    total = _total(cell, FSS)
    if total is None or not cell.groups:
        return None
    more = [FRAMES / len(group.latency_s) - 1 for group in cell.groups]
    latency_s = sum(part * sum(group.latency_s) for part, group in zip(more, cell.groups, strict=True))
    run_s = sum(part * sum(map(sum, group.run_s.values())) for part, group in zip(more, cell.groups, strict=True))
    return replace(total, wall_s=total.wall_s + latency_s, device_busy_s=total.device_busy_s + run_s)


def _total(cell: CellFile, policy: str) -> ProfilingCost | None:
    measured = cell.policy(policy)
    return measured.profiling["total"] if measured else None


def _wall_s(cost: ProfilingCost) -> float:
    return cost.wall_s


def _busy_s(cost: ProfilingCost) -> float:
    return cost.device_busy_s


def _two_and_ratio(full_s: float | None, legion_s: float | None) -> tuple[str, str, str]:
    return _seconds(full_s), _seconds(legion_s), _ratio(full_s, legion_s)


def _ratio(full: float | None, other: float | None) -> str:
    return f"{full / other:.3g}x" if full and other else _BLANK


def _seconds(value: float | None) -> str:
    return _BLANK if value is None else f"{value:.0f} s"
