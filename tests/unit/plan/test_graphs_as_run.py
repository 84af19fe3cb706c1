"""Graphs are made for the extents at which they run, where they run at the same always."""

from legion.geometry.box import Box
from legion.geometry.local_graph import InputBuffer, LocalGraph, LocalInput
from legion.plan.executable import NodePlan, RunStep
from legion.plan.program import Program

OPEN = LocalGraph(
    opset=18,
    operators=(),
    inputs=(LocalInput(name="x", dtype="float32", dims=(1, 3, None, None)),),
    outputs=("x",),
    constants=(),
)


def step(rows: int, *, padding: tuple[tuple[int, int], ...] = (), dynamic: bool = False) -> RunStep:
    buffer = InputBuffer(tensor="x", box=Box.whole((1, 3, rows, 7)), padding=padding, dynamic=dynamic)
    return RunStep(graph=0, buffers=(buffer,), outputs=())


def made(*steps: RunStep) -> LocalGraph:
    return NodePlan(program=Program(node="a", instructions=()), graphs=(OPEN,), steps=steps).graphs_as_run()[0]


def test_a_graph_that_one_run_has_is_made_for_its_extents() -> None:
    padding = ((0, 0), (0, 0), (1, 0), (0, 0))
    assert made(step(5)).inputs[0].dims == (1, 3, 5, 7)
    assert made(step(5, padding=padding), step(5, padding=padding)).inputs[0].dims == (1, 3, 6, 7)


def test_a_graph_of_differing_runs_stays_open() -> None:
    assert made(step(5), step(6)) == OPEN


def test_a_graph_on_what_depends_on_data_stays_open() -> None:
    assert made(step(5, dynamic=True)) == OPEN
    assert made(step(5), step(5, dynamic=True)) == OPEN
