"""Is the lab believable? One board against six at once, a link against its rate, computing against traffic.

Method: the paper's six boards on links of 100 Mbit/s (`bench/sets/6F.toml`), a lab slowed down by pacing, then one by
processor quota, and both again. Each board holds the whole of VGG-16 as one group, led by a controller of its own in
the lab's controller namespace, so that six frames run at once. Each round waits until the machine is idle, up to half a
minute (`busy` says how much of it was not), and takes every figure once, in this order:

- `alone`: a frame on the first board, the others idle. A frame's figure is the time of its Run instructions by the
  worker's clock, a set of frames' figure their median.
- `six`: a frame on all boards at once.
- `one_flow`: 4 MB by plain TCP from the controller to the first board, nothing else on the network.
- `three_flows`: 4 MB to each of three boards at once, through the controller's one port; until the last is there.
- `six_in_traffic`: as `six`, while three flows keep the controller's port busy.
- `flow_beside_six`: as `one_flow`, while all six boards compute; it starts when their inputs have arrived.

Expected: six take what one takes; one takes its processor time over its speed; both ways to slow down give the same; a
flow takes its bytes, with 1514 of the link's for each 1448 of payload, over the rate, and three flows three times that;
traffic and computing leave each other alone. `deviations` says by how much not, as a fraction, each to be within 5 %:
the median over rounds of the ratio of two figures of the same round, because a server's speed drifts from minute to
minute; pacing and quota, which cannot share a round, are compared by their medians. Beside them stand the computing
threads' processor time (it tells a board that computes longer from one that is kept waiting) and, as fractions of a
frame's Run time, overruns, and the processor time of the workers' sending and receiving threads, which are not slowed
down.

`python -m bench.lab_truth`; needs root and an otherwise idle machine; takes about twelve minutes.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import msgspec
import psutil

from bench.grouped import grouped_plan
from bench.lab_flow import Flows
from bench.paper.cells import SETS
from bench.results_file import write_results
from legion.cluster.cluster_file import read_cluster, read_controller
from legion.cluster.device import Device
from legion.lab.calibration import convolutions_here_s
from legion.lab.lab import PLACEHOLDER, open_lab
from legion.lab.lab_file import read_lab
from legion.lab.namespaces import device_namespace, inside
from legion.lab.setting import Board, Setting, SlowBy
from legion.lab.state import LabState
from legion.model import zoo
from legion.model.model import Array, Model
from legion.model.onnx_import import load_model
from legion.runtime.controller import Controller
from legion.session.feeds import sample_feeds
from legion.transport.base import split_address

SET = "6F"
PAYLOAD = 1448 / 1514
"""Of what the shaper counts: 66 bytes of Ethernet, IP and TCP headers in each full packet."""

FLOW_BYTES = 4_000_000
VISITS = 2
ROUNDS_PER_VISIT = 4
BOUND = 0.05
_BUSY = 0.05
_BUSY_OVER_S = 1.0
_PATIENCE_S = 30.0
_INPUTS_THERE_S = 0.6
"""Six inputs of 602 kB have gone through the controller's port by then, and no frame has ended."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a worker spent on a frame, in seconds; `cpu_s` is its computing thread's processor time."""

    run_s: float
    cpu_s: float
    overrun_s: float
    wire_cpu_s: float


@dataclass(slots=True)
class Samples:
    """All rounds of all figures."""

    busy: list[float] = field(default_factory=list[float])
    alone: list[Frame] = field(default_factory=list[Frame])
    six: list[list[Frame]] = field(default_factory=list[list[Frame]])
    six_in_traffic: list[list[Frame]] = field(default_factory=list[list[Frame]])
    one_flow_s: list[float] = field(default_factory=list[float])
    three_flows_s: list[float] = field(default_factory=list[float])
    flow_beside_six_s: list[float] = field(default_factory=list[float])


class Subject:
    """One board that holds the whole model, and its controller."""

    def __init__(self, model: Model, device: Device, weight_cache: Path | None) -> None:
        self._controller = Controller([device], name=f"of {device.name}", weight_cache=weight_cache)
        self._controller.connect()
        self._controller.install(grouped_plan(model, [range(len(model.layers))], [device.name], via_controller=True))
        self._device = device.name
        self._feeds: dict[str, Array] = sample_feeds(model)

    def frame(self) -> Frame:
        """Run one."""
        self._controller.run(self._feeds)
        events = [event for event in self._controller.timeline().events if event.kind == "run"]
        report = self._controller.reports()[self._device]
        run_s = sum(event.end_s - event.start_s for event in events)
        return Frame(run_s, report.compute_cpu_s, report.overrun_s, report.wire_cpu_s)

    def close(self) -> None:
        self._controller.close()


def main() -> None:
    """Measure by both ways to slow down, and write the results."""
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder) / "vgg16.onnx"
        zoo.write("vgg16", network)
        samples: dict[SlowBy, Samples] = {"pacing": Samples(), "quota": Samples()}
        setting = read_lab(SETS / f"{SET}.toml", convolutions_here_s)
        for _ in range(VISITS):
            for slow_by, before in samples.items():
                samples[slow_by] = _in_a_lab(replace(setting, slow_by=slow_by), before, network, Path(folder))
    deviations = _deviations(samples, setting.boards[0])
    print_deviations(deviations)
    summary = {slow_by: _summary(each) for slow_by, each in samples.items()}
    result: dict[str, object] = {"lab": setting, "flow_bytes": FLOW_BYTES, "bound": BOUND, "deviations": deviations}
    write_results("lab_truth", __doc__ or "", {**result, "medians": summary, "samples": samples})


def print_deviations(deviations: Mapping[str, float]) -> None:
    """Each as a percentage, and which are beyond the bound."""
    for name, deviation in deviations.items():
        print(f"{name}: {deviation:+.1%}{'' if abs(deviation) <= BOUND else ', beyond the bound'}")


def _in_a_lab(setting: Setting, before: Samples, network: Path, folder: Path) -> Samples:
    """The samples of earlier visits, and those of this one."""
    results = folder / f"{setting.slow_by}.json"
    results.write_bytes(msgspec.json.encode(before))
    with open_lab(setting) as lab:
        with _sinks(lab.state):
            words = [sys.executable, "-m", "bench.lab_truth", PLACEHOLDER, str(network), str(results)]
            code = lab.run(words)
        assert code == 0, f"the measurement by {setting.slow_by} failed"
    return msgspec.json.decode(results.read_bytes(), type=Samples)


@contextmanager
def _sinks(state: LabState) -> Iterator[None]:
    """A sink for plain flows in every board's namespace."""
    command = [sys.executable, "-m", "bench.lab_flow"]
    namespaces = [device_namespace(state.prefix, index) for index in range(len(state.setting.boards))]
    sinks = [subprocess.Popen([*inside(namespace), *command]) for namespace in namespaces]
    try:
        yield
    finally:
        for sink in sinks:
            sink.terminate()
            sink.wait()


