"""How well predictors know what a group of fused layers takes that was never measured.

Method: one engine in this process, one thread, by thread processor time. The layers of a network and the training
layers are measured by the default policy, its budget scaled to a board of a fifth of this core; the held-out groups in
a few rounds over all of them before, and a few after; the reference kernel relates all. Groups are random intervals of
two to eight layers that hang together, on random shares of an eighth to a half of the rows. Compared are the cost model
(the default), the layers' sum by E * A as in the paper, and AOFL's regression. Errors are predicted over measured,
less one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from statistics import mean
from time import thread_time

import numpy as np
from rich.console import Console

from bench.results_file import write_results
from legion.cluster.device import DeviceInfo
from legion.cost.fit import cost_model
from legion.cost.groups import connected_groups
from legion.cost.learned import learned_cost_model
from legion.cost.model import CostModel
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.local_graph import LocalConstant
from legion.geometry.segment import Segment
from legion.geometry.splitting import split_axis
from legion.model import zoo
from legion.model.model import Array, Model
from legion.model.onnx_import import load_model
from legion.plan.assign import exported_tensors
from legion.profile.extents import tile, whole_extent
from legion.profile.probes import LayerProbe, ProbePlan, layer_probe, plan_probes
from legion.profile.samples import DeviceProfile, LayerSample, LinkSample, MeasurementPolicy, Profile
from legion.profile.statistics import normalised_s, reference_s
from legion.profile.training import plan_training
from legion.runtime.profiler import Profiler

NETWORKS = ("vgg16", "yolov2", "resnet50")
GROUPS = 60
SPEED = 0.2
POLICY = MeasurementPolicy(budget_s=MeasurementPolicy().budget_s * SPEED)
GROUP_POLICY = MeasurementPolicy(rounds=3, budget_s=inf)
LONGEST = 8
SEED = 1
DEVICE = "here"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """A group (first and last layer), and the share of the rows, from and to."""

    layers: tuple[int, int]
    share: tuple[float, float]
    segment: Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    network: str
    first: str
    last: str
    share: tuple[float, float]
    measured_s: float
    predicted_s: Mapping[str, float]


def main() -> None:
    """Measure all networks, print a line for each predictor, and write the results."""
    console = Console()
    predictions: list[Prediction] = []
    for name in NETWORKS:
        found = list(_network(name))
        predictions += found
        for predictor in found[0].predicted_s:
            error = np.array([each.predicted_s[predictor] / each.measured_s - 1 for each in found])
            console.print(
                f"{name:10} {predictor:10} mean absolute error {np.abs(error).mean():6.1%}, 95th percentile "
                f"{np.percentile(np.abs(error), 95):6.1%}, within 10 % {np.mean(np.abs(error) <= 0.1):4.0%}, "
                f"mean error {error.mean():+.1%}"
            )
    write_results("group_prediction", __doc__ or "", predictions)


def _network(name: str) -> Iterator[Prediction]:
    model = load_model(zoo.build(name).SerializeToString())
    demand = Demand(model)
    held_out = list(_held_out(model, demand, Random(SEED)))
    engine = OnnxRuntimeEngine()
    group_plan = _group_plan(model, held_out)
    before = _measured(engine, group_plan, GROUP_POLICY)
    layers = _measured(engine, plan_probes(model, demand), POLICY)
    training = _measured(engine, plan_training(), POLICY)
    after = _measured(engine, group_plan, GROUP_POLICY)
    device = _device_profile((*layers, *training))
    profile = Profile(devices={DEVICE: device})
    predictors = _predictors(model, demand, profile)
    for group, *samples in zip(held_out, before, after, strict=True):
        first, last = group.layers
        yield Prediction(
            network=name,
            first=model.layers[first].name,
            last=model.layers[last].name,
            share=group.share,
            measured_s=mean(normalised_s(sample, reference_s(device)) for sample in samples),
            predicted_s={predictor: predict(group) for predictor, predict in predictors.items()},
        )


def _predictors(model: Model, demand: Demand, profile: Profile) -> Mapping[str, Callable[[HeldOut], float]]:
    cost = cost_model(model, demand, profile, (DEVICE,))
    learned = learned_cost_model(model, demand, profile, (DEVICE,))
    return {
        "cost model": lambda group: cost.run_s(DEVICE, group.segment),
        "E * A": lambda group: _by_alpha(model, demand, cost, group),
        "aofl": lambda group: learned.run_s(DEVICE, group.segment),
    }


def _by_alpha(model: Model, demand: Demand, cost: CostModel, group: HeldOut) -> float:
    """Each layer's time at its own share, times the ratio by which the group makes it larger."""
    seconds = 0.0
    for layer in group.segment.layers:
        (own,) = _shared(model, demand, layer, group.share).values()
        computed = next(group.segment.boxes[name] for name in model.layers[layer].outputs)
        seconds += cost.layer_s(DEVICE, layer, own) * computed.volume / own.volume
    return seconds


