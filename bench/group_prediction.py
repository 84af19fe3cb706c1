"""How well predictors know what a group of layers takes on slow boards that was never measured.

Method: a lab of three paced boards of 100 Mbit/s each (`bench/sets/3F.toml`). The layers of a network and the training
layers are profiled, once by the default policy and once with four times its budget. The held-out groups are random
intervals of two to eight layers, among those that hang together, each scattered, run at the shares of a full search and
gathered, a few frames in each of several rounds over all groups, in another order each; a figure is the median of all.
Compared are the cost model that all policies use (the default), E * A as in the paper, and AOFL's regression; errors
are of each board's seconds of running, predicted over measured, less one. The machine is faster in one minute than in
another, so errors are told without the offset that all groups share, too. What a measurement is worth is seen by
repeating it: the median of the first half of the frames over that of the second, each of half as many frames as
predictions are held against. So half of that error is expected between any predictor and the medians, and errors are
told without it, too, as it adds in squares.

`python -m bench.group_prediction`; needs root; takes about a quarter of an hour.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

import msgspec
import numpy as np

from bench.inside_lab import measure_inside
from bench.markdown import markdown_table
from bench.paper.candidates import Planner
from bench.paper.cells import SETS
from bench.paper.errors import ERROR_HEADER, Pair, error_cells, errors_of, run_pairs
from bench.paper.groups import group_alone, measured_groups
from bench.paper.results import MeasuredGroup
from bench.results_file import write_results
from legion.cost.groups import connected_groups
from legion.cost.shares import performance_shares
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import open_lab
from legion.lab.lab_file import read_lab
from legion.model import zoo
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.plan.assign import Shares
from legion.profile.samples import MeasurementPolicy
from legion.session.cluster import connect
from legion.session.progress import silent
from legion.session.stages import profile_devices
from legion.session.trial_store import TrialRecord, TrialStore, trial_key
from legion.session.trials import Trials

NETWORKS = ("vgg16", "yolov2", "resnet50")
DEVICES = "3F"
GROUPS = 24
LONGEST = 8
ROUNDS = 6
FRAMES = 2
SEED = 1
DEFAULT = MeasurementPolicy()
PROFILES: Mapping[str, MeasurementPolicy] = {
    "default": DEFAULT,
    "four times the budget": replace(DEFAULT, rounds=4 * DEFAULT.rounds, budget_s=4 * DEFAULT.budget_s),
}
PREDICTORS = {"simulator": "ours", "E*A": "E*A, as the paper", "aofl": "AOFL's regression"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """The groups of one network beside what was predicted of them from one profile."""

    network: str
    devices: str
    profile: str
    groups: tuple[MeasuredGroup, ...]


def main() -> None:
    """Measure all networks in a lab, print the errors, and write the results."""
    setting = read_lab(SETS / f"{DEVICES}.toml", convolutions_here_s)
    results: list[HeldOut] = []
    with tempfile.TemporaryDirectory() as folder, open_lab(setting) as lab:
        for network in NETWORKS:
            measured = Path(folder) / f"{network}.json"
            measure_inside(lab, "bench.group_prediction", network, measured)
            results += msgspec.json.decode(measured.read_bytes(), type=tuple[HeldOut, ...])
    print(held_out_table(results))
    write_results("group_prediction", __doc__ or "", results)


def held_out_table(results: Sequence[HeldOut]) -> str:
    """The errors of every predictor, by network and profile, and how far measuring again is from measuring."""
    rows: list[list[str]] = []
    for each in results:
        for predictor, name in PREDICTORS.items():
            pairs = list(run_pairs(each.groups, predictor))
            rows.append([each.network, each.profile, name, *_cells(pairs), _own_error(pairs, each.groups)])
    for network, groups in {each.network: each.groups for each in results}.items():
        rows.append([network, "", "the measurement itself, repeated", *_cells(repeat_pairs(groups)), ""])
    return markdown_table(
        ("network", "profile", "predictor", *ERROR_HEADER, "without the offset", "and the measurement's"), rows
    )


def _cells(pairs: Sequence[Pair]) -> list[str]:
    """The errors, and the mean absolute one that is left when all predictions are divided by their median ratio."""
    return [*error_cells(errors_of(pairs)), f"{_without_offset(pairs):.1%}"]


def _without_offset(pairs: Sequence[Pair]) -> float:
    offset = median(predicted_s / measured_s for predicted_s, measured_s in pairs)
    left = errors_of((predicted_s / offset, measured_s) for predicted_s, measured_s in pairs)
    return left.mean_absolute if left else 0.0


def _own_error(pairs: Sequence[Pair], groups: Sequence[MeasuredGroup]) -> str:
    """What is left of a predictor's error when also what measuring itself errs by is taken out."""
    measuring = _without_offset(repeat_pairs(groups)) / 2
    return f"{max(0.0, _without_offset(pairs) ** 2 - measuring**2) ** 0.5:.1%}"


