"""Measures small messages between all devices at once with the machinery of real frames: each sends to the next."""

from collections.abc import Mapping, Sequence
from statistics import mean

import numpy as np

from legion.geometry.box import Box
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan, messages_alone
from legion.plan.program import Instruction, Receive, Send
from legion.plan.scheme import CONTROLLER
from legion.profile.ring import RingSample
from legion.wire.messages import FrameReport

_STEPS = 12
"""That count, after as many as there are devices: until then those who began first come to wait for the others."""


def ring_plan(devices: Sequence[str], size_bytes: int) -> ExecutablePlan:
    """Each device gets an array, and sends its rows to the next device one by one, each when one has come.

    The controller says when to begin, after it has fed all: whoever began before the last was fed would find no answer,
    and messages that once stand in line go on in line.
    """
    steps = _steps(devices)
    programs: dict[str, list[Instruction]] = {name: [] for name in (CONTROLLER, *devices)}
    for tensors, box in ((_rows, Box.whole((steps, size_bytes))), (_beginning, Box.whole((1,)))):
        for device in devices:
            programs[CONTROLLER].append(Send(tensor=tensors(device), box=box, destination=device))
            programs[device].append(Receive(tensor=tensors(device), box=box, source=CONTROLLER))
    for place, device in enumerate(devices):
        before, after = devices[place - 1], devices[(place + 1) % len(devices)]
        for step in range(steps):
            row = Box(((step, step + 1), (0, size_bytes)))
            programs[device].append(Send(tensor=_rows(device), box=row, destination=after))
            programs[device].append(Receive(tensor=_rows(before), box=row, source=before))
    return messages_alone(programs)


def ring_inputs(devices: Sequence[str], size_bytes: int) -> dict[str, Array]:
    """What the controller sends in the frames of a ring plan."""
    rows = {_rows(device): np.ones((_steps(devices), size_bytes), np.uint8) for device in devices}
    return {**rows, **{_beginning(device): np.ones(1, np.uint8) for device in devices}}


def ring_sample(devices: Sequence[str], size_bytes: int, frames: Sequence[Mapping[str, FrameReport]]) -> RingSample:
    """From frames of a ring plan; each device's steps by its own clock."""
    last = 1 + 2 * _steps(devices)

    def step_s(report: FrameReport) -> float:
        ends_s = {record.instruction: record.end_s for record in report.records}
        return max(0.0, ends_s[last] - ends_s[last - 2 * _STEPS]) / _STEPS

    return RingSample(
        devices=tuple(devices),
        size_bytes=size_bytes,
        seconds=tuple(mean(step_s(reports[device]) for device in devices) for reports in frames),
    )


def _steps(devices: Sequence[str]) -> int:
    return len(devices) + _STEPS


def _rows(device: str) -> str:
    return f"ring probe {device}"


def _beginning(device: str) -> str:
    return f"ring probe begins {device}"
