"""What the runtime costs beyond the engine, on one worker over loopback.

Method, frames: a frame of the plan, then the same local graphs on inputs of the same shapes by an engine in this
process, one thread each, in turn; after two warm-ups the medians are compared. Overhead is a frame's latency (by the
controller's clock, from the input handed over to the output there) minus the sum of the graphs' times, relative to
that sum. `legion` is the plan that a user gets on one device, `modnn` sends every layer's input and output, `whole`
is one group.

Method, messages: a chain of Relu layers on a tensor of a given size, each a group of its own, by way of the
controller, so that a frame is nearly all messages. Processor time of both processes, all threads, less that of the
same Relus run by an engine alone, over the number of messages; the median over frames.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from time import perf_counter, process_time

import numpy as np
from onnx import TensorProto, helper
from rich.console import Console

from bench.grouped import grouped_plan
from bench.results_file import write_results
from legion.engine.base import Executable
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.model import zoo
from legion.model.model import Array, Model
from legion.model.onnx_import import load_model
from legion.plan.executable import ExecutablePlan, NodePlan
from legion.session.cluster import Cluster, local_cluster
from legion.session.feeds import sample_feeds
from legion.session.stages import Planning, profile_devices

NETWORKS = ("vgg16", "mobilenetv2")
WARMUPS = 2
FRAMES = 21
RELAYS = 40
RELAY_BYTES = (1 << 10, 16 << 10, 64 << 10, 1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOverhead:
    network: str
    plan: str
    groups: int
    frame_s: float
    engine_s: float
    messages: int
    sent_bytes: int

    @property
    def overhead(self) -> float:
        return self.frame_s / self.engine_s - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCost:
    size_bytes: int
    messages: int
    processor_s: float


def main() -> None:
    """Measure both, and write the results."""
    console = Console()
    frames: list[FrameOverhead] = []
    for name in NETWORKS:
        for found in _network(name):
            frames.append(found)
            console.print(
                f"{name} {found.plan}: {found.groups} groups, frame {found.frame_s * 1e3:.2f} ms, engine "
                f"{found.engine_s * 1e3:.2f} ms, overhead {found.overhead:.1%}, {found.messages} messages, "
                f"{found.sent_bytes / 1e6:.2f} MB"
            )
    costs = [_messages(size) for size in RELAY_BYTES]
    for cost in costs:
        console.print(f"messages of {cost.size_bytes / 1024:.0f} kB: {cost.processor_s * 1e3:.3f} ms of processor each")
    results = {"frames": [{"overhead": each.overhead, "frame": each} for each in frames], "messages": costs}
    write_results("overhead", __doc__ or "", results)


def _network(name: str) -> Sequence[FrameOverhead]:
    model = load_model(zoo.build(name).SerializeToString())
    with local_cluster(1) as cluster:
        planning = Planning(model, profile_devices(model, cluster))
        plans = {
            policy: planning.compile(planning.programs(planning.choose(policy).scheme))
            for policy in ("legion", "modnn")
        }
        plans["whole"] = grouped_plan(model, [range(len(model.layers))], tuple(cluster.devices), via_controller=True)
        return [_frames(name, kind, plan, model, cluster) for kind, plan in plans.items()]


def _frames(name: str, kind: str, plan: ExecutablePlan, model: Model, cluster: Cluster) -> FrameOverhead:
    feeds = sample_feeds(model)
    (device,) = cluster.devices
    cluster.install(plan)
    engine = _Alone(model, plan.nodes[device], plan)
    frame_s: list[float] = []
    engine_s: list[float] = []
    for _ in range(WARMUPS + FRAMES):
        cluster.controller.run(feeds)
        frame_s.append(cluster.controller.timeline().latency_s)
        engine_s.append(_timed(engine.run))
    reports = cluster.controller.reports().values()
    return FrameOverhead(
        network=name,
        plan=kind,
        groups=len(plan.nodes[device].steps),
        frame_s=median(frame_s[WARMUPS:]),
        engine_s=median(engine_s[WARMUPS:]),
        messages=sum(report.sent_messages for report in reports),
        sent_bytes=sum(report.sent_bytes for report in reports),
    )


class _Alone:
    """The runs of one node's plan, by an engine of this process, on inputs of the right shapes."""

    def __init__(self, model: Model, node: NodePlan, plan: ExecutablePlan) -> None:
        engine = OnnxRuntimeEngine()
        generator = np.random.default_rng(0)
        self._runs: list[tuple[Executable, list[Array]]] = []
        graphs = node.graphs_as_run()
        for step in node.steps:
            executable = engine.prepare(graphs[step.graph], lambda constant: plan.constants[constant.digest or ""])
            inputs = [
                generator.standard_normal(buffer.shape).astype(model.tensors[buffer.tensor].dtype)
                for buffer in step.buffers
            ]
            self._runs.append((executable, inputs))

    def run(self) -> None:
        for executable, inputs in self._runs:
            executable.run(inputs)


def _messages(size_bytes: int) -> MessageCost:
    model = _relays(size_bytes)
    feeds = sample_feeds(model)
    with local_cluster(1) as cluster:
        plan = grouped_plan(model, [(layer,) for layer in range(RELAYS)], tuple(cluster.devices), via_controller=True)
        cluster.install(plan)
        (device,) = cluster.devices
        alone = _Alone(model, plan.nodes[device], plan)
        processor_s: list[float] = []
        messages = 0
        for _ in range(WARMUPS + FRAMES):
            cluster.controller.run(feeds)
            reports = cluster.controller.reports().values()
            messages = sum(report.sent_messages for report in reports)
            spent_s = sum(report.process_cpu_s for report in reports)
            processor_s.append((spent_s - _timed(alone.run, process_time)) / messages)
    return MessageCost(size_bytes=size_bytes, messages=messages, processor_s=median(processor_s[WARMUPS:]))


def _relays(size_bytes: int) -> Model:
    """Relu after Relu on a (1, 16, rows, 32) tensor; every one is an output too, so that none ride on another."""
    shape = (1, 16, size_bytes // (16 * 32 * 4), 32) if size_bytes >= 2048 else (1, 1, size_bytes // 128, 32)
    names = [f"t{index}" for index in range(RELAYS + 1)]
    nodes = [helper.make_node("Relu", [source], [target]) for source, target in pairwise(names)]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names]
    graph = helper.make_graph(nodes, "relays", ports[:1], ports[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return load_model(proto.SerializeToString())


def _timed(work: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    started = clock()
    work()
    return clock() - started


if __name__ == "__main__":
    main()
