"""Measures small messages between all devices at once with the machinery of real frames: each sends to the next."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean

import numpy as np

from legion.geometry.box import Box
from legion.geometry.local_graph import InputBuffer, LocalGraph, LocalInput
from legion.geometry.segment import Segment
from legion.model.model import Array, Operator
from legion.plan.executable import ExecutablePlan, NodePlan, RunStep, messages_alone
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.plan.scheme import CONTROLLER
from legion.profile.ring import RingSample
from legion.wire.messages import FrameReport

_STEPS = 12
"""That count, after as many as there are devices: until then those who began first come to wait for the others."""

_DTYPE = np.dtype(np.float32)
_BEGUN = Box.whole((1,))

_GRAPH = LocalGraph(
    opset=18,
    operators=(Operator(name="ring", op_type="Relu", inputs=("came",), outputs=("goes",), attributes={}),),
    inputs=(LocalInput(name="came", dtype=_DTYPE.name, dims=(1, None)),),
    outputs=("goes",),
    constants=(),
)
"""What devices run on a row that has come to make the next one: hardly more than a call of the engine."""


def ring_plan(devices: Sequence[str], size_bytes: int) -> ExecutablePlan:
    """Each device gets a row, sends it to the next device, and makes another one of what has come to it.

    The controller says when to begin, after it has fed all: whoever began before the last was fed would find no answer,
    and messages that once stand in line go on in line.
    """
    rows = [Box(((step, step + 1), (0, _length(size_bytes)))) for step in range(1 + _steps(devices))]
    feeding = [Send(tensor=_rows(device), box=rows[0], destination=device) for device in devices]
    feeding += [Send(tensor=_beginning(device), box=_BEGUN, destination=device) for device in devices]
    nodes = dict(messages_alone({CONTROLLER: feeding}).nodes)
    for place, device in enumerate(devices):
        before, after = devices[place - 1], devices[(place + 1) % len(devices)]
        nodes[device] = _node(device, before, after, rows)
    return ExecutablePlan(nodes=nodes, constants={})


def ring_inputs(devices: Sequence[str], size_bytes: int) -> dict[str, Array]:
    """What the controller sends in the frames of a ring plan."""
    rows = {_rows(device): np.ones((1, _length(size_bytes)), _DTYPE) for device in devices}
    return {**rows, **{_beginning(device): np.ones(_BEGUN.shape, _DTYPE) for device in devices}}


def ring_sample(devices: Sequence[str], size_bytes: int, frames: Sequence[Mapping[str, FrameReport]]) -> RingSample:
    """From frames of a ring plan; each device's steps by its own clock, without its runs."""
    last = 1 + 3 * _steps(devices)

    def step_s(report: FrameReport) -> float:
        records = {record.instruction: record for record in report.records}
        first = records[last - 3 * _STEPS]
        runs = [records[index] for index in range(first.instruction + 3, last + 1, 3)]
        running_s = sum(run.end_s - run.start_s for run in runs)
        return max(0.0, runs[-1].end_s - first.end_s - running_s) / _STEPS

    return RingSample(
        devices=tuple(devices),
        size_bytes=size_bytes,
        seconds=tuple(mean(step_s(reports[device]) for device in devices) for reports in frames),
    )


def _node(device: str, before: str, after: str, rows: Sequence[Box]) -> NodePlan:
    """A device's part: a row to the device `after`, one from that `before`, and the next one made of it, and so on."""
    sent, came = _rows(device), _rows(before)
    instructions: list[Instruction] = [
        Receive(tensor=sent, box=rows[0], source=CONTROLLER),
        Receive(tensor=_beginning(device), box=_BEGUN, source=CONTROLLER),
    ]
    runs: list[RunStep] = []
    for row, following in pairwise(rows):
        segment = Segment(layers=(), inputs={came: row}, outputs={sent: following}, boxes={})
        instructions.append(Send(tensor=sent, box=row, destination=after))
        instructions.append(Receive(tensor=came, box=row, source=before))
        instructions.append(Run(segment=segment, group=0, label="ring probe"))
        runs.append(RunStep(graph=0, buffers=(InputBuffer(tensor=came, box=row),), outputs=((sent, following),)))
    program = Program(node=device, instructions=tuple(instructions))
    return NodePlan(program=program, graphs=(_GRAPH,), steps=tuple(runs))


def _length(size_bytes: int) -> int:
    return size_bytes // _DTYPE.itemsize


def _steps(devices: Sequence[str]) -> int:
    return len(devices) + _STEPS


def _rows(device: str) -> str:
    return f"ring probe {device}"


def _beginning(device: str) -> str:
    return f"ring probe begins {device}"
