"""Measures the controller's port with the machinery of real frames: messages of all devices, in turn and at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from legion.geometry.box import Box
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan, messages_alone
from legion.plan.program import Instruction, Receive, Send
from legion.plan.scheme import CONTROLLER
from legion.plan.timeline import Event, Timeline
from legion.profile.ports import PortSample

Way = Literal["set", "get"]

_WORD_BYTES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transfer:
    """A message to a device, or from it back again."""

    way: Way
    device: str
    tensor: str
    size_bytes: int


def port_plan(devices: Sequence[str], size_bytes: int) -> ExecutablePlan:
    """A message to each device and back, then to all at once, and, when all have it, back from all at once.

    The controller waits for none of its messages to leave.
    """
    programs: dict[str, list[Instruction]] = {name: [] for name in (CONTROLLER, *devices)}
    for each in _transfers(devices, size_bytes):
        box = Box.whole((each.size_bytes,))
        sender, receiver = (CONTROLLER, each.device) if each.way == "set" else (each.device, CONTROLLER)
        programs[sender].append(Send(tensor=each.tensor, box=box, destination=receiver))
        programs[receiver].append(Receive(tensor=each.tensor, box=box, source=sender))
    return messages_alone(programs, feeding_s_per_byte=0.0)


def port_inputs(devices: Sequence[str], size_bytes: int) -> dict[str, Array]:
    """What the controller sends in the frames of a port plan."""
    return {each.tensor: np.ones(each.size_bytes, np.uint8) for each in _transfers(devices, size_bytes)}


def port_samples(
    devices: Sequence[str], size_bytes: int, timelines: Sequence[Timeline]
) -> tuple[PortSample, PortSample]:
    """From frames of a port plan: the way there, and the way back."""
    transfers = tuple(_transfers(devices, size_bytes))
    frames = [_by_instruction(timeline) for timeline in timelines]

    def spans(way: Way, what: str) -> list[dict[str, tuple[float, float]]]:
        """When each device's transfer began and ended, by frame."""
        named = {_named(what, device) for device in devices}
        meant = [each for each in transfers if each.way == way and each.tensor in named]
        return [{each.device: _span(frame, transfers, each) for each in meant} for frame in frames]

    def sample(way: Way) -> PortSample:
        alone, together = spans(way, "alone"), spans(way, "together")
        begun_s = [min(start_s for start_s, _ in frame.values()) for frame in together]
        return PortSample(
            direction=way,
            size_bytes=size_bytes,
            alone_s={each: tuple(_seconds(*frame[each]) for frame in alone) for each in devices},
            together_s={
                each: tuple(_seconds(start_s, frame[each][1]) for start_s, frame in zip(begun_s, together, strict=True))
                for each in devices
            },
        )

    return sample("set"), sample("get")


def _transfers(devices: Sequence[str], size_bytes: int) -> Iterator[_Transfer]:
    """All transfers, in the order in which the controller takes part in them.

    All devices hear that they may send back when all have said that they are there.
    """
    ways: tuple[Way, ...] = ("set", "get")
    for device in devices:
        yield from (
            _Transfer(way=way, device=device, tensor=_named("alone", device), size_bytes=size_bytes) for way in ways
        )
    steps: tuple[tuple[Way, str, int], ...] = (
        ("set", "together", size_bytes),
        ("set", "there", _WORD_BYTES),
        ("get", "there", _WORD_BYTES),
        ("set", "begin", _WORD_BYTES),
        ("get", "together", size_bytes),
    )
    for way, what, step_bytes in steps:
        for device in devices:
            yield _Transfer(way=way, device=device, tensor=_named(what, device), size_bytes=step_bytes)


def _span(
    frame: dict[tuple[str, int], Event], transfers: Sequence[_Transfer], transfer: _Transfer
) -> tuple[float, float]:
    """When it entered the sender's port, and when it had arrived."""
    at_controller = frame[CONTROLLER, transfers.index(transfer)]
    own = [each for each in transfers if each.device == transfer.device]
    at_device = frame[transfer.device, own.index(transfer)]
    sent, arrived = (at_controller, at_device) if transfer.way == "set" else (at_device, at_controller)
    return sent.start_s, arrived.end_s


def _seconds(start_s: float, end_s: float) -> float:
    """From one to the other, which two clocks told that are not quite the same."""
    return max(0.0, end_s - start_s)


def _by_instruction(timeline: Timeline) -> dict[tuple[str, int], Event]:
    return {(event.node, event.instruction): event for event in timeline.events}


def _named(what: str, device: str) -> str:
    return f"port probe {what} {device}"
