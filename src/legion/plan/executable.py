"""Programs with everything that a node needs to run them: local graphs and input buffers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from legion.geometry.box import Box
from legion.geometry.local_graph import InputBuffer, LocalGraph
from legion.model.model import Array
from legion.plan.program import Instruction, Program


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """What the k-th Run of a program executes: a graph (by index), its inputs, and its outputs.

    `buffers` stand in the order of the graph's inputs, `outputs` in that of its outputs.
    """

    graph: int
    buffers: tuple[InputBuffer, ...]
    outputs: tuple[tuple[str, Box], ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...] | None:
        """Those of the inputs; None where one depends on data."""
        dynamic = any(buffer.dynamic for buffer in self.buffers)
        return None if dynamic else tuple(buffer.shape for buffer in self.buffers)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """One node's part of a plan: self-contained, ready for the wire."""

    program: Program
    graphs: tuple[LocalGraph, ...]
    steps: tuple[RunStep, ...]

    def graphs_as_run(self) -> tuple[LocalGraph, ...]:
        """The graphs; one that always runs on inputs of the same shapes is made for these alone."""
        return tuple(
            graph.made_for(step.shapes for step in self.steps if step.graph == index)
            for index, graph in enumerate(self.graphs)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutablePlan:
    """All nodes' parts, the controller's among them, and the constants' bytes by digest.

    So long after each byte of a tensor the controller may send the next one, to another device; without
    `feeding_s_per_byte` a tensor has left before the next, as at the devices.
    """

    nodes: Mapping[str, NodePlan]
    constants: Mapping[str, Array]
    feeding_s_per_byte: float | None = None


def messages_alone(
    programs: Mapping[str, Sequence[Instruction]], feeding_s_per_byte: float | None = None
) -> ExecutablePlan:
    """A plan of nodes that send and receive, and run nothing; their instructions by name."""
    nodes = {
        name: NodePlan(program=Program(node=name, instructions=tuple(instructions)), graphs=(), steps=())
        for name, instructions in programs.items()
    }
    return ExecutablePlan(nodes=nodes, constants={}, feeding_s_per_byte=feeding_s_per_byte)
