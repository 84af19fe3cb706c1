"""How long a new network on new devices waits for its plan.

Method: a lab of six paced boards (`bench/sets/6F.toml`), nothing known of the network or the boards. `profile`: from
connected devices to their profile, layers, links and ports, by the default policy. `plan`: from the profile to the
programs of `auto`, without trials, which are a choice and not needed to start. Wall seconds, each of a few rounds by a
controller that has planned nothing before. Neither weights nor the installing of the plan are in it.

`python -m bench.cold_start`; needs root; takes about four minutes.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from bench.inside_lab import measure_inside
from bench.paper.cells import SETS
from bench.results_file import write_results
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import open_lab
from legion.lab.lab_file import read_lab
from legion.model import zoo
from legion.model.onnx_import import load_model
from legion.session.cluster import connect
from legion.session.stages import Planning, profile_devices

DEVICES = "6F"
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Wall seconds of one round."""

    profile_s: float
    plan_s: float

    @property
    def total_s(self) -> float:
        return self.profile_s + self.plan_s


def main() -> None:
    """Measure every network of the zoo, print the medians, and write the results."""
    setting = read_lab(SETS / f"{DEVICES}.toml", convolutions_here_s)
    results: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder, open_lab(setting) as lab:
        measured = Path(folder) / "measured.json"
        for network in zoo.NAMES:
            rounds: list[Start] = []
            for _ in range(ROUNDS):
                measure_inside(lab, "bench.cold_start", network, measured)
                rounds.append(msgspec.json.decode(measured.read_bytes(), type=Start))
            print(f"{network}: {median(each.total_s for each in rounds):.1f} s")
            results.append({"network": network, "devices": DEVICES, "rounds": rounds})
    write_results("cold_start", __doc__ or "", results)


def measure(cluster_file: str, network: str, measured: str) -> None:
    """What runs inside the lab, as its controller."""
    model = load_model(zoo.build(network).SerializeToString())
    with connect(cluster_file) as cluster:
        started_s = perf_counter()
        profile = profile_devices(model, cluster)
        profiled_s = perf_counter()
        planning = Planning(model, profile)
        planning.programs(planning.choose("auto").scheme)
        start = Start(profile_s=profiled_s - started_s, plan_s=perf_counter() - profiled_s)
    Path(measured).write_bytes(msgspec.json.encode(start))


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()
