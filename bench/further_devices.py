"""Does the planner ever lose to one device, and does a further device ever make a plan slower? By simulation.

Method: a lab of one Firefly and one Odroid, on links of 100 Mbit/s (`bench/sets/1F+1O.toml`), profiles every network of
the zoo, once with floats and once with an image's bytes as input. The two boards' profiles stand for all boards of
their kind, and messages between boards take what the links to the controller say. `auto` plans without trials for each
of the paper's sets of boards; the figure is the simulator's latency. A set is compared with each board of its own alone
(`over_best`, latency of the plan over that of the fastest), and with the sets that have one board less (`over_fewer`,
the most it is slower than one of these).

`python -m bench.further_devices`; needs root; takes about ten minutes, nearly all of it planning.
"""

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.inside_lab import measure_inside
from bench.markdown import markdown_table
from bench.paper.cells import BYTES, FIREFLY_SETS, MIXED_SETS, ODROID_SETS, SETS
from bench.results_file import write_results
from legion import NORMALIZATIONS, prepare_model
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import open_lab
from legion.lab.lab_file import read_lab
from legion.model import zoo
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.profile.samples import DeviceProfile, Profile
from legion.profile.store import read_profile, write_profile
from legion.session.cluster import connect
from legion.session.stages import Planning, profile_devices

ALL_SETS = (*FIREFLY_SETS, *ODROID_SETS, *MIXED_SETS)
BOARDS = {"F": "firefly-1", "O": "odroid-1"}
"""By the letter of their kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What `auto` plans for a network on a set of boards; both ratios are of latencies, below 1 where the set wins."""

    model: str
    devices: str
    latency_s: float
    over_best: float
    over_fewer: float | None


def main() -> None:
    """Profile both boards in a lab, plan for all sets, and write the results."""
    setting = read_lab(SETS / "1F+1O.toml", convolutions_here_s)
    results: list[Planned] = []
    with tempfile.TemporaryDirectory() as folder:
        files = dict(_networks(Path(folder)))
        with open_lab(setting) as lab:
            measure_inside(lab, "bench.further_devices", *files.values())
        for name, path in files.items():
            results += _planned(name, load_model(path), read_profile(_profile_of(path)))
            print(f"{name}: planned for {len(ALL_SETS)} sets", flush=True)
    worst = {"over_best": max(each.over_best for each in results)}
    worst["over_fewer"] = max(each.over_fewer for each in results if each.over_fewer is not None)
    rows = [(each.model, each.devices, f"{1 / each.over_best:.2f}") for each in results]
    print(markdown_table(("network", "devices", "speed-up, simulated"), rows), f"\nworst: {worst}")
    write_results("further_devices", __doc__ or "", {"worst": worst, "plans": results})


def measure(cluster_file: str, *networks: str) -> None:
    """What runs inside the lab, as its controller: profiles beside the networks' files."""
    with connect(cluster_file) as cluster:
        for path in map(Path, networks):
            write_profile(profile_devices(load_model(path), cluster), _profile_of(path))
            print(f"{path.stem}: profiled", flush=True)


def _networks(folder: Path) -> Iterator[tuple[str, Path]]:
    """The zoo's networks in files, with floats and with bytes as input."""
    for name in zoo.NAMES:
        plain, prepared = folder / f"{name}.onnx", folder / f"{name}{BYTES}.onnx"
        zoo.write(name, plain)
        prepared.write_bytes(prepare_model(plain, NORMALIZATIONS["imagenet"]))
        yield name, plain
        yield f"{name}{BYTES}", prepared


def _profile_of(network: Path) -> Path:
    return network.with_suffix(".json")


def _planned(name: str, model: Model, boards: Profile) -> Iterator[Planned]:
    latency_s = {devices: _latency_s(model, boards, _counted(devices)) for devices in ALL_SETS}
    for devices in ALL_SETS:
        of_kinds = _counted(devices)
        alone = [latency_s[f"1{kind}"] for kind in of_kinds]
        fewer = [
            latency_s[other]
            for other in ALL_SETS
            if sum(_counted(other).values()) == sum(of_kinds.values()) - 1
            and all(count <= of_kinds.get(kind, 0) for kind, count in _counted(other).items())
        ]
        yield Planned(
            model=name,
            devices=devices,
            latency_s=latency_s[devices],
            over_best=latency_s[devices] / min(alone),
            over_fewer=latency_s[devices] / min(fewer) if fewer else None,
        )


def _counted(devices: str) -> Mapping[str, int]:
    """How many boards of each kind: 3F+2O are three of F and two of O."""
    return {kind: int(count) for count, kind in re.findall(r"(\d)([FO])", devices)}


def _latency_s(model: Model, boards: Profile, counts: Mapping[str, int]) -> float:
    profile = Profile(
        devices={
            f"{kind}{number}": _named(boards.devices[BOARDS[kind]], f"{kind}{number}")
            for kind, count in counts.items()
            for number in range(count)
        }
    )
    planning = Planning(model, profile)
    return planning.predict(planning.programs(planning.choose("auto").scheme)).latency_s


def _named(board: DeviceProfile, name: str) -> DeviceProfile:
    return replace(board, device=replace(board.device, name=name))


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()
