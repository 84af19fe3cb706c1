"""Headline figures once more, with boards slowed down by the kernel's quota in place of pacing.

Method: as `bench.paper`, whose labs and calibration it shares, without the full search. Each cell is measured twice,
one lab after the other: its boards are paced, then have quotas, and everything else is the same, profiles and plans
being made anew in each lab. What holds of policies should not depend on how boards are slowed down.

`python -m bench.by_quota`; `--model vgg19 --devices 3O` measures other cells. Cells that are there are skipped
otherwise. Results go to `bench/results/by_quota`. Needs root, and an otherwise idle machine.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.paper.arguments import listed
from bench.paper.cells import KNOWN_SETS, MODELS, Cell
from bench.paper.measure import measure_cell
from bench.results_file import RESULTS
from legion.lab.setting import SlowBy

FOLDER = RESULTS / "by_quota"
WAYS: tuple[SlowBy, ...] = ("pacing", "quota")
MEASURED_SETS = ("2F", "3O", "6F")
POLICIES = ("legion", "coedge", "auto")
REPEAT = 11


def main(words: Sequence[str] | None = None) -> None:
    """Measure the cells that are asked for, or VGG-16 where it is not there."""
    parser = argparse.ArgumentParser(prog="python -m bench.by_quota", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=listed(MODELS))
    parser.add_argument("--devices", type=listed(KNOWN_SETS), default=MEASURED_SETS)
    parser.add_argument("--repeat", type=int, default=REPEAT, help="frames of each plan")
    arguments = parser.parse_args(words)
    models = arguments.model or ("vgg16",)
    with tempfile.TemporaryDirectory() as folder:
        for model, devices, slow_by in ((m, d, way) for m in models for d in arguments.devices for way in WAYS):
            result = FOLDER / f"{model}-{devices}-{slow_by}.json"
            if arguments.model or not result.exists():
                measure_cell(
                    Cell(model=model, devices=devices, slow_by=slow_by),
                    POLICIES,
                    repeat=arguments.repeat,
                    fss_frames=0,
                    folder=Path(folder),
                    result=result,
                    method=__doc__ or "",
                )


if __name__ == "__main__":
    main()
