"""Writes the tables of the README, and of the lab's page, from the results."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import auto, emulations
from bench.markdown import fill_tables, markdown_table
from bench.paper.cell_files import read_result, time_dilation
from bench.paper.cells import BYTES
from bench.results_file import RESULTS, read_results

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
LAB_PAGE = ROOT / "docs" / "lab.md"

BOARDS = ("6F", "3F+3O")
COMPARED = ("legion", "aofl", "coedge", "auto")


def main() -> None:
    """Fill every table whose results are there."""
    newest, real_time, slow_motion = _auto_cells()
    blocks: dict[str, str] = {}
    if newest:
        blocks["auto"] = _of_cells(cells_table, newest)
    for name, table in TABLES.items():
        if (RESULTS / f"{name}.json").exists():
            content = read_results(name)
            blocks[name] = f"{table(content['results'])}\n{_setting([content['setting']])}"
    fill_tables(README, blocks)
    on_the_lab_page = {
        "emulations": (_emulations, _read(emulations.FOLDER)),
        "real_time": (cells_table, real_time),
        "slow_motion": (cells_table, slow_motion),
    }
    for name, (table, cells) in on_the_lab_page.items():
        if cells:
            fill_tables(LAB_PAGE, {name: _of_cells(table, cells)})


def _read(folder: Path) -> list[Any]:
    """All cells of a folder, by name."""
    return [read_result(path) for path in sorted(folder.glob("*.json"), key=lambda path: path.stem)]


def _auto_cells() -> tuple[list[Any], list[Any], list[Any]]:
    """What was measured last of each network on each set of boards; and earlier in real time, and in slow motion."""
    cells = sorted(_read(auto.FOLDER), key=lambda cell: BOARDS.index(cell["devices"]))
    last = {
        (cell["model"], cell["devices"]): cell
        for cell in sorted(cells, key=lambda cell: cell["setting"]["measured_at"])
    }
    newest: list[Any] = []
    real_time: list[Any] = []
    slow_motion: list[Any] = []
    for cell in cells:
        if cell is last[cell["model"], cell["devices"]]:
            newest.append(cell)
        elif time_dilation(cell["setting"]) == 1:
            real_time.append(cell)
        else:
            slow_motion.append(cell)
    return newest, real_time, slow_motion


def _of_cells(table: Callable[[Sequence[Any]], str], cells: Sequence[Any]) -> str:
    """Their table, and under it their setting."""
    return f"{table(cells)}\n{_setting([cell['setting'] for cell in cells])}"


def _error(policy: Any) -> str:
    """By how much the simulator was off."""
    return _off(policy["predicted"]["simulator_s"], policy["median_s"])


def _off(predicted_s: float, measured_s: float) -> str:
    return f"{predicted_s / measured_s - 1:+.0%}"


def cells_table(cells: Sequence[Any]) -> str:
    """Speed-ups over one board, and how far its and the planner's predictions were off; seconds are the boards' own.

    Cells in which not all of these policies were measured are left out. Where bytes travel, the planner's is also told
    over one board that is fed floats, of that cell's run.
    """
    cells = [cell for cell in cells if {each["policy"] for each in cell["policies"]}.issuperset(COMPARED)]
    fed_floats_s = {(f"{cell['model']}{BYTES}", *_boards(cell)): cell["one_device"]["median_s"] for cell in cells}
    rows: list[Sequence[object]] = []
    for cell in cells:
        policies = {each["policy"]: each for each in cell["policies"]}
        planned, one_s = policies["auto"], cell["one_device"]["median_s"]
        rows.append(
            (
                cell["model"],
                cell["devices"],
                f"{one_s:.3f} s",
                _off(cell["one_device"]["predicted_s"], one_s),
                *(f"{policies[name]['speedup']:.2f}" for name in COMPARED),
                f"{float_s / planned['median_s']:.2f}"
                if (float_s := fed_floats_s.get((cell["model"], *_boards(cell))))
                else "",
                f"{planned['median_s']:.3f} s",
                _error(planned),
            )
        )
    header = (
        *("network", "boards", "one board", "its prediction"),
        *(*COMPARED, "over floats", "auto's frame", "its prediction"),
    )
    return markdown_table(header, rows)


def _boards(cell: Any) -> tuple[str, float]:
    """What cells must share so that their seconds can be compared."""
    return cell["devices"], time_dilation(cell["setting"])


def _emulations(cells: Sequence[Any]) -> str:
    """Speed-ups over one board by each way to emulate boards; seconds are the boards' own."""
    rows: list[Sequence[object]] = []
    for cell in cells:
        policies = {each["policy"]: each for each in cell["policies"]}
        lab = cell["setting"]["lab"]
        speedups = [f"{policies[name]['speedup']:.2f}" for name in emulations.POLICIES]
        rows.append(
            (
                cell["model"],
                cell["devices"],
                lab["slow_by"],
                f"{time_dilation(cell['setting']):g}",
                f"{cell['one_device']['median_s']:.2f} s",
                *speedups,
                _error(policies["auto"]),
            )
        )
    header = ("network", "boards", "slowed by", "time dilation", "one board", *emulations.POLICIES, "its prediction")
    return markdown_table(header, rows)


