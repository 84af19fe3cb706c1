"""Headline figures by every way to emulate boards: paced, with the kernel's quota, and both of them in slow motion.

Method: as `bench.paper`, whose labs and calibration it shares, without the full search. Each cell is measured in one
lab after the other: its boards are paced or have quotas, time passes as it does or more slowly, and everything else is
the same, profiles and plans being each lab's own. What holds of policies should not depend on how boards are emulated.

`python -m bench.emulations`; `--model vgg19 --devices 3O` measures other cells. Cells that are there are skipped
otherwise, and so are those that this machine cannot carry. Results go to `bench/results/emulations`. Needs root, and an
otherwise idle machine.
"""

from collections.abc import Sequence
from dataclasses import replace

from bench.paper.arguments import asked_cells, cell_arguments
from bench.paper.cells import MODELS
from bench.paper.measure import measure_missing
from bench.results_file import RESULTS
from legion.lab.setting import SlowBy

FOLDER = RESULTS / "emulations"
SLOWED_BY: tuple[SlowBy, ...] = ("pacing", "quota")
MEASURED_MODELS = ("vgg16",)
MEASURED_SETS = ("2F", "3O", "6F")
POLICIES = ("legion", "coedge", "auto")
SLOW_MOTION = 3.0


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that are asked for, or VGG-16 where it is not there."""
    parser = cell_arguments(
        "bench.emulations", __doc__ or "", models=MODELS, sets=MEASURED_SETS, time_dilation=SLOW_MOTION
    )
    arguments = parser.parse_args(words)
    measure_missing(
        (
            replace(cell, slow_by=slow_by, time_dilation=time_dilation)
            for cell in asked_cells(arguments, MEASURED_MODELS)
            for slow_by in SLOWED_BY
            for time_dilation in (1.0, arguments.time_dilation)
        ),
        POLICIES,
        repeat=arguments.repeat,
        results=FOLDER,
        anew=arguments.model is not None,
        method=__doc__ or "",
    )


if __name__ == "__main__":
    main()
