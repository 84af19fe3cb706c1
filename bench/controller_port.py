"""What if the controller's port were faster than its boards'? The paper's T supposes so: no two boards share it.

Method: as `bench.paper`, whose labs and calibration it shares, without the full search, but that the controller's port
carries a gigabit a second, and the boards' 100 Mbit/s each, as ever.

`python -m bench.controller_port`; `--model vgg19 --devices 4F` measures some cells anew. Cells that are there are
skipped otherwise, and so are those that this machine cannot carry; it may carry them with `--time-dilation 3`. Results
go to `bench/results/controller_port`, `python -m bench.paper.figures` makes a table of them. Needs root, and an
otherwise idle machine.
"""

from collections.abc import Sequence
from dataclasses import replace

from bench.markdown import markdown_table
from bench.paper.arguments import asked_cells, cell_arguments
from bench.paper.cell_files import Cells, Place, Published, measured_policy
from bench.paper.cells import MODELS, WILD_CARD
from bench.paper.measure import measure_missing
from bench.results_file import RESULTS

FOLDER = RESULTS / "controller_port"
MBIT_PER_S = 1000.0
MEASURED_SETS = ("2F", "4F", "6F", "3O", "1F+1O", "3F+3O")
POLICIES = (WILD_CARD, "aofl", "coedge", "auto")


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that are asked for, or all that are not there."""
    parser = cell_arguments("bench.controller_port", __doc__ or "", models=MODELS, sets=MEASURED_SETS)
    arguments = parser.parse_args(words)
    measure_missing(
        (replace(cell, controller_mbit_per_s=MBIT_PER_S) for cell in asked_cells(arguments, MODELS)),
        POLICIES,
        repeat=arguments.repeat,
        results=FOLDER,
        anew=arguments.model is not None,
        method=__doc__ or "",
    )


def port_speed_table(slow: Cells, fast: Cells, published: Published) -> str:
    """Speed-ups with the controller's port as slow as the boards', and faster, beside what was published."""
    header = ("network", "devices", "with wild card, paper", "100 Mbit/s", "1000 Mbit/s", "over the paper's")
    others = tuple(f"{policy}, {rate} Mbit/s" for policy in POLICIES[1:] for rate in (100, 1000))
    rows: list[list[str]] = []
    for place in fast:
        there = published.speedups.get(place, {}).get(WILD_CARD)
        found = [[_speedup(cells, place, policy) for cells in (slow, fast)] for policy in POLICIES]
        over = f"{found[0][1] / there - 1:+.0%}" if there and found[0][1] else ""
        wild_card, *rest = [[f"{value:.2f}" if value else "" for value in pair] for pair in found]
        rows.append(
            [*place, f"{there:.2f}" if there else "", *wild_card, over, *(cell for pair in rest for cell in pair)]
        )
    return markdown_table((*header, *others), rows)


def _speedup(cells: Cells, place: Place, policy: str) -> float | None:
    measured = measured_policy(cells, place, policy)
    return measured.speedup if measured else None


if __name__ == "__main__":
    main()
