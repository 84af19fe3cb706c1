"""Measures a link with the machinery of real frames: a plan in which a device sends back what it gets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np

from legion.geometry.box import Box
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan, messages_alone
from legion.plan.program import Instruction, Receive, Send
from legion.plan.scheme import CONTROLLER
from legion.profile.samples import LinkSample
from legion.wire.messages import FrameReport, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkProbe:
    """What was measured of the way to a device and back: see `DeviceProfile`, where all of it goes."""

    samples: tuple[LinkSample, ...]
    round_trip_s: float
    handling_s: float
    controller_handling_s: float


def link_plan(device: str, sizes_bytes: Sequence[int]) -> ExecutablePlan:
    """For each size in turn: the controller sends as many bytes, and the device sends them back.

    In descending order none finds spent what its port lets pass at once: a larger message took it, and the port has
    idled since, while that one came back or this one went out.
    """
    forth: list[Instruction] = []
    back: list[Instruction] = []
    for index, size_bytes in enumerate(sizes_bytes):
        tensor, box = _tensor(index), Box.whole((size_bytes,))
        forth.append(Send(tensor=tensor, box=box, destination=device))
        forth.append(Receive(tensor=tensor, box=box, source=device))
        back.append(Receive(tensor=tensor, box=box, source=CONTROLLER))
        back.append(Send(tensor=tensor, box=box, destination=CONTROLLER))
    return messages_alone({CONTROLLER: forth, device: back})


def link_inputs(sizes_bytes: Sequence[int]) -> dict[str, Array]:
    """What the controller sends in the frames of a link plan."""
    return {_tensor(index): np.ones(size_bytes, np.uint8) for index, size_bytes in enumerate(sizes_bytes)}


def link_samples(
    device: str, sizes_bytes: Sequence[int], frames: Sequence[Mapping[str, FrameReport]], offset_s: float
) -> tuple[LinkSample, ...]:
    """From frames of a link plan, by the device's clock offset: from entering the port to the arrival."""
    directions: tuple[tuple[Literal["set", "get"], str, str, int, float], ...] = (
        ("set", CONTROLLER, device, 0, offset_s),
        ("get", device, CONTROLLER, 1, -offset_s),
    )

    def seconds(sender: str, receiver: str, instruction: int, ahead_s: float) -> Iterator[float]:
        """How long a transfer took in each frame; `ahead_s` is the receiver's clock before the sender's."""
        for reports in frames:
            sent, arrived = _record(reports[sender], instruction), _record(reports[receiver], instruction)
            yield max(0.0, arrived.end_s - sent.start_s - ahead_s)

    return tuple(
        LinkSample(
            direction=direction,
            size_bytes=size_bytes,
            seconds=tuple(seconds(sender, receiver, 2 * index + step, ahead_s)),
        )
        for direction, sender, receiver, step, ahead_s in directions
        for index, size_bytes in enumerate(sizes_bytes)
    )


def handling_s(device: str, sizes: int, frames: Sequence[Mapping[str, FrameReport]]) -> tuple[float, float]:
    """What handling a message takes: from the arrival of one until that which follows from it enters the port.

    On the device, which answers the last of as many `sizes`, and on the controller, which sends it; medians over the
    frames. Taking one in and handing one over are both in it.
    """
    last = 2 * sizes - 1
    on_device = [_between_s(frame[device], last - 1, last) for frame in frames]
    on_controller = [_between_s(frame[CONTROLLER], last - 2, last - 1) for frame in frames]
    return max(0.0, median(on_device)), max(0.0, median(on_controller))


def _between_s(report: FrameReport, first: int, second: int) -> float:
    return _record(report, second).start_s - _record(report, first).end_s


def _record(report: FrameReport, instruction: int) -> Record:
    return next(record for record in report.records if record.instruction == instruction)


def _tensor(index: int) -> str:
    return f"link probe {index}"