def _exactness(results: Any) -> str:
    """Per network: the largest difference over all policies, workers and shares."""
    by_network: dict[str, list[Any]] = defaultdict(list)
    for case in results["cases"]:
        by_network[case["network"]].append(case)
    rows = [
        (
            name,
            len(cases),
            sum(case["max_absolute"] == 0 for case in cases),
            f"{max(case['max_relative'] for case in cases):.1e}",
        )
        for name, cases in by_network.items()
    ]
    return markdown_table(("network", "cases", "bitwise equal", "largest difference, of the largest value"), rows)


def _prediction(results: Any) -> str:
    rows = [
        (
            run["network"],
            run["workers"],
            run["policy"],
            f"{run['predicted_s'] * 1e3:.1f} ms",
            f"{median(run['measured_s']) * 1e3:.1f} ms",
            f"{entry['error']:+.1%}",
        )
        for entry in results
        for run in (entry["run"],)
    ]
    return markdown_table(("network", "workers", "policy", "predicted", "measured", "error"), rows)


def _overhead(results: Any) -> str:
    frames = [
        (
            frame["network"],
            frame["plan"],
            frame["groups"],
            f"{frame['frame_s'] * 1e3:.2f} ms",
            f"{frame['engine_s'] * 1e3:.2f} ms",
            f"{entry['overhead']:+.1%}",
            frame["messages"],
            f"{frame['sent_bytes'] / 1e6:.2f} MB",
        )
        for entry in results["frames"]
        for frame in (entry["frame"],)
    ]
    messages = [
        (f"{each['size_bytes'] // 1024} kB", f"{each['processor_s'] * 1e3:.3f} ms") for each in results["messages"]
    ]
    header = ("network", "plan", "groups", "frame", "engine alone", "overhead", "messages", "sent")
    return f"{markdown_table(header, frames)}\n\n{markdown_table(('message', 'processor time, both ends'), messages)}"


def _planning(results: Any) -> str:
    rows = [(each["what"], f"{each['median_s']:.2f} s", f"{max(each['seconds']):.2f} s") for each in results]
    return markdown_table(("what", "median", "worst"), rows)


def _cold_start(results: Any) -> str:
    """Medians of each part, and of their sum, of which the worst too."""
    rows: list[Sequence[object]] = []
    for each in results:
        parts = [(start["profile_s"], start["plan_s"]) for start in each["rounds"]]
        medians = [median(seconds) for seconds in (*zip(*parts, strict=True), [sum(part) for part in parts])]
        worst_s = max(sum(part) for part in parts)
        rows.append((each["network"], each["devices"], *(f"{seconds:.1f} s" for seconds in (*medians, worst_s))))
    return markdown_table(("network", "boards", "profile", "plan", "together", "worst"), rows)


TABLES: dict[str, Callable[[Any], str]] = {
    "exactness": _exactness,
    "prediction": _prediction,
    "overhead": _overhead,
    "planning": _planning,
    "cold_start": _cold_start,
}


def _setting(settings: Sequence[Any]) -> str:
    """Of one table: all of one machine, the latest first."""
    latest_first = sorted(settings, key=lambda setting: setting["measured_at"], reverse=True)
    setting, commits = latest_first[0], dict.fromkeys(each["commit"] for each in latest_first)
    return (
        f"\n{setting['processor']}, {setting['cores']} cores, Python {setting['python']}, ONNX Runtime "
        f"{setting['versions']['onnxruntime']}, {setting['measured_at'][:10]}, commit {', '.join(commits)}"
    )


if __name__ == "__main__":
    main()
