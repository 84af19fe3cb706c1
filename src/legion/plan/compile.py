"""From programs to an executable plan: each Run made a local graph, its inputs and its constants."""

from collections.abc import Mapping

from legion.geometry.constant_pool import ConstantPool
from legion.geometry.local_graph import LocalGraph
from legion.geometry.localize import localize
from legion.model.model import Model
from legion.plan.executable import ExecutablePlan, NodePlan, RunStep
from legion.plan.program import Program, Run


def compile_plan(model: Model, programs: Mapping[str, Program], constants: ConstantPool) -> ExecutablePlan:
    """Everything that the nodes need, and the bytes of the constants that their boxes use."""
    nodes = {name: _node_plan(model, program, constants) for name, program in programs.items()}
    used = {
        constant.digest
        for plan in nodes.values()
        for graph in plan.graphs
        for constant in graph.constants
        if constant.digest is not None
    }
    return ExecutablePlan(nodes=nodes, constants={digest: constants.arrays[digest] for digest in used})


def _node_plan(model: Model, program: Program, constants: ConstantPool) -> NodePlan:
    graphs: list[LocalGraph] = []
    steps: list[RunStep] = []
    for instruction in program.instructions:
        if not isinstance(instruction, Run):
            continue
        local = localize(model, instruction.segment, constants)
        if local.graph not in graphs:
            graphs.append(local.graph)
        steps.append(RunStep(graph=graphs.index(local.graph), buffers=local.buffers, outputs=local.outputs))
    return NodePlan(program=program, graphs=tuple(graphs), steps=tuple(steps))
