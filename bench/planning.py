"""How long profiling and planning take.

Method: wall seconds. `profile`: VGG-16 on one local worker of one thread, with nothing known, default
measurement policy; each of several rounds starts a new worker. `plan`: each network of the zoo on six devices from a
profile in memory (one device's samples under six names, at speeds that differ), Demand and matrices built anew in each
round, by `legion` (wild card by prediction) and by `auto`, no trials; the first round is reported apart, since it
imports and warms up. `plan again`: the same by `auto` with a cache that has the plan.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from rich.console import Console

from bench.boards import slower
from bench.results_file import write_results
from legion.model import zoo
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.profile.samples import MeasurementPolicy, Profile
from legion.session.cache import Cache
from legion.session.cluster import local_cluster
from legion.session.reuse import choose_once
from legion.session.stages import Planning, profile_devices

ROUNDS = 5
POLICIES = ("legion", "auto")
SLOWDOWNS = (1.0, 1.0, 1.0, 1.8, 1.8, 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    what: str
    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        return median(self.seconds)


def main() -> None:
    """Measure both, and write the results."""
    timings = [_profiling("vgg16"), *(timing for name in zoo.NAMES for timing in _planning(name))]
    console = Console()
    for timing in timings:
        console.print(f"{timing.what}: {timing.median_s:.2f} s (first {timing.seconds[0]:.2f} s)")
    results = [{"what": each.what, "median_s": each.median_s, "seconds": each.seconds} for each in timings]
    write_results("planning", __doc__ or "", results)


def _profiling(name: str) -> Timing:
    model = load_model(zoo.build(name).SerializeToString())
    seconds: list[float] = []
    for _ in range(ROUNDS):
        with local_cluster(1) as cluster:
            started = perf_counter()
            profile_devices(model, cluster)
            seconds.append(perf_counter() - started)
    return Timing(what=f"profile {name} on one device", seconds=tuple(seconds))


def _planning(name: str) -> Iterator[Timing]:
    model = load_model(zoo.build(name).SerializeToString())
    with local_cluster(1) as cluster:
        (measured,) = profile_devices(model, cluster, policy=MeasurementPolicy(rounds=1)).devices.values()
    profile = Profile(devices={f"device-{index}": slower(measured, factor) for index, factor in enumerate(SLOWDOWNS)})
    for policy in POLICIES:
        yield _timed(f"plan {name} for {len(SLOWDOWNS)} devices by {policy}", model, profile, policy, None)
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(folder)
        choose_once(Planning(model, profile), "auto", cache)
        yield _timed(f"plan {name} again", model, profile, "auto", cache)


def _timed(what: str, model: Model, profile: Profile, policy: str, cache: Cache | None) -> Timing:
    seconds: list[float] = []
    for _ in range(ROUNDS):
        started = perf_counter()
        planning = Planning(model, profile)
        planning.programs(choose_once(planning, policy, cache).choice.scheme)
        seconds.append(perf_counter() - started)
    return Timing(what=what, seconds=tuple(seconds))


if __name__ == "__main__":
    main()
