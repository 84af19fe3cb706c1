"""Programs run on a cost model: a clock without devices."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from heapq import heappop, heappush
from typing import Protocol

import numpy as np

from legion.cost.link_cost import Link
from legion.errors import InternalError
from legion.geometry.box import Box
from legion.geometry.segment import Segment
from legion.model.model import Model
from legion.plan.program import Program, Receive, Run, Send
from legion.plan.scheme import CONTROLLER
from legion.plan.timeline import Event, Timeline
from legion.simulate.network import Message, MessageKey, Network


class Costs(Protocol):
    """What the simulator asks of a cost model, in seconds."""

    def run_s(self, device: str, segment: Segment) -> float:
        """Running all layers of the segment on their boxes."""
        ...

    def copy_s(self, node: str, size_bytes: int) -> float:
        """Copying within the node's memory, to assemble an input or to encode a message."""
        ...

    def message_s(self, node: str) -> float:
        """Handing one message over, whatever its size."""
        ...

    def link(self, source: str, destination: str) -> Link:
        """The way from one node to another."""
        ...


def simulate(programs: Mapping[str, Program], model: Model, costs: Costs) -> Timeline:
    """One frame of the programs, event by event.

    Each node executes its list in order on one compute thread. A Receive waits for the arrival. A Run copies what it
    does not hold in one piece, then takes its time. A Send copies likewise, then joins the node's queue for its port.
    Ports are filled by one message at a time each way (see `Network`); latency, and handling at the other end, delay
    the arrival alone. Raises InternalError naming the nodes where the programs wait for one another.
    """
    return _Simulation(programs, model, costs).timeline()


class _Node:
    """One program's progress, the messages that are there, and the boxes that are held in one piece."""

    def __init__(self, program: Program, model: Model) -> None:
        self.name = program.node
        self.instructions = program.instructions
        self.next = 0
        self.reached_s = 0.0
        self.waits_for: MessageKey | None = None
        self.arrived: set[MessageKey] = set()
        self.pieces: set[tuple[str, Box]] = set()
        if program.node == CONTROLLER:
            self.pieces = {(port.name, Box.whole(port.type.shape)) for port in model.inputs}

    def advance(self, now_s: float) -> None:
        """The current instruction is over, and the next is reached."""
        self.next += 1
        self.reached_s = now_s