def measure(cluster: str, network: str, results: str) -> None:
    """What runs inside the lab, as its controllers."""
    devices = read_cluster(cluster)
    model = load_model(network)
    hosts = [split_address(device.address)[0] for device in devices]
    samples = msgspec.json.decode(Path(results).read_bytes(), type=Samples)
    with ExitStack() as stack:
        subjects: list[Subject] = []
        for device in devices:
            subjects.append(Subject(model, device, read_controller(cluster).weight_cache))
            stack.callback(subjects[-1].close)
        pool = stack.enter_context(ThreadPoolExecutor(len(subjects)))
        one, three = (stack.enter_context(Flows(hosts[:count])) for count in (1, 3))

        def six() -> list[Frame]:
            return list(pool.map(Subject.frame, subjects))

        six()
        for number in range(ROUNDS_PER_VISIT):
            samples.busy.append(_await_idle())
            _round(samples, subjects[0], six, one, three)
            print(f"round {number + 1} of {ROUNDS_PER_VISIT}", flush=True)
    Path(results).write_bytes(msgspec.json.encode(samples))


def _await_idle() -> float:
    """Wait for the machine to have nothing else to do, but not forever; the fraction of it that is busy."""
    deadline_s = monotonic() + _PATIENCE_S
    while (busy := psutil.cpu_percent(_BUSY_OVER_S) / 100) > _BUSY and monotonic() < deadline_s:
        """Again: the other work may be short."""
    return busy


