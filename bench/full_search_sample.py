"""What a full search would take of a network that has too many groups to measure them all.

Method: a lab of six paced boards of 100 Mbit/s each (`bench/sets/6F.toml`). Devices are profiled, and the policies
choose, with their trials. Then random groups of those that a full search measures, drawn without replacement, run as it
runs them, each as many frames as trials of the policies have. The full search is taken to need, for each of its groups,
what these need in the mean; the error is the standard error of that mean, with the correction for a finite population.
Segments are compared as they are counted in the sample: few of its groups have one in common.

`python -m bench.full_search_sample`; needs root, and an otherwise idle machine; takes about ten minutes.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean, stdev

import msgspec
import numpy as np

from bench.inside_lab import measure_inside
from bench.markdown import markdown_table
from bench.paper.candidates import Planner
from bench.paper.cells import SETS, Cell
from bench.paper.groups import group_alone
from bench.paper.results import ProfilingCost, counted
from bench.results_file import write_results
from legion.cost.matrices import build_matrices
from legion.cost.shares import performance_shares
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import open_lab
from legion.lab.lab_file import read_lab
from legion.model import zoo
from legion.model.onnx_import import load_model
from legion.session.cluster import connect
from legion.session.progress import silent
from legion.session.stages import profile_devices
from legion.session.trial_store import TrialStore
from legion.session.trials import FRAMES, Trials

NETWORK = "resnet50"
DEVICES = "6F"
GROUPS = 100
SEED = 1
POLICIES = ("legion", "auto")
_TELL_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledGroup:
    """A group of the sample, first layer and end, and what trying it took."""

    first: int
    end: int
    cost: ProfilingCost


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSearchSample:
    """`groups` is the number of those that a full search measures; `policies` have what choosing took, by part."""

    network: str
    devices: str
    groups: int
    frames: int
    sample: tuple[SampledGroup, ...]
    policies: Mapping[str, Mapping[str, ProfilingCost]]


def main() -> None:
    """Measure in a lab, print the table, and write the results."""
    setting = read_lab(SETS / f"{DEVICES}.toml", convolutions_here_s)
    with tempfile.TemporaryDirectory() as folder, open_lab(setting) as lab:
        measured = Path(folder) / "measured.json"
        measure_inside(lab, "bench.full_search_sample", measured)
        result = msgspec.json.decode(measured.read_bytes(), type=FullSearchSample)
    print(sample_table(result))
    write_results("full_search_sample", __doc__ or "", result)


def sample_table(result: FullSearchSample) -> str:
    """What the full search would take, and how many times what the policies take that is."""
    rows: list[list[str]] = []
    for what, of in _COUNTED.items():
        taken = [of(group.cost) for group in result.sample]
        expected = result.groups * mean(taken)
        rows.append(
            [
                what,
                f"{expected:,.0f}",
                f"{_relative_error(taken, result.groups):.0%}",
                *(f"{expected / of(result.policies[policy]['total']):.0f}x" for policy in POLICIES),
            ]
        )
    of_all = f"by {len(result.sample)} of {result.groups} groups"
    return markdown_table((of_all, "FSS", "standard error", *(f"over {policy}" for policy in POLICIES)), rows)


_COUNTED: Mapping[str, Callable[[ProfilingCost], float]] = {
    "wall s": lambda cost: cost.wall_s,
    "device-busy s": lambda cost: cost.device_busy_s,
    "MB moved": lambda cost: cost.bytes_moved / 1e6,
    "segments": lambda cost: cost.segments,
}


def _relative_error(taken: Sequence[float], population: int) -> float:
    """The standard error of the mean of a sample without replacement, over the mean."""
    unseen = 1 - len(taken) / population
    return stdev(taken) * (unseen / len(taken)) ** 0.5 / mean(taken)


def measure(cluster_file: str, measured: str) -> None:
    """What runs inside the lab, as its controller."""
    model = load_model(zoo.build(NETWORK).SerializeToString())
    with connect(cluster_file) as cluster:
        planner = Planner(model, cluster, profile_devices(model, cluster))
        cell = Cell(model=NETWORK, devices=DEVICES)
        policies = {policy: planner.candidates(policy, cell, FRAMES)[-1].profiling for policy in POLICIES}
        shares = performance_shares(planner.planning.costs)
        searched = np.argwhere(build_matrices(model, planner.planning.demand, planner.planning.costs, shares).T >= 0)
        sample: list[SampledGroup] = []
        for first, last in Random(SEED).sample(searched.tolist(), min(GROUPS, len(searched))):
            trials = Trials(cluster, planner.ready, TrialStore(), silent, frames=FRAMES)
            trials(*group_alone(model, shares, first, last + 1))
            sample.append(SampledGroup(first=first, end=last + 1, cost=counted(trials.cost)))
            if len(sample) % _TELL_EVERY == 0:
                print(f"{NETWORK}: {len(sample)} of {GROUPS} groups", flush=True)
    result = FullSearchSample(
        network=NETWORK,
        devices=DEVICES,
        groups=len(searched),
        frames=FRAMES,
        sample=tuple(sample),
        policies=policies,
    )
    Path(measured).write_bytes(msgspec.json.encode(result))


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()