class _Simulation:
    def __init__(self, programs: Mapping[str, Program], model: Model, costs: Costs) -> None:
        self._model = model
        self._costs = costs
        self._item_bytes = {tensor: np.dtype(kind.dtype).itemsize for tensor, kind in model.tensors.items()}
        self._network = Network()
        self._nodes = {name: _Node(program, model) for name, program in programs.items()}
        self._events: dict[tuple[str, int], Event] = {}
        self._agenda: list[tuple[float, int, Callable[[float], None]]] = []
        self._entries = 0

    def timeline(self) -> Timeline:
        for node in self._nodes.values():
            self._at(0.0, partial(self._proceed, node))
        while self._agenda:
            now_s, _, action = heappop(self._agenda)
            action(now_s)
        self._check_finished()
        ends = {name: node.reached_s for name, node in self._nodes.items()}
        return Timeline(
            source="predicted",
            latency_s=ends[CONTROLLER] if CONTROLLER in ends else max(ends.values(), default=0.0),
            events=tuple(
                self._events[name, index]
                for name, node in self._nodes.items()
                for index in range(len(node.instructions))
            ),
        )

    def _at(self, time_s: float, action: Callable[[float], None]) -> None:
        """Enter an action; those of the same time are taken in the order of their entry."""
        heappush(self._agenda, (time_s, self._entries, action))
        self._entries += 1

    def _proceed(self, node: _Node, now_s: float) -> None:
        """Execute instructions until one takes time or has to wait."""
        while node.next < len(node.instructions):
            match node.instructions[node.next]:
                case Receive() as receive:
                    if not self._receive(node, receive, now_s):
                        return
                case Run() as run:
                    self._run(node, run, now_s)
                    return
                case Send() as send:
                    busy_s = self._costs.message_s(node.name) + self._copy_s(node, send.tensor, send.box)
                    self._at(now_s + busy_s, partial(self._hand_over, node, send))
                    return

    def _receive(self, node: _Node, receive: Receive, now_s: float) -> bool:
        key = (receive.source, node.name, receive.tensor, receive.box)
        if key not in node.arrived:
            node.waits_for = key
            return False
        node.waits_for = None
        node.pieces.add((receive.tensor, receive.box))
        self._record(
            Event(
                node=node.name,
                instruction=node.next,
                group=None,
                kind="receive",
                label=f"{receive.tensor} from {receive.source}",
                size_bytes=self._bytes(receive.tensor, receive.box),
                start_s=node.reached_s,
                end_s=now_s,
            )
        )
        node.advance(now_s)
        return True

    def _run(self, node: _Node, run: Run, now_s: float) -> None:
        segment = run.segment
        assembling_s = sum(self._copy_s(node, tensor, box) for tensor, box in segment.inputs.items())
        end_s = now_s + assembling_s + self._costs.run_s(node.name, segment)
        self._record(
            Event(
                node=node.name,
                instruction=node.next,
                kind="run",
                label=run.label,
                group=run.group,
                size_bytes=sum(self._bytes(tensor, box) for tensor, box in segment.inputs.items()),
                start_s=now_s,
                end_s=end_s,
            )
        )
        node.pieces.update(segment.outputs.items())
        node.advance(end_s)
        self._at(end_s, partial(self._proceed, node))

    def _hand_over(self, node: _Node, send: Send, now_s: float) -> None:
        message = Message(
            source=node.name,
            destination=send.destination,
            tensor=send.tensor,
            box=send.box,
            instruction=node.next,
            size_bytes=self._bytes(send.tensor, send.box),
            link=self._costs.link(node.name, send.destination),
        )
        self._enter(self._network.hand_over(message), now_s)
        node.advance(now_s)
        self._proceed(node, now_s)

    def _enter(self, messages: Iterable[Message], now_s: float) -> None:
        """These messages enter the wire now."""
        for message in messages:
            passage = self._network.passage(message, now_s)
            self._record(
                Event(
                    node=message.source,
                    instruction=message.instruction,
                    group=None,
                    kind="send",
                    label=f"{message.tensor} to {message.destination}",
                    size_bytes=message.size_bytes,
                    start_s=now_s,
                    end_s=passage.through_s,
                )
            )
            self._at(passage.in_s, partial(self._free, self._network.free_inward, message))
            self._at(passage.out_s, partial(self._free, self._network.free_outward, message))
            taken_in_s = self._costs.message_s(message.destination)
            self._at(passage.through_s + message.link.latency_s + taken_in_s, partial(self._arrive, message))

    def _free(self, port: Callable[[Message], list[Message]], message: Message, now_s: float) -> None:
        self._enter(port(message), now_s)

    def _arrive(self, message: Message, now_s: float) -> None:
        node = self._nodes[message.destination]
        node.arrived.add(message.key)
        if node.waits_for == message.key:
            self._proceed(node, now_s)

    def _record(self, event: Event) -> None:
        self._events[event.node, event.instruction] = event

    def _check_finished(self) -> None:
        stuck = [
            f"{name} for {node.waits_for[2]} {node.waits_for[3].intervals} from {node.waits_for[0]}"
            for name, node in self._nodes.items()
            if node.waits_for is not None
        ]
        if stuck:
            raise InternalError(f"the programs wait for what never comes: {'; '.join(stuck)}")

    def _copy_s(self, node: _Node, tensor: str, box: Box) -> float:
        """Copying a box that the node does not hold in one piece."""
        return 0.0 if (tensor, box) in node.pieces else self._costs.copy_s(node.name, self._bytes(tensor, box))

    def _bytes(self, tensor: str, box: Box) -> int:
        return box.volume * self._item_bytes[tensor]
