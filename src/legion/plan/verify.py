"""Proof that programs are sound: nothing missing, nothing twice, nothing too early, no circular wait."""

from collections.abc import Mapping

from legion.errors import InternalError
from legion.geometry.box import Box, subtract_all
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.plan.scheme import CONTROLLER

_Message = tuple[str, str, str, Box]
"""Source, destination, tensor and box of what is under way."""


def verify(model: Model, demand: Demand, programs: Mapping[str, Program]) -> None:
    """Run the programs jointly on boxes alone, and raise InternalError at the first flaw.

    Proves that every demanded element is held before its use, that none arrives twice at a node (one that the
    node has computed itself may arrive once too: what goes by way of another node comes back whole), that every
    message sent is received and the other way round, that the programs end in whatever order nodes proceed (sends
    never block), and that the controller ends with all outputs.
    """
    nodes = {name: _Node(model, demand, program) for name, program in programs.items()}
    under_way: set[_Message] = set()
    progress = True
    while progress:
        progress = False
        for node in nodes.values():
            while node.advance(under_way):
                progress = True
    waiting = [f"{name} for {node.current}" for name, node in nodes.items() if node.current is not None]
    if waiting:
        raise InternalError(f"the programs wait for one another: {'; '.join(waiting)}")
    if under_way:
        source, destination, tensor, box = min(under_way, key=repr)
        raise InternalError(f"{source} sends {tensor} {box.intervals} to {destination}, which never receives it")
    for port in model.outputs:
        if port.name in model.tensors:
            nodes[CONTROLLER].require(port.name, Box.whole(port.type.shape), "the caller")


class _Node:
    """One node's place in its program, and the boxes that it holds."""

    def __init__(self, model: Model, demand: Demand, program: Program) -> None:
        self._demand = demand
        self._program = program
        self._next = 0
        self._arrived: dict[str, list[Box]] = {}
        self._held: dict[str, list[Box]] = {}
        if program.node == CONTROLLER:
            self._held = {port.name: [Box.whole(port.type.shape)] for port in model.inputs}

    @property
    def current(self) -> Instruction | None:
        instructions = self._program.instructions
        return instructions[self._next] if self._next < len(instructions) else None

    def advance(self, under_way: set[_Message]) -> bool:
        """Execute the current instruction if it can be; say whether it was."""
        match self.current:
            case Receive() as receive:
                message = (receive.source, self._program.node, receive.tensor, receive.box)
                if message not in under_way:
                    return False
                under_way.remove(message)
                self._accept(receive)
            case Run() as run:
                self._execute(run)
            case Send() as send:
                self.require(send.tensor, send.box, f"a send to {send.destination}")
                message = (self._program.node, send.destination, send.tensor, send.box)
                if message in under_way:
                    raise InternalError(f"{self._program.node} sends {send.tensor} {send.box.intervals} twice")
                under_way.add(message)
            case None:
                return False
        self._next += 1
        return True

    def require(self, tensor: str, box: Box, reader: str) -> None:
        """Raise InternalError unless all of `box` is held."""
        missing = subtract_all(box, self._held.get(tensor, []))
        if missing:
            raise InternalError(f"{self._program.node} lacks {tensor} {missing[0].intervals} for {reader}")

    def _accept(self, receive: Receive) -> None:
        arrived = self._arrived.setdefault(receive.tensor, [])
        if any(receive.box.intersection(box) for box in arrived):
            raise InternalError(f"{self._program.node} receives {receive.tensor} {receive.box.intervals} twice")
        arrived.append(receive.box)
        self._held.setdefault(receive.tensor, []).append(receive.box)

    def _execute(self, run: Run) -> None:
        needed = build_segment(self._demand, run.segment.layers, run.segment.outputs)
        for tensor, box in needed.inputs.items():
            if tensor not in run.segment.inputs or not run.segment.inputs[tensor].contains(box):
                raise InternalError(f"{self._program.node} assembles too little of {tensor} for group {run.group}")
        for tensor, box in run.segment.inputs.items():
            self.require(tensor, box, f"group {run.group}")
        for tensor, box in run.segment.outputs.items():
            self._held.setdefault(tensor, []).append(box)
