"""From the nodes' reports of a frame to its measured timeline, on the controller's clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.plan.scheme import CONTROLLER
from legion.plan.timeline import Event, Timeline
from legion.wire.messages import FrameReport, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """A device's clock, read by a message that went at `asked_s` and was answered at `answered_s` here."""

    asked_s: float
    answered_s: float
    clock_s: float

    @property
    def round_trip_s(self) -> float:
        return self.answered_s - self.asked_s

    @property
    def offset_s(self) -> float:
        """What to subtract from the device's clock to get ours, if both ways took equally long."""
        return self.clock_s - (self.asked_s + self.answered_s) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTimes:
    """When a frame began and ended, by the controller's clock."""

    frame: int
    begun_s: float
    ended_s: float


def best_reading(readings: Iterable[ClockReading]) -> ClockReading:
    """The reading of the least round trip: its offset is wrong by half of that at most."""
    return min(readings, key=lambda reading: reading.round_trip_s)


def measured_timeline(
    programs: Mapping[str, Program],
    reports: Mapping[str, FrameReport],
    offsets_s: Mapping[str, float],
    times: FrameTimes,
) -> Timeline:
    """All events of a frame.

    `offsets_s` are subtracted from the nodes' times; a node without one has the controller's clock.
    """
    events = [
        _event(program, record, origin_s=times.begun_s + offsets_s.get(node, 0.0))
        for node, program in programs.items()
        if node in reports
        for record in reports[node].records
    ]
    of_devices = [report for node, report in reports.items() if node != CONTROLLER]
    return Timeline(
        source="measured",
        latency_s=times.ended_s - times.begun_s,
        events=tuple(events),
        overrun_s=max((report.overrun_s for report in of_devices), default=0.0),
        wire_cpu_s=max((report.wire_cpu_s for report in of_devices), default=0.0),
    )


def _event(program: Program, record: Record, origin_s: float) -> Event:
    kind, label, group = _described(program.instructions[record.instruction])
    start_s = max(0.0, record.start_s - origin_s)
    return Event(
        node=program.node,
        instruction=record.instruction,
        kind=kind,
        label=label,
        group=group,
        size_bytes=record.size_bytes,
        start_s=start_s,
        end_s=max(start_s, record.end_s - origin_s),
    )


def _described(instruction: Instruction) -> tuple[Literal["receive", "run", "send"], str, int | None]:
    match instruction:
        case Receive(tensor=tensor, source=source):
            return "receive", f"{tensor} from {source}", None
        case Run(label=label, group=group):
            return "run", label, group
        case Send(tensor=tensor, destination=destination):
            return "send", f"{tensor} to {destination}", None
