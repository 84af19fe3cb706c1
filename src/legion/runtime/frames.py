"""The frames of an installed plan, as the controller runs them: its own part on the caller's thread."""

import queue
from collections.abc import Callable, Mapping, Sequence, Set

from legion.engine.pacer import Pacer
from legion.errors import InputError, PeerError
from legion.model.model import Array
from legion.plan.executable import ExecutablePlan
from legion.plan.program import Receive
from legion.plan.scheme import CONTROLLER
from legion.runtime.controller_events import (
    AbandonRun,
    BeginFrame,
    ExecuteBatch,
    NodeReported,
    OwnFrameDone,
    RunFailed,
    UsePlan,
)
from legion.runtime.faults import as_legion_error
from legion.runtime.frame_meter import FrameMeter
from legion.runtime.frame_plan import controller_frame_plan
from legion.runtime.interpreter import FrameLog, Interpreter, PreparedPlan
from legion.runtime.measured import FrameTimes
from legion.runtime.sender import Sender
from legion.runtime.switchboard import FrameEvent, Switchboard
from legion.wire.messages import FrameReport

FRAMES_IN_FLIGHT = 2
"""A device may still be sending its last tensors of a frame when the first ones of the next arrive."""


class Frames:
    """Runs one installed plan, frame after frame. `take` is called by the receiving thread, the rest by one other."""

    def __init__(
        self,
        plan: int,
        executable: ExecutablePlan,
        switchboard: Switchboard,
        sender: Sender,
        clock: Callable[[], float],
    ) -> None:
        self.plan = plan
        self.executable = executable
        self._last: FrameTimes | None = None
        self._switchboard = switchboard
        self._sender = sender
        self._clock = clock
        self._meter = FrameMeter()
        self._interpreters: dict[tuple[str, ...] | None, Interpreter] = {}
        self._next_frame = 0
        self._inbox: queue.SimpleQueue[FrameEvent] = queue.SimpleQueue()
        self._reports: dict[int, dict[str, FrameReport]] = {}
        self._reporters = {name for name, node in executable.nodes.items() if node.program.instructions}

    def use(self) -> None:
        """Make the switchboard take part in these frames."""
        programs = {name: node.program for name, node in self.executable.nodes.items()}
        devices = tuple(name for name in programs if name != CONTROLLER)
        starting = tuple(
            name
            for name in devices
            if programs[name].instructions and not isinstance(programs[name].instructions[0], Receive)
        )
        self._switchboard.post(
            UsePlan(
                plan=self.plan,
                program=programs[CONTROLLER],
                devices=devices,
                self_starting=starting,
                frames_in_flight=FRAMES_IN_FLIGHT,
            )
        )

    def take(self, event: FrameEvent) -> None:
        """Called by the receiving thread: something happened to a frame."""
        self._inbox.put(event)

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None, timeout_s: float) -> dict[str, Array]:
        """Run one frame to its end.

        Raises InputError for a missing input or an unknown output, PeerError when a device fails or
        the frame takes longer than `timeout_s`, and whatever a device raised in running it.
        """
        interpreter = self._interpreter(outputs)
        self._free_a_place(timeout_s)
        interpreter.begin(self._next_frame, inputs)
        begun_s = self._clock()
        frame, self._next_frame = self._next_frame, self._next_frame + 1
        try:
            self._reports[frame] = {}
            self._switchboard.post(BeginFrame(frame=frame))
            self._execute(interpreter, frame, begun_s + timeout_s)
            results = interpreter.results()
            self._last = FrameTimes(frame=frame, begun_s=begun_s, ended_s=self._clock())
            # The caller may change its inputs as soon as this returns, so that what was sent must be out.
            self._await_reports(frame, {CONTROLLER}, timeout_s)
        except BaseException:
            interpreter.abandon(frame)
            self._switchboard.post(AbandonRun(frame=frame))
            self._forget_reports()
            raise
        return results

    @property
    def last_times(self) -> FrameTimes:
        """When the last frame ran; InputError if it did not run to its end, or there was none."""
        if self._last is None:
            raise InputError("no frame has run to its end; run one first")
        return self._last

    def last_reports(self, timeout_s: float) -> dict[str, FrameReport]:
        """All nodes' reports of the last frame.

        Raises InputError if it did not run to its end, or there was none, PeerError when a report does not come, and
        whatever a device met after the caller's part was done.
        """
        frame = self.last_times.frame
        self._await_reports(frame, self._reporters, timeout_s)
        return dict(self._reports[frame])

    def _interpreter(self, outputs: Sequence[str] | None) -> Interpreter:
        key = None if outputs is None else tuple(outputs)
        if key not in self._interpreters:
            frame_plan = controller_frame_plan(self.executable.nodes[CONTROLLER], outputs)
            prepared = PreparedPlan(
                plan=self.plan,
                node=CONTROLLER,
                frame_plan=frame_plan,
                executables=(),
                port_s_per_byte=self.executable.feeding_s_per_byte,
            )
            pacer = Pacer(clock=self._clock)
            self._interpreters[key] = Interpreter(
                prepared, self._sender, self._own_part_done, self._own_part_lost, pacer
            )
        return self._interpreters[key]

    def _own_part_done(self, log: FrameLog) -> None:
        self._switchboard.post(OwnFrameDone(report=self._meter.report(self.plan, log)))

    def _own_part_lost(self, frame: int, error: Exception) -> None:
        self._inbox.put(RunFailed(frame=frame, error=as_legion_error(error)))

    def _execute(self, interpreter: Interpreter, frame: int, deadline_s: float) -> None:
        while True:
            match self._next_event(deadline_s):
                case None:
                    missing = ", ".join(sorted(self._reporters - {CONTROLLER} - self._reports[frame].keys()))
                    raise PeerError(f"no answer in time; {missing or 'the network'} did not finish the frame")
                case ExecuteBatch(batch=batch) if batch.frame == frame:
                    interpreter.execute(batch)
                    if batch.ends_frame:
                        return
                case _:
                    """A report, or left over from a frame that was given up."""

    def _free_a_place(self, timeout_s: float) -> None:
        """Wait until there is room for another frame in flight, and forget the frames before the last of those."""
        oldest = self._next_frame - FRAMES_IN_FLIGHT
        self._await_reports(oldest, self._reporters, timeout_s)
        self._reports = {frame: reports for frame, reports in self._reports.items() if frame >= oldest}

    def _forget_reports(self) -> None:
        """Wait for no report of the frames so far: a device that failed owes those of earlier frames for ever."""
        self._last = None
        self._reports.clear()

    def _await_reports(self, frame: int, nodes: Set[str], timeout_s: float) -> None:
        """Wait for these nodes' reports of a frame, unless it was given up. All frames are, if that fails."""
        deadline_s = self._clock() + timeout_s
        try:
            while frame in self._reports and (missing := nodes - self._reports[frame].keys()):
                if self._next_event(deadline_s) is None:
                    raise PeerError(f"no answer in time; {', '.join(sorted(missing))} did not report the frame's end")
        except BaseException:
            self._forget_reports()
            raise

    def _next_event(self, deadline_s: float) -> FrameEvent | None:
        """What has happened next, None if nothing has by then. Of frames that were not given up reports are noted, and
        failures raised.

        The queue is the only thing that both threads hold: a Ctrl-C may come at any moment, but not within it.
        """
        try:
            event = self._inbox.get(timeout=max(0.0, deadline_s - self._clock()))
        except queue.Empty:
            return None
        if isinstance(event, NodeReported) and event.report.plan == self.plan and event.report.frame in self._reports:
            self._reports[event.report.frame][event.node] = event.report
        if isinstance(event, RunFailed) and event.frame in self._reports:
            raise event.error
        return event
