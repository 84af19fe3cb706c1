"""What each device does until the last run of a frame is over: running, handing over, and waiting, and for what."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.geometry.box import Box
from legion.plan.program import Program, Receive, Run, Send
from legion.plan.timeline import Timeline


@dataclass(slots=True, kw_only=True)
class NodeTimes:
    """Seconds of one device; see `legion.report.breakdown.Breakdown` for what they mean."""

    runs_s: float = 0.0
    messages_s: float = 0.0
    feeding_s: float = 0.0
    halos_s: float = 0.0
    imbalance_s: float = 0.0


class Frame:
    """One timeline beside the programs that it is of. No time in it is taken to be later than its latency."""

    def __init__(self, programs: Mapping[str, Program], inputs: frozenset[str], timeline: Timeline) -> None:
        """`inputs` are the model's."""
        self._programs = programs
        self._inputs = inputs
        self._events = {(event.node, event.instruction): event for event in timeline.events}
        self._sends: dict[tuple[str, str, str, Box], int] = {
            (name, step.destination, step.tensor, step.box): index
            for name, program in programs.items()
            for index, step in enumerate(program.instructions)
            if isinstance(step, Send)
        }
        ends_s = (event.end_s for event in timeline.events if event.kind == "run")
        self.last_run_s = min(timeline.latency_s, max(ends_s, default=0.0))

    def times(self, device: str) -> NodeTimes:
        """Each moment until the last run of all is in one of the parts."""
        times = NodeTimes()
        instructions = self._programs[device].instructions
        runs = [index for index, step in enumerate(instructions) if isinstance(step, Run)]
        now_s = 0.0
        for index, step in enumerate(instructions[: max(runs, default=-1) + 1]):
            event = self._events.get((device, index))
            if event is None or isinstance(step, Send):
                continue
            start_s, end_s = (min(max(now_s, time_s), self.last_run_s) for time_s in (event.start_s, event.end_s))
            times.messages_s += start_s - now_s
            if isinstance(step, Run):
                times.runs_s += end_s - start_s
            else:
                self._add_wait(times, device, step, (start_s, end_s))
            now_s = end_s
        times.imbalance_s += self.last_run_s - now_s
        return times

    def _add_wait(self, times: NodeTimes, device: str, receive: Receive, wait_s: tuple[float, float]) -> None:
        start_s, end_s = wait_s
        if receive.tensor in self._inputs:
            times.feeding_s += end_s - start_s
            return
        made_s = min(max(start_s, self._made_s(receive.source, self._sent(device, receive))), end_s)
        times.imbalance_s += made_s - start_s
        times.halos_s += end_s - made_s

    def _made_s(self, node: str, sent: int) -> float:
        """When what a node sends by this instruction had been computed, and all else that had to reach it before."""
        passed_on_s = 0.0
        for index in range(sent - 1, -1, -1):
            match self._programs[node].instructions[index]:
                case Run():
                    event = self._events.get((node, index))
                    return max(passed_on_s, event.end_s if event else 0.0)
                case Receive() as receive if receive.tensor not in self._inputs:
                    passed_on_s = max(passed_on_s, self._made_s(receive.source, self._sent(node, receive)))
                case _:
                    """Sends never wait, and being fed is no one's computing."""
        return passed_on_s

    def _sent(self, node: str, receive: Receive) -> int:
        """The place of the Send, in its source's program, that a Receive waits for."""
        return self._sends[receive.source, node, receive.tensor, receive.box]
