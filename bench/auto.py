"""The planner's policy beside all others, for networks of floats and of 8-bit input.

Method: as `bench.paper`, whose cells, labs and calibration it shares, without the full search: boards of the paper,
whole networks with their dense layers, a profile of the cell, plans and the fastest board alone in shuffled rounds,
medians.

`python -m bench.auto`; `--model vgg16,vgg16-8bit --devices 6F` measures some cells anew. Cells that are there are
skipped otherwise, and so are those that this machine cannot carry; it may carry them with `--time-dilation 3`. Results
go to `bench/results/auto`. Needs root, and an otherwise idle machine.
"""

from collections.abc import Sequence

from bench.paper.arguments import asked_cells, cell_arguments, listed
from bench.paper.cells import BYTES
from bench.paper.measure import measure_missing
from bench.results_file import RESULTS

FOLDER = RESULTS / "auto"
NETWORKS = ("vgg16", "vgg19", "yolov2", "resnet50", "mobilenetv2")
MODELS = (*NETWORKS, *(name + BYTES for name in NETWORKS))
MEASURED_SETS = ("6F", "3F+3O")
POLICIES = ("auto", "legion", "aofl", "early-fused", "modnn", "coedge")


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that are asked for, or all that are not there."""
    parser = cell_arguments("bench.auto", __doc__ or "", models=MODELS, sets=MEASURED_SETS)
    parser.add_argument("--policies", type=listed(POLICIES), default=POLICIES)
    arguments = parser.parse_args(words)
    measure_missing(
        asked_cells(arguments, MODELS),
        arguments.policies,
        repeat=arguments.repeat,
        results=FOLDER,
        anew=arguments.model is not None,
        method=__doc__ or "",
    )


if __name__ == "__main__":
    main()
