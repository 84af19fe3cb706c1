"""The tables of docs/reproduction.md, from cells' results and what was published. What is missing is left blank."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import mean, median

from bench.markdown import markdown_table
from bench.paper.candidates import LEAST_COST
from bench.paper.cell_files import CellFile, Cells, Place, Published, measured_policy, places, time_dilation
from bench.paper.cells import FSS, POLICIES, WILD_CARD
from bench.paper.cost_tables import cost_table, profiling_table, ratio_table
from bench.paper.errors import ERROR_HEADER, Errors, error_cells, errors_of, latency_pairs, run_pairs, transfer_pairs
from bench.paper.frame_tables import frame_table
from bench.paper.results import MeasuredGroup, MeasuredPolicy

COMPARED = {FSS: "FSS", LEAST_COST: "Legion", WILD_CARD: "with wild card"}
"""The paper's own."""

OTHERS = tuple(policy for policy in POLICIES if policy not in COMPARED)
PREDICTORS = {"E*A": "E*A, as the paper", "aofl": "AOFL's regression", "simulator": "ours"}
PORTS = {"parallel": "max over devices", "one at a time": "one message at a time"}

_BLANK = ""


def speedup_table(cells: Cells, published: Published) -> str:
    """All policies, those of the paper beside its figures."""
    header = ["network", "devices"]
    for name in COMPARED.values():
        header += [f"{name}, paper", "here"]
    rows: list[list[str]] = []
    for place in places():
        row = [*place]
        for policy in COMPARED:
            row += [_number(published.speedups.get(place, {}).get(policy)), _speedup(cells, place, policy)]
        there, here = published.speedups.get(place, {}).get(WILD_CARD), measured_policy(cells, place, WILD_CARD)
        row.append(f"{here.speedup / there - 1:+.0%}" if here and there else _BLANK)
        rows.append([*row, *(_speedup(cells, place, policy) for policy in OTHERS)])
    missing = [f"{model} on {devices}" for model, devices in places() if (model, devices) not in cells]
    table = markdown_table((*header, "here over paper", *OTHERS), rows)
    return f"{table}\n\nNot measured: {', '.join(missing)}." if missing else table


def loss_table(cells: Cells, published: Published) -> str:
    """By how much longer frames of Legion's plans take than those of the full search."""
    policies = (LEAST_COST, WILD_CARD)
    header = ["network", "devices"]
    for policy in policies:
        header += [f"{COMPARED[policy]}, paper", "here"]
    rows: list[list[str]] = []
    columns: list[list[float]] = [[] for _ in range(2 * len(policies))]
    for place, cell in cells.items():
        row = [*place]
        for index, policy in enumerate(policies):
            theirs, ours = _published_loss(published.speedups.get(place), policy), _loss(cell, policy)
            for column, value in zip(columns[2 * index : 2 * index + 2], (theirs, ours), strict=True):
                row.append(_percent(value))
                if value is not None:
                    column.append(value)
        rows.append(row)
    rows.append(["mean", _BLANK, *(_percent(mean(column) if column else None) for column in columns)])
    return markdown_table(header, rows)


def prediction_table(cells: Cells, _: Published) -> str:
    """Of what devices run in groups of two layers or more, by predictor."""
    rows = [
        [model, name, *error_cells(errors_of(run_pairs(_groups(_of_model(cells, model)), predictor)))]
        for model in _models(cells)
        for predictor, name in PREDICTORS.items()
    ]
    return markdown_table(("network", "predictor", *ERROR_HEADER), rows)


def port_table(cells: Cells, _: Published) -> str:
    """Of groups' latencies by either way to count ports, and of what scatter and gather add to runs as measured."""
    rows: list[list[str]] = []
    for place, cell in cells.items():
        if cell.groups:
            found = [
                *(errors_of(latency_pairs(cell.groups, way)) for way in (*PORTS, "simulator")),
                *(errors_of(latency_pairs(cell.groups, f"{way}, measured runs")) for way in PORTS),
                *(errors_of(transfer_pairs(cell.groups, way)) for way in PORTS),
            ]
            rows.append([*place, str(len(cell.groups)), *(_absolute_and_mean(errors) for errors in found)])
    ports = tuple(PORTS.values())
    measured = tuple(f"runs as measured: {name}" for name in ports)
    alone = tuple(f"scatter and gather alone: {name}" for name in ports)
    return markdown_table(("network", "devices", "groups", *ports, "simulator", *measured, *alone), rows)


