"""How good a plan the planner finds against how long it searches.

Method: whole networks on six emulated boards: the samples of one local worker, slowed down by factors that differ, on
links of 100 Mbit/s. The search begins anew with each number of evaluations. Latencies are those of the search, and the
best of all is "best known". Processor seconds are this process's, of all its threads: of the cost model and tables,
and of the search, whose seconds by the clock stand beside them.
ResNet-152 stands beside the zoo's networks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter, process_time

import onnx
from rich.console import Console

from bench.boards import slower
from bench.results_file import write_results
from legion.cost.tables import Tables, build_tables
from legion.model import zoo
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.model.zoo.network import Network
from legion.profile.samples import DeviceProfile, LinkSample, MeasurementPolicy, Profile
from legion.search.refine import refined
from legion.search.seeds import seeds
from legion.session.cluster import local_cluster
from legion.session.stages import Planning, profile_devices

EVALUATIONS = (12_500, 25_000, 50_000, 100_000, 200_000, 400_000, 800_000, 1_600_000)
SLOWDOWNS = (5.0, 5.0, 5.0, 9.0, 9.0, 9.0)
LINK_LATENCY_S = 2e-4
LINK_BYTES_PER_S = 12e6
LINK_SIZES = (1_000, 100_000, 1_000_000)
RESNET152 = ((64, 3), (128, 8), (256, 36), (512, 3))
"""Channels and blocks of each stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; the latency is that of the best plan, `above_best` by what fraction it exceeds the best known."""

    evaluations: int
    processor_s: float
    clock_s: float
    latency_s: float
    above_best: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    network: str
    layers: int
    tables_s: float
    searches: tuple[Search, ...]


def main() -> None:
    """Search for plans of all networks, and write the results."""
    console, results = Console(), list[Quality]()
    for name, model in networks():
        quality = measured(name, model)
        results.append(quality)
        console.print(f"{name}: tables {quality.tables_s:.2f} s")
        for search in quality.searches:
            console.print(
                f"  {search.evaluations:7d} evaluations, {search.clock_s:5.2f} s: "
                f"{1e3 * search.latency_s:.1f} ms, {search.above_best:.1%} above the best known"
            )
    write_results("plan_quality", __doc__ or "", results)


def networks() -> Iterator[tuple[str, Model]]:
    """The zoo's, and a deep one."""
    for name in zoo.NAMES:
        yield name, load_model(zoo.build(name).SerializeToString())
    yield "resnet152", load_model(resnet152().SerializeToString())


def measured(name: str, model: Model, evaluations: tuple[int, ...] = EVALUATIONS) -> Quality:
    """Searches of all lengths for one network."""
    profile = boards(model)
    began = process_time()
    planning = Planning(model, profile)
    tables = build_tables(model, planning.demand, planning.costs, planning.devices)
    tables_s = process_time() - began
    searches = [_search(tables, count) for count in evaluations]
    best_s = min(search.latency_s for search in searches)
    return Quality(
        network=name,
        layers=tables.layers,
        tables_s=tables_s,
        searches=tuple(replace(search, above_best=search.latency_s / best_s - 1) for search in searches),
    )


def _search(tables: Tables, evaluations: int) -> Search:
    began, clock = process_time(), perf_counter()
    latency_s = float(refined(tables, seeds(tables), evaluations, 0).latency_s[0])
    return Search(
        evaluations=evaluations,
        processor_s=process_time() - began,
        clock_s=perf_counter() - clock,
        latency_s=latency_s,
    )


def boards(model: Model) -> Profile:
    """One local worker's samples, as of six slower devices."""
    with local_cluster(1) as cluster:
        (device,) = profile_devices(model, cluster, policy=MeasurementPolicy(rounds=1)).devices.values()
    return Profile(devices={f"board-{place}": _board(device, factor) for place, factor in enumerate(SLOWDOWNS)})


def _board(device: DeviceProfile, factor: float) -> DeviceProfile:
    links = tuple(
        LinkSample(direction=direction, size_bytes=size, seconds=(LINK_LATENCY_S + size / LINK_BYTES_PER_S,))
        for direction in ("set", "get")
        for size in LINK_SIZES
    )
    return replace(slower(device, factor), links=links)


def resnet152() -> onnx.ModelProto:
    """ResNet-152 (He et al. 2016), with the stride in the 3x3 convolutions."""
    network = Network(name="resnet152", size=224, width=1.0, seed=0)
    tensor = network.max_pool(network.relu(_convolution(network, "input", 64, 7, 2)), 3, 2, padding=1)
    for channels, blocks in RESNET152:
        for block in range(blocks):
            stride = 2 if channels > RESNET152[0][0] and block == 0 else 1
            branch = network.relu(_convolution(network, tensor, channels, 1, 1))
            branch = network.relu(_convolution(network, branch, channels, 3, stride))
            branch = _convolution(network, branch, 4 * channels, 1, 1)
            shortcut = _convolution(network, tensor, 4 * channels, 1, stride) if block == 0 else tensor
            tensor = network.relu(network.add(branch, shortcut))
    return network.finish(network.gemm(network.flatten(network.global_average_pool(tensor)), 1000, gain=1.0))


def _convolution(network: Network, tensor: str, channels: int, kernel: int, stride: int) -> str:
    return network.batch_normalization(network.convolution(tensor, channels, kernel, stride=stride))


if __name__ == "__main__":
    main()
