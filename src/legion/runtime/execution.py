"""Which instructions of a node's program may run, as its tensors arrive: no I/O, no clock, no threads."""

from dataclasses import dataclass

from legion.geometry.box import Box
from legion.model.model import Array
from legion.plan.program import Program, Receive
from legion.wire.messages import TensorHeader

_Key = tuple[str, str, Box]
"""Source, tensor and box: what tells the messages of one frame apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What met a Receive, and when it arrived by the node's clock."""

    instruction: int
    array: Array
    arrived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Instructions `first` to `last` (excluded) of a frame, to be executed in order without waiting.

    `deliveries` has one entry for each Receive among them. `ends_frame` says that they are the last.
    """

    frame: int
    first: int
    last: int
    deliveries: tuple[Delivery, ...]
    ends_frame: bool


class Execution:
    """One node's way through its program, frame after frame.

    Frames run strictly in order. Tensors of the next ones may come early, as far as `frames_in_flight`
    allows; what comes twice, late, or for nothing is dropped and counted.
    """

    def __init__(self, program: Program, frames_in_flight: int) -> None:
        self._instructions = program.instructions
        self._receives: dict[_Key, int] = {
            (each.source, each.tensor, each.box): index
            for index, each in enumerate(program.instructions)
            if isinstance(each, Receive)
        }
        self._frames_in_flight = frames_in_flight
        self._frame = 0
        self._next = 0
        self._begun = -1
        self._waiting: dict[int, dict[int, Delivery]] = {}
        self.dropped = 0

    @property
    def frame(self) -> int:
        """The frame that is being executed, or will be next."""
        return self._frame

    @property
    def awaited(self) -> Receive | None:
        """The Receive that holds up the current frame."""
        if self._next < len(self._instructions):
            instruction = self._instructions[self._next]
            return instruction if isinstance(instruction, Receive) else None
        return None

    def begin(self, frame: int) -> list[Batch]:
        """Let a frame run as far as it needs no tensors; one that may not be in flight yet is none."""
        if frame < self._frame + self._frames_in_flight:
            self._begun = max(self._begun, frame)
        return self._advance()

    def deliver(self, header: TensorHeader, array: Array, arrived_s: float) -> list[Batch]:
        """A tensor arrived; what may run now."""
        instruction = self._receives.get((header.source, header.tensor, header.box))
        if instruction is None or not self._is_due(header.frame, instruction):
            self.dropped += 1
            return []
        delivery = Delivery(instruction=instruction, array=array, arrived_s=arrived_s)
        self._waiting.setdefault(header.frame, {})[instruction] = delivery
        return self._advance()

    def abandon(self, frame: int) -> list[Batch]:
        """Forget this frame and all before it; what may run of the next."""
        if frame >= self._frame:
            self._frame = frame + 1
            self._next = 0
            for old in [each for each in self._waiting if each <= frame]:
                del self._waiting[old]
        return self._advance()

    def _is_due(self, frame: int, instruction: int) -> bool:
        if frame == self._frame and instruction < self._next:
            return False
        in_flight = self._frame <= frame < self._frame + self._frames_in_flight
        return in_flight and instruction not in self._waiting.get(frame, ())

    def _advance(self) -> list[Batch]:
        batches: list[Batch] = []
        while (batch := self._next_batch()) is not None:
            batches.append(batch)
        return batches

    def _next_batch(self) -> Batch | None:
        """The instructions of the current frame up to the first Receive that is not met."""
        if self._begun < self._frame and not self._waiting.get(self._frame) and self._next == 0:
            return None
        waiting = self._waiting.get(self._frame, {})
        frame, first, deliveries = self._frame, self._next, list[Delivery]()
        while self._next < len(self._instructions):
            if isinstance(self._instructions[self._next], Receive):
                delivery = waiting.pop(self._next, None)
                if delivery is None:
                    break
                deliveries.append(delivery)
            self._next += 1
        last = self._next
        ends_frame = last == len(self._instructions)
        if last == first:
            return None
        if ends_frame:
            self._waiting.pop(frame, None)
            self._frame, self._next = frame + 1, 0
        return Batch(frame=frame, first=first, last=last, deliveries=tuple(deliveries), ends_frame=ends_frame)
