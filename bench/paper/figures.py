"""Draws the paper's two figures and writes the tables of docs/reproduction.md, from what lies in `bench/results/paper`.

`python -m bench.paper.figures`; cells that were not measured are left blank.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench import controller_port
from bench.full_search_sample import FullSearchSample, sample_table
from bench.group_prediction import HeldOut, held_out_table
from bench.markdown import fill_tables
from bench.paper.cell_files import Cells, Place, Published, measured_policy, read_cells, read_published
from bench.paper.cells import FIREFLY_SETS, FSS, MIXED_SETS, MODELS, ODROID_SETS, PAPER_RESULTS, WILD_CARD
from bench.paper.tables import COMPARED, TABLES
from bench.results_file import RESULTS, read_results

DOCS = Path(__file__).parent.parent.parent / "docs"
_PANELS = {"Firefly": FIREFLY_SETS[1:], "Odroid": ODROID_SETS[1:], "both": MIXED_SETS}
_COLOURS = {
    FSS: ("#b9c6cf", "#4a6274"),
    "legion-least-cost": ("#f0d3a1", "#d08c1d"),
    WILD_CARD: ("#bcd9c8", "#2f855a"),
}
"""The paper's bar, and ours."""

_GROUP = 0.84
"""Of the space between two sets' bars."""

Value = Callable[[Place, str], float | None]


def main() -> None:
    """Write all that can be made of the results that are there."""
    cells, published = read_cells(PAPER_RESULTS), read_published()
    speedups(cells, published).savefig(DOCS / "reproduction-speedups.png", dpi=110)
    profiling(cells, published).savefig(DOCS / "reproduction-profiling.png", dpi=110)
    tables = {name: table(cells, published) for name, table in TABLES.items()}
    if (RESULTS / "group_prediction.json").exists():
        held_out = msgspec.convert(read_results("group_prediction")["results"], type=tuple[HeldOut, ...])
        tables["held-out"] = held_out_table(held_out)
    if (RESULTS / "full_search_sample.json").exists():
        sample = msgspec.convert(read_results("full_search_sample")["results"], type=FullSearchSample)
        tables["sampled"] = sample_table(sample)
    if fast := read_cells(controller_port.FOLDER):
        tables["controller-port"] = controller_port.port_speed_table(cells, fast, published)
    fill_tables(DOCS / "reproduction.md", tables)
    print(f"{len(cells)} cells; wrote {DOCS / 'reproduction.md'} and its figures")


def speedups(cells: Cells, published: Published) -> Figure:
    """Speed-ups over one device, the paper's bars beside ours."""

    def here(place: Place, policy: str) -> float | None:
        measured = measured_policy(cells, place, policy)
        return measured.speedup if measured else None

    def there(place: Place, policy: str) -> float | None:
        return published.speedups.get(place, {}).get(policy)

    figure = _drawn("speed-up over one device", COMPARED, there, here)
    for axes in figure.axes:
        axes.axhline(1, color="#333333", linewidth=0.8, linestyle=":")
    return figure


def profiling(cells: Cells, published: Published) -> Figure:
    """Seconds that choosing took, on a logarithmic scale."""

    def here(place: Place, policy: str) -> float | None:
        measured = measured_policy(cells, place, policy)
        return measured.profiling["total"].wall_s if measured else None

    def there(place: Place, policy: str) -> float | None:
        return published.profiling_s.get(place, {}).get(policy)

    shown = {policy: COMPARED[policy] for policy in (FSS, WILD_CARD)}
    shown[WILD_CARD] = "Legion with wild card"
    figure = _drawn("profiling, seconds", shown, there, here)
    for axes in figure.axes:
        axes.set_yscale("log")
        axes.set_ylim(bottom=1)
    return figure


def _drawn(what: str, policies: Mapping[str, str], there: Value, here: Value) -> Figure:
    figure = Figure(figsize=(15, 9), layout="constrained")
    widths = [len(sets) for sets in _PANELS.values()]
    grid = figure.subplots(len(MODELS), len(_PANELS), sharey="row", width_ratios=widths)
    for row, model in zip(grid, MODELS, strict=True):
        for axes, (kind, sets) in zip(row, _PANELS.items(), strict=True):
            _draw(axes, [(model, devices) for devices in sets], list(policies), there, here)
            axes.set_title(f"{model}, {kind}", fontsize=10, loc="left")
        row[0].set_ylabel(what)
    handles = [
        Patch(color=colour, label=f"{name}, {where}")
        for policy, name in policies.items()
        for colour, where in zip(_COLOURS[policy], ("paper", "here"), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _draw(axes: Axes, places: list[Place], policies: list[str], there: Value, here: Value) -> None:
    width = _GROUP / (2 * len(policies))
    for at, place in enumerate(places):
        bars = [(policy, side) for policy in policies for side in range(2)]
        for number, (policy, side) in enumerate(bars):
            height = (there, here)[side](place, policy)
            if height is not None:
                left = at - _GROUP / 2 + number * width
                axes.bar(left, height, width * 0.94, align="edge", color=_COLOURS[policy][side])
    axes.set_xticks(range(len(places)), [devices for _, devices in places])
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
