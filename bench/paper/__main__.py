"""The paper's setting, measured: speed-up over one device, and what choosing took, of every policy side by side.

Method: each cell, a network on a set of emulated boards (`bench/sets`), is measured in a lab of its own, with paced
boards and shaped links between namespaces. Boards' speeds come from one calibration for all cells. Devices are
profiled, all at once; each policy chooses, and runs its trials. The full search runs each group a few frames. Then the
plans that differ, and the whole model as one session on the fastest board, fed over its link, run in rounds, shuffled,
a few frames in a row each, since devices hold one plan and another takes seconds to install, which is not timed. Nor
is the first frame after that, whose connections are new and whose memory is in no cache. Speed-up is the median of one
board's frames over that of the policy's. Plans that are the same are run as one, and marked so.

What choosing took counts, by part: layers and training layers (measured on all devices at once, so their wall seconds
are those of the slowest), links (one after the other), and trials. Of the full search the trials alone count.

`python -m bench.paper --model vgg16 --devices 6F --policies full-search,legion --repeat 11 --json out.json`; without
choices the whole table, one file per cell in `bench/results/paper`, cells that are there being skipped, and
those that this machine cannot carry; it may carry them with `--time-dilation 3`: tables are of the boards' own seconds.
An interrupted run goes on where it was: profiles, trials and the calibration are kept in `bench/results/paper/trials`;
remove that folder when the machine or the code has changed. Needs root, and an otherwise idle machine.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

from bench.paper.arguments import asked_cells, cell_arguments, listed
from bench.paper.cells import MEASURED_SETS, MODELS, POLICIES
from bench.paper.measure import left_out_if_too_much, measure_cell
from legion.model import zoo

FSS_FRAMES = 3


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that are asked for."""
    arguments = _arguments(words)
    cells = list(asked_cells(arguments, MODELS))
    if arguments.json is not None and len(cells) > 1:
        sys.exit("--json takes the result of one cell; give one model and one set of devices")
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells:
            result = arguments.json or cell.result
            policies = _policies(arguments, result)
            if policies:
                begun_s = perf_counter()
                with left_out_if_too_much(cell) if arguments.json is None else nullcontext():
                    measure_cell(
                        cell,
                        policies,
                        repeat=arguments.repeat,
                        fss_frames=arguments.fss_frames,
                        folder=Path(folder),
                        profile=cell.profile,
                        result=result,
                        method=__doc__ or "",
                    )
                    print(f"{cell.name}: {(perf_counter() - begun_s) / 60:.1f} min, wrote {result}", flush=True)
            else:
                print(f"{cell.name}: there already", flush=True)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = cell_arguments("bench.paper", __doc__ or "", models=zoo.NAMES, sets=MEASURED_SETS)
    parser.add_argument("--policies", type=listed(POLICIES), default=POLICIES)
    parser.add_argument("--fss-frames", type=int, default=FSS_FRAMES, help="frames of each group of the full search")
    parser.add_argument("--json", type=Path, help="write the result there, of one cell")
    return parser.parse_args(words)


def _policies(arguments: argparse.Namespace, result: Path) -> tuple[str, ...]:
    """What to measure side by side: what is asked for and what a result of fewer policies holds; none if all is there.

    A file that was named is written anew.
    """
    if arguments.json is not None or not result.exists():
        return arguments.policies
    there = {each["policy"] for each in json.loads(result.read_text(encoding="utf-8"))["policies"]}
    if there.issuperset(arguments.policies):
        return ()
    return tuple(name for name in POLICIES if name in there or name in arguments.policies)


if __name__ == "__main__":
    main()
