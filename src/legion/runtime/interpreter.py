"""Follows a program: assembles, runs and sends what a batch says, and keeps a record of when."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from legion.engine.base import Executable
from legion.engine.pacer import Pacer
from legion.errors import InputError, InternalError
from legion.model.model import Array
from legion.plan.program import Receive, Run, Send
from legion.runtime.execution import Batch, Delivery
from legion.runtime.frame_plan import FramePlan, Step
from legion.runtime.sender import Outgoing, Sender
from legion.runtime.tensors import FrameTensors
from legion.wire.codec import TensorEncoder
from legion.wire.messages import Record, TensorHeader


@dataclass(slots=True)
class FrameLog:
    """What one frame took on this node: records in the order of execution, and counts of tensor messages."""

    frame: int
    records: list[Record] = field(default_factory=list[Record])
    compute_cpu_s: float = 0.0
    overrun_s: float = 0.0
    sent_messages: int = 0
    sent_bytes: int = 0
    sent_late_s: float = 0.0
    received_messages: int = 0
    received_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPlan:
    """All that executing takes: the plan's id, whose part it is, and the graphs made runnable.

    Each byte of a tensor fills the port for `port_s_per_byte`, or, without it, until they have left.
    """

    plan: int
    node: str
    frame_plan: FramePlan
    executables: Sequence[Executable]
    port_s_per_byte: float | None = None


class Interpreter:
    """Executes the batches of one installed plan, on one thread.

    `finished` is called, on the sender's thread, when a frame has ended and all it sent is out or lost, and `lost`, on
    one of the sender's, with a frame of which something could not be sent, and why. Assembling, running and encoding
    are slowed down by `pacer`, whose clock must be the sender's.
    `abandon` alone may be called from other threads.
    """

    def __init__(
        self,
        prepared: PreparedPlan,
        sender: Sender,
        finished: Callable[[FrameLog], None],
        lost: Callable[[int, Exception], None],
        pacer: Pacer,
    ) -> None:
        self._prepared = prepared
        self._frame_plan = prepared.frame_plan
        self._sender = sender
        self._finished = finished
        self._lost = lost
        self._pacer = pacer
        self._abandoned = -1
        self._tensors = FrameTensors(prepared.frame_plan.slots)
        self._log = FrameLog(-1)
        self._reached_s = pacer.now_s()
        self._encoders: dict[int, TensorEncoder] = {}

    @property
    def plan(self) -> int:
        """The id of the installed plan."""
        return self._prepared.plan

    def abandon(self, frame: int) -> None:
        """Stop what is done for this frame and all before it."""
        self._abandoned = max(self._abandoned, frame)

    def begin(self, frame: int, given: Mapping[str, Array]) -> None:
        """Start a frame whose given tensors are these.

        Raises InputError when one is missing.
        """
        self._start(frame)
        for name, slot in self._frame_plan.given.items():
            if name not in given:
                raise InputError(
                    f"input {name!r} is missing; the model's inputs are {', '.join(self._frame_plan.given)}"
                )
            self._tensors.fill(slot, given[name])

    def execute(self, batch: Batch) -> None:
        """Do what the batch says, unless its frame is abandoned.

        Raises what the engine raises, and InternalError when pieces do not have the planned shapes.
        """
        cpu_s, overrun_s = time.thread_time(), self._pacer.overrun_s
        if batch.frame != self._log.frame:
            self._start(batch.frame)
        deliveries = iter(batch.deliveries)
        for index in range(batch.first, batch.last):
            if batch.frame <= self._abandoned:
                return
            step = self._frame_plan.steps[index]
            match step.instruction:
                case Receive():
                    self._receive(index, step, next(deliveries))
                case Run():
                    self._run(index, step)
                case Send() as send:
                    self._send(index, step, send)
            self._tensors.free(step.frees)
        self._log.compute_cpu_s += time.thread_time() - cpu_s
        self._log.overrun_s += self._pacer.overrun_s - overrun_s
        if batch.ends_frame:
            log = self._log
            self._sender.then(lambda: self._finished(log), self._pacer.now_s(), lambda: log.frame <= self._abandoned)

    def results(self) -> dict[str, Array]:
        """The caller's tensors, whole and the caller's to change, once the frame has ended; they are let go here."""
        made = {name: self._tensors.make(recipe) for name, recipe in self._frame_plan.results.items()}
        self._tensors = FrameTensors(self._frame_plan.slots)
        return {name: np.require(array, requirements="W") for name, array in made.items()}

    def _start(self, frame: int) -> None:
        if self._log.frame <= self._abandoned:
            self._pacer.abandon()
        self._tensors = FrameTensors(self._frame_plan.slots)
        self._log = FrameLog(frame)

    def _receive(self, index: int, step: Step, delivery: Delivery) -> None:
        self._tensors.fill(step.fills[0], delivery.array)
        self._pacer.received(delivery.arrived_s)
        log = self._log
        log.records.append(Record(index, self._reached_s, delivery.arrived_s, delivery.array.nbytes))
        log.received_messages += 1
        log.received_bytes += delivery.array.nbytes
        self._reached_s = max(self._reached_s, delivery.arrived_s)

    def _run(self, index: int, step: Step) -> None:
        if step.run is None:
            raise InternalError(f"instruction {index} runs nothing; compile the plan again")
        start_s = self._pacer.now_s()
        with self._pacer.computing():
            inputs = [self._tensors.make(recipe) for recipe in step.reads]
            outputs = self._prepared.executables[step.run.graph].run(inputs)
        for slot, output in zip(step.fills, outputs, strict=True):
            self._tensors.fill(slot, output)
        self._reached_s = self._pacer.now_s()
        self._log.records.append(Record(index, start_s, self._reached_s, sum(array.nbytes for array in inputs)))

    def _send(self, index: int, step: Step, send: Send) -> None:
        log = self._log
        with self._pacer.handing_over():
            array = self._tensors.make(step.reads[0])
            encoder = self._encoders.get(index)
            if encoder is None or not encoder.fits(array):
                encoder = self._encoders[index] = self._encoder(send, array)
            frames = encoder.encode(log.frame, array)

        self._reached_s = self._pacer.now_s()
        pace = self._prepared.port_s_per_byte

        def sent(start_s: float, end_s: float, late_s: float) -> None:
            log.records.append(Record(index, start_s, end_s, array.nbytes))
            log.sent_messages += 1
            log.sent_bytes += array.nbytes + len(frames[0])
            log.sent_late_s += late_s

        self._sender.send(
            Outgoing(
                peer=send.destination,
                frames=frames,
                cancelled=lambda: log.frame <= self._abandoned,
                sent=sent,
                failed=lambda error: self._lost(log.frame, error),
                due_s=self._reached_s,
                fills_s=None if pace is None else pace * array.nbytes,
            )
        )

    def _encoder(self, send: Send, array: Array) -> TensorEncoder:
        """What all frames' messages of this Send have in common, as long as its arrays are like this one."""
        header = TensorHeader(
            plan=self.plan,
            source=self._prepared.node,
            tensor=send.tensor,
            box=send.box,
            dtype=array.dtype.name,
            shape=array.shape,
            frame=0,
        )
        return TensorEncoder(header)
