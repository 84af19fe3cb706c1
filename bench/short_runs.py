"""Does a slowed-down board compute as it would at full speed? Networks in one run, and in a run for each layer.

Method: a lab of two boards on links of 100 Mbit/s, one as slow as a Firefly (`bench/sets/1F.toml`), the other not
slowed down. A network runs on one of them alone, its weights there beforehand: `whole`, as one run, and `apart`, every
layer as a run of its own. A figure is the median of a few frames, after one that is not counted, each the seconds of
its runs by the worker's clock times the board's speed. Both boards and both ways take turns, round after round. Slowing
down should change nothing: of each round the slow board's figure is held against the other's, and `deviations` says by
how much the median of these ratios is off, as a fraction, each to be within 5 %. What sleeping and waking cost a run
would be found in `apart`: a slow board pays for it by its speed, many times over. What a run costs that had to wait for
a message would not: a board has all layers of a frame at once.

`python -m bench.short_runs`; needs root and an otherwise idle machine; takes about five minutes.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import msgspec

from bench.grouped import grouped_plan
from bench.inside_lab import measure_inside
from bench.lab_truth import print_deviations
from bench.paper.cells import SETS
from bench.results_file import write_results
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import open_lab
from legion.lab.lab_file import read_lab
from legion.model import zoo
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.plan.executable import ExecutablePlan
from legion.session.cluster import Cluster, connect
from legion.session.feeds import computed_outputs, sample_feeds

NETWORKS = ("vgg16", "resnet50", "mobilenetv2")
ROUNDS = 6
FRAMES = 8
SLOW, FULL = "slow", "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Seconds of all runs of a frame times the board's speed, the median of each round."""

    network: str
    way: str
    runs: int
    slow_s: tuple[float, ...]
    full_s: tuple[float, ...]

    @property
    def deviation(self) -> float:
        """By how much the slow board is off, as a fraction."""
        return median(slow / full for slow, full in zip(self.slow_s, self.full_s, strict=True)) - 1


def main() -> None:
    """Measure in a lab, print the deviations, and write the results."""
    setting = read_lab(SETS / "1F.toml", convolutions_here_s)
    board = setting.boards[0]
    boards = (replace(board, name=SLOW), replace(board, name=FULL, speed=1.0))
    with tempfile.TemporaryDirectory() as folder, open_lab(replace(setting, boards=boards)) as lab:
        measured = Path(folder) / "measured.json"
        measure_inside(lab, "bench.short_runs", str(board.speed), measured)
        results = msgspec.json.decode(measured.read_bytes(), type=tuple[Runs, ...])
    deviations = {f"{each.network} {each.way}, {each.runs} runs": each.deviation for each in results}
    print_deviations(deviations)
    write_results("short_runs", __doc__ or "", {"speed": board.speed, "deviations": deviations, "samples": results})


def measure(cluster_file: str, speed: str, measured: str) -> None:
    """What runs inside the lab, as its controller."""
    speeds = {SLOW: float(speed), FULL: 1.0}
    with connect(cluster_file) as cluster:
        results = [
            runs
            for network in NETWORKS
            for runs in _measured(cluster, load_model(zoo.build(network).SerializeToString()), speeds)
        ]
    Path(measured).write_bytes(msgspec.json.encode(results))


def _measured(cluster: Cluster, model: Model, speeds: Mapping[str, float]) -> list[Runs]:
    layers = range(len(model.layers))
    ways = {"whole": [tuple(layers)], "apart": [(layer,) for layer in layers]}
    plans = {
        (way, board): grouped_plan(model, groups, [board], via_controller=False)
        for way, groups in ways.items()
        for board in speeds
    }
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in plans}
    for number in range(ROUNDS):
        for (way, board), plan in plans.items():
            seconds[way, board].append(_runs_s(cluster, model, plan) * speeds[board])
        print(f"{model.name}: round {number + 1} of {ROUNDS}", flush=True)
    return [
        Runs(
            network=model.name,
            way=way,
            runs=len(groups),
            slow_s=tuple(seconds[way, SLOW]),
            full_s=tuple(seconds[way, FULL]),
        )
        for way, groups in ways.items()
    ]


def _runs_s(cluster: Cluster, model: Model, plan: ExecutablePlan) -> float:
    """Seconds of the runs of a frame; the first one is not counted, as the plan has just been installed."""
    feeds = sample_feeds(model)
    seconds: list[float] = []
    for _ in range(1 + FRAMES):
        cluster.run(plan, feeds, computed_outputs(model))
        events = cluster.controller.timeline().events
        seconds.append(sum(event.end_s - event.start_s for event in events if event.kind == "run"))
    return median(seconds[1:])


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()
