"""Between a node's plan and its form on the wire."""

from collections.abc import Iterator

from legion.errors import PeerError
from legion.plan.executable import NodePlan
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.wire.messages import WirePlan

_LETTERS = {Receive: "c", Run: "r", Send: "s"}


def to_wire(plan: NodePlan) -> WirePlan:
    """The plan with one list per kind of instruction."""
    instructions = plan.program.instructions
    return WirePlan(
        node=plan.program.node,
        order="".join(_LETTERS[type(instruction)] for instruction in instructions),
        receives=tuple(each for each in instructions if isinstance(each, Receive)),
        runs=tuple(each for each in instructions if isinstance(each, Run)),
        sends=tuple(each for each in instructions if isinstance(each, Send)),
        graphs=plan.graphs,
        steps=plan.steps,
    )


def from_wire(plan: WirePlan) -> NodePlan:
    """The plan with its instructions in order again.

    Raises PeerError when the parts do not fit together.
    """
    if len(plan.steps) != len(plan.runs) or any(not 0 <= step.graph < len(plan.graphs) for step in plan.steps):
        raise PeerError("a plan came whose runs do not match its graphs; install it again")
    program = Program(node=plan.node, instructions=tuple(_instructions(plan)))
    return NodePlan(program=program, graphs=plan.graphs, steps=plan.steps)


def _instructions(plan: WirePlan) -> Iterator[Instruction]:
    kinds: dict[str, tuple[Instruction, ...]] = {"c": plan.receives, "r": plan.runs, "s": plan.sends}
    if sorted(plan.order) != sorted(letter for letter, of_kind in kinds.items() for _ in of_kind):
        raise PeerError("a plan came whose instructions are not all in its order; install it again")
    remaining = {letter: iter(of_kind) for letter, of_kind in kinds.items()}
    return (next(remaining[letter]) for letter in plan.order)