def _round(samples: Samples, first: Subject, six: Callable[[], list[Frame]], one: Flows, three: Flows) -> None:
    samples.alone.append(first.frame())
    samples.six.append(six())
    samples.one_flow_s.append(one.send(FLOW_BYTES))
    samples.three_flows_s.append(three.send(FLOW_BYTES))
    with three.busy(FLOW_BYTES):
        samples.six_in_traffic.append(six())
    with ThreadPoolExecutor(1) as beside:
        frames = beside.submit(six)
        sleep(_INPUTS_THERE_S)
        samples.flow_beside_six_s.append(one.send(FLOW_BYTES))
        frames.result()


def _deviations(samples: Mapping[SlowBy, Samples], board: Board) -> dict[str, float]:
    """How far each figure is from what it should be for boards that are all like this one, as a fraction."""
    found: dict[str, float] = {}
    flow_s = FLOW_BYTES / (board.link.bandwidth_bytes_per_s * PAYLOAD)
    for slow_by, each in samples.items():
        alone_s = [frame.run_s for frame in each.alone]
        six_s, in_traffic_s = _each_round(each.six), _each_round(each.six_in_traffic)
        told_s = [frame.cpu_s / board.speed for frame in each.alone]
        found[f"{slow_by}: one board against its speed"] = _ratio(alone_s, told_s) - 1
        found[f"{slow_by}: six boards against one"] = _ratio(six_s, alone_s) - 1
        found[f"{slow_by}: six boards in traffic against none"] = _ratio(in_traffic_s, six_s) - 1
        found[f"{slow_by}: one flow against the rate"] = median(each.one_flow_s) / flow_s - 1
        found[f"{slow_by}: three flows against the rate"] = median(each.three_flows_s) / (3 * flow_s) - 1
        found[f"{slow_by}: a flow beside six boards against none"] = _ratio(each.flow_beside_six_s, each.one_flow_s) - 1
    pacing, quota = _summary(samples["pacing"]), _summary(samples["quota"])
    found["quota against pacing, one board"] = quota["alone_s"] / pacing["alone_s"] - 1
    found["quota against pacing, six boards"] = quota["six_s"] / pacing["six_s"] - 1
    return found


def _summary(samples: Samples) -> dict[str, float]:
    six = [frame for frames in samples.six for frame in frames]
    return {
        "busy": median(samples.busy),
        "alone_s": median(frame.run_s for frame in samples.alone),
        "six_s": median(_each_round(samples.six)),
        "six_in_traffic_s": median(_each_round(samples.six_in_traffic)),
        "one_flow_s": median(samples.one_flow_s),
        "three_flows_s": median(samples.three_flows_s),
        "flow_beside_six_s": median(samples.flow_beside_six_s),
        "alone_cpu_s": median(frame.cpu_s for frame in samples.alone),
        "six_cpu_s": median(frame.cpu_s for frame in six),
        "six_in_traffic_cpu_s": median(frame.cpu_s for frames in samples.six_in_traffic for frame in frames),
        "overrun_median": median(frame.overrun_s / frame.run_s for frame in six),
        "overrun_worst": max(frame.overrun_s / frame.run_s for frame in six),
        "wire_median": median(frame.wire_cpu_s / frame.run_s for frame in six),
    }


def _each_round(rounds: Sequence[Sequence[Frame]]) -> list[float]:
    return [median(frame.run_s for frame in frames) for frames in rounds]


def _ratio(figures: Sequence[float], others: Sequence[float]) -> float:
    """The median over rounds."""
    return median(figure / other for figure, other in zip(figures, others, strict=True))


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(*sys.argv[1:])
    else:
        main()