def plan_table(cells: Cells, _: Published) -> str:
    """Of whole frames: each policy's plan in each cell, predicted in three ways."""
    ways: Mapping[str, Callable[[MeasuredPolicy], float | None]] = {
        "simulator": lambda each: each.predicted.simulator_s,
        "sum of T, max over devices": lambda each: each.predicted.parallel_s,
        "sum of T, one message at a time": lambda each: each.predicted.one_at_a_time_s,
    }
    rows: list[list[str]] = []
    for policy in (LEAST_COST, *POLICIES):
        measured = [found for cell in cells.values() if (found := cell.policy(policy))]
        row = [policy, str(len(measured))]
        for of in ways.values():
            pairs = [(predicted_s, each.median_s) for each in measured if (predicted_s := of(each)) is not None]
            row.append(_absolute_and_mean(errors_of(pairs)))
        rows.append(row)
    return markdown_table(("policy", "cells", *ways), rows)


def overrun_table(cells: Cells, _: Published) -> str:
    """Overruns as shares of latencies: frames of plans, of one device, and of the groups of the full search."""
    rows: list[list[str]] = []
    for place, cell in cells.items():
        plans = [over for each in cell.policies for over in _overruns(each.overrun_s, each.latency_s)]
        one_device = _overruns(cell.one_device.overrun_s, cell.one_device.latency_s)
        groups = [over for each in cell.groups for over in _overruns(each.overrun_s, each.latency_s)]
        rows.append([*place, *(text for found in (plans, one_device, groups) for text in _median_and_worst(found))])
    header = ("network", "devices", "plans: median", "worst", "one device: median", "worst", "groups: median", "worst")
    return markdown_table(header, rows)


def setting_table(cells: Cells, _: Published) -> str:
    """Where and when each cell was measured; one device's time is, as all seconds of tables, the boards' own."""
    rows = [
        [
            *place,
            cell.setting["measured_at"][:16],
            cell.setting["commit"],
            f"{cell.setting['processor']}, {cell.setting['cores']} cores",
            f"{cell.setting['python']}, {cell.setting['versions']['onnxruntime']}",
            f"{1e3 * cell.one_device.median_s:.0f} ms",
            f"{time_dilation(cell.setting):g}",
            str(cell.setting["repeat"]),
        ]
        for place, cell in cells.items()
    ]
    header = (
        "network",
        "devices",
        "measured at",
        "commit",
        "processor",
        "Python, ONNX Runtime",
        "one device",
        "time dilation",
        "frames",
    )
    return markdown_table(header, rows)


TABLES: Mapping[str, Callable[[Cells, Published], str]] = {
    "speedups": speedup_table,
    "loss": loss_table,
    "profiling": profiling_table,
    "ratios": ratio_table,
    "costs": cost_table,
    "predictors": prediction_table,
    "ports": port_table,
    "frames": frame_table,
    "plans": plan_table,
    "overruns": overrun_table,
    "settings": setting_table,
}


def _absolute_and_mean(errors: Errors | None) -> str:
    return _BLANK if errors is None else f"{errors.mean_absolute:.1%} ({errors.mean:+.1%})"


def _speedup(cells: Cells, place: Place, policy: str) -> str:
    measured = measured_policy(cells, place, policy)
    return _number(measured.speedup if measured else None)


def _loss(cell: CellFile, policy: str) -> float | None:
    ours, full = cell.policy(policy), cell.policy(FSS)
    return ours.median_s / full.median_s - 1 if ours and full else None


def _published_loss(speedups: Mapping[str, float] | None, policy: str) -> float | None:
    return speedups[FSS] / speedups[policy] - 1 if speedups else None


def _number(value: float | None) -> str:
    return _BLANK if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return _BLANK if value is None else f"{value:+.1%}"


def _models(cells: Cells) -> Sequence[str]:
    return tuple(dict.fromkeys(model for model, _ in cells))


def _of_model(cells: Cells, wanted: str) -> Iterable[CellFile]:
    return (cell for (model, _), cell in cells.items() if model == wanted)


def _groups(cells: Iterable[CellFile]) -> Iterator[MeasuredGroup]:
    return (group for cell in cells for group in cell.groups)


def _overruns(overruns_s: Sequence[float], latencies_s: Sequence[float]) -> list[float]:
    return [over_s / latency_s for over_s, latency_s in zip(overruns_s, latencies_s, strict=True)]


def _median_and_worst(found: Sequence[float]) -> tuple[str, str]:
    return (f"{median(found):.1%}", f"{max(found):.1%}") if found else (_BLANK, _BLANK)
