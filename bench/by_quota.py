"""Headline figures once more, with boards slowed down by the kernel's quota in place of pacing.

Method: as `bench.paper`, whose labs and calibration it shares, without the full search. Each cell is measured twice,
one lab after the other: its boards are paced, then have quotas, and everything else is the same, profiles and plans
being each lab's own. What holds of policies should not depend on how boards are slowed down.

`python -m bench.by_quota`; `--model vgg19 --devices 3O` measures other cells. Cells that are there are skipped
otherwise. Results go to `bench/results/by_quota`. Needs root, and an otherwise idle machine.
"""

from collections.abc import Sequence

from bench.paper.arguments import cell_arguments
from bench.paper.cells import MODELS, Cell
from bench.paper.measure import measure_missing
from bench.results_file import RESULTS
from legion.lab.setting import SlowBy

FOLDER = RESULTS / "by_quota"
WAYS: tuple[SlowBy, ...] = ("pacing", "quota")
MEASURED_MODELS = ("vgg16",)
MEASURED_SETS = ("2F", "3O", "6F")
POLICIES = ("legion", "coedge", "auto")


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that are asked for, or VGG-16 where it is not there."""
    arguments = cell_arguments("bench.by_quota", __doc__ or "", models=MODELS, sets=MEASURED_SETS).parse_args(words)
    measure_missing(
        (
            Cell(model=model, devices=devices, slow_by=slow_by)
            for model in arguments.model or MEASURED_MODELS
            for devices in arguments.devices
            for slow_by in WAYS
        ),
        POLICIES,
        repeat=arguments.repeat,
        results=FOLDER,
        anew=arguments.model is not None,
        method=__doc__ or "",
    )


if __name__ == "__main__":
    main()