def _held_out(model: Model, demand: Demand, random: Random) -> Iterator[HeldOut]:
    """Random groups, each once."""
    connected = connected_groups(model)
    seen: set[tuple[int, int]] = set()
    while len(seen) < min(GROUPS, len(model.layers) * 2):
        first = random.randrange(len(model.layers) - 1)
        last = random.randrange(first + 1, min(first + LONGEST, len(model.layers)))
        share = random.uniform(1 / 8, 1 / 2)
        low = random.uniform(0, 1 - share)
        if (first, last) in seen or not connected[first, last]:
            continue
        seen.add((first, last))
        segment = _segment(model, demand, (first, last), (low, low + share))
        yield HeldOut(layers=(first, last), share=(low, low + share), segment=segment)


def _segment(model: Model, demand: Demand, layers: tuple[int, int], share: tuple[float, float]) -> Segment:
    first, last = layers
    flc = [range(first), range(first, last + 1), range(last + 1, len(model.layers))]
    exported = exported_tensors(model, [tuple(part) for part in flc])[1]
    outputs: dict[str, Box] = {}
    for layer in flc[1]:
        boxes = _shared(model, demand, layer, share)
        outputs |= {tensor: box for tensor, box in boxes.items() if tensor in exported}
    return build_segment(demand, flc[1], outputs)


def _shared(model: Model, demand: Demand, layer: int, share: tuple[float, float]) -> dict[str, Box]:
    """The share of a layer's outputs, at least one row of them."""
    extent, axis = whole_extent(model, demand, layer), split_axis(demand, layer)
    wholes = tile(model, demand, layer, extent)
    if axis is None:
        return wholes
    low = min(round(share[0] * extent), extent - 1)
    high = max(low + 1, round(share[1] * extent))
    return {tensor: whole.replace(axis, (low, high)) for tensor, whole in wholes.items()}


def _group_plan(model: Model, groups: Sequence[HeldOut]) -> ProbePlan:
    pool = ConstantPool(model, synthetic=True)
    probes: list[LayerProbe] = [
        layer_probe(model, pool, f"group {index}", 1, group.segment) for index, group in enumerate(groups)
    ]
    return ProbePlan(probes=tuple(probes), constants=pool.arrays)


def _measured(engine: OnnxRuntimeEngine, plan: ProbePlan, policy: MeasurementPolicy) -> tuple[LayerSample, ...]:
    def load(constant: LocalConstant) -> Array:
        return plan.constants[constant.digest or ""]

    try:
        return Profiler(engine, load, thread_time).measure(plan.probes, policy, lambda _: None)
    finally:
        engine.retain(())


def _device_profile(samples: tuple[LayerSample, ...]) -> DeviceProfile:
    """The samples as a device's; its links are none of our concern."""
    info = DeviceInfo(name=DEVICE, cores=1, threads=1, memory_bytes=1, machine="", engine="", providers=(), versions={})
    links = tuple(
        LinkSample(direction=way, size_bytes=size, seconds=(1e-3,)) for way in ("set", "get") for size in (1, 2)
    )
    return DeviceProfile(
        device=info,
        measured_at="",
        policy=MeasurementPolicy(),
        layers=samples,
        links=links,
        round_trip_s=1e-3,
        handling_s=0.0,
        controller_handling_s=0.0,
        copy_bytes_per_s=1e9,
    )


if __name__ == "__main__":
    main()
