"""The planner's policy beside all others, for networks of floats and of 8-bit input.

Method: as `bench.paper`, whose cells, labs and calibration it shares, without the full search: boards of the paper,
whole networks with their dense layers, a profile of the cell, plans and the fastest board alone in shuffled rounds,
medians.

`python -m bench.auto`; `--model vgg16,vgg16-8bit --devices 6F` measures some cells anew. Cells that are there are
skipped otherwise. Results go to `bench/results/auto`. Needs root, and an otherwise idle machine.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.paper.arguments import listed
from bench.paper.cells import BYTES, KNOWN_SETS, Cell
from bench.paper.measure import measure_cell
from bench.results_file import RESULTS

FOLDER = RESULTS / "auto"
NETWORKS = ("vgg16", "vgg19", "yolov2", "resnet50", "mobilenetv2")
MODELS = (*NETWORKS, *(name + BYTES for name in NETWORKS))
MEASURED_SETS = ("6F", "3F+3O")
POLICIES = ("auto", "legion", "aofl", "early-fused", "modnn", "coedge")
REPEAT = 11


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that are asked for, or all that are not there."""
    parser = argparse.ArgumentParser(prog="python -m bench.auto", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=listed(MODELS))
    parser.add_argument("--policies", type=listed(POLICIES), default=POLICIES)
    parser.add_argument("--repeat", type=int, default=REPEAT, help="frames of each plan")
    parser.add_argument("--devices", type=listed(KNOWN_SETS), default=MEASURED_SETS)
    arguments = parser.parse_args(words)
    models = arguments.model or MODELS
    with tempfile.TemporaryDirectory() as folder:
        for cell in (Cell(model=model, devices=devices) for model in models for devices in arguments.devices):
            result = FOLDER / f"{cell.name}.json"
            if arguments.model or not result.exists():
                measure_cell(
                    cell,
                    arguments.policies,
                    repeat=arguments.repeat,
                    fss_frames=0,
                    folder=Path(folder),
                    result=result,
                    method=__doc__ or "",
                )


if __name__ == "__main__":
    main()