def repeat_pairs(groups: Sequence[MeasuredGroup]) -> list[Pair]:
    """Each board's median over the earlier frames of a group, and over the later."""
    halves: list[Pair] = []
    for group in groups:
        for seconds in group.run_s.values():
            half = len(seconds) // 2
            if median(seconds) > 0:
                halves.append((median(seconds[:half]), median(seconds[half:])))
    return halves


def measure(cluster_file: str, network: str, measured: str) -> None:
    """What runs inside the lab, as its controller."""
    model = load_model(zoo.build(network).SerializeToString())
    with connect(cluster_file) as cluster:
        planners = {
            name: Planner(model, cluster, profile_devices(model, cluster, policy=policy, training=True))
            for name, policy in PROFILES.items()
        }
        first = next(iter(planners.values()))
        shares = performance_shares(first.planning.costs)
        frames = _measured(first, shares, _held_out(model, Random(SEED)))
        results = [
            HeldOut(
                network=network,
                devices=DEVICES,
                profile=name,
                groups=measured_groups(planner.planning, planner.profile, frames, shares),
            )
            for name, planner in planners.items()
        ]
    Path(measured).write_bytes(msgspec.json.encode(results))


def _measured(planner: Planner, shares: Shares, groups: Sequence[tuple[int, int]]) -> TrialStore:
    """All rounds' frames of each group as one record."""
    order = Random(SEED)
    alone = [group_alone(planner.model, shares, first, end) for first, end in groups]
    keys = [trial_key(scheme, planner.cluster.devices) for _, scheme in alone]
    rounds: list[TrialStore] = []
    for number in range(ROUNDS):
        rounds.append(TrialStore())
        trials = Trials(planner.cluster, planner.ready, rounds[-1], silent, frames=FRAMES)
        for place in order.sample(range(len(alone)), len(alone)):
            trials(*alone[place])
        print(f"{planner.model.name}: round {number + 1} of {ROUNDS}", flush=True)
    together = TrialStore()
    for key in keys:
        together.add(_joined([record for each in rounds if (record := each.get(key))]))
    return together


def _joined(records: Sequence[TrialRecord]) -> TrialRecord:
    return replace(
        records[0],
        latencies_s=tuple(seconds for record in records for seconds in record.latencies_s),
        run_s={
            name: tuple(seconds for record in records for seconds in record.run_s[name]) for name in records[0].run_s
        },
        overruns_s=tuple(seconds for record in records for seconds in record.overruns_s),
    )


def _held_out(model: Model, random: Random) -> list[tuple[int, int]]:
    """Random groups, each once, as first layer and end."""
    found = [
        (first, last + 1)
        for first, last in np.argwhere(connected_groups(model)).tolist()
        if 2 <= last + 1 - first <= LONGEST
    ]
    return sorted(random.sample(found, min(GROUPS, len(found))))


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()
