"""Slots and recipes against plain NumPy on the whole tensor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.errors import InputError, InternalError
from legion.geometry.box import Box
from legion.geometry.local_graph import InputBuffer, LocalGraph
from legion.geometry.segment import Segment
from legion.plan.executable import NodePlan, RunStep
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.runtime.frame_plan import controller_frame_plan, device_frame_plan
from legion.runtime.tensors import FrameTensors

SHAPE = (2, 6, 5)
WHOLE = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
RUN = Run(segment=Segment(layers=(0,), inputs={}, outputs={}, boxes={}), group=0, label="a")
EMPTY = LocalGraph(opset=18, operators=(), inputs=(), outputs=(), constants=())


def node(instructions: list[Instruction], steps: list[RunStep]) -> NodePlan:
    return NodePlan(program=Program(node="n", instructions=tuple(instructions)), graphs=(EMPTY,), steps=tuple(steps))


def part(box: Box) -> np.ndarray:
    return WHOLE[box.relative_to(Box.whole(SHAPE))]


def intervals(extent: int) -> st.SearchStrategy[tuple[int, int]]:
    ends = st.lists(st.integers(0, extent), min_size=2, max_size=2, unique=True)
    return ends.map(lambda pair: (min(pair), max(pair)))


def boxes() -> st.SearchStrategy[Box]:
    return st.tuples(*(intervals(extent) for extent in SHAPE)).map(Box)


@st.composite
def covers(draw: st.DrawFn) -> list[Box]:
    """Boxes that cover the tensor, cut at random, with some that overlap them."""
    pieces = [Box.whole(SHAPE)]
    for axis in draw(st.lists(st.integers(0, 2), max_size=3)):
        index = draw(st.integers(0, len(pieces) - 1))
        low, high = pieces[index].intervals[axis]
        if high - low > 1:
            at = draw(st.integers(low + 1, high - 1))
            piece = pieces.pop(index)
            pieces += [piece.replace(axis, (low, at)), piece.replace(axis, (at, high))]
    pieces += draw(st.lists(boxes(), max_size=2))
    return draw(st.permutations(pieces))


@given(
    pieces=covers(),
    wanted=boxes(),
    padding=st.just(()) | st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 3),
    fill=st.sampled_from([0.0, -np.inf]),
)
def test_buffers_and_sends_hold_what_they_should(
    pieces: list[Box], wanted: Box, padding: tuple[tuple[int, int], ...], fill: float
) -> None:
    instructions: list[Instruction] = [Receive(tensor="t", box=box, source="a") for box in pieces]
    instructions += [RUN, Send(tensor="t", box=wanted, destination="b")]
    buffer = InputBuffer(tensor="t", box=wanted, padding=padding, fill=fill)
    plan = device_frame_plan(node(instructions, [RunStep(graph=0, buffers=(buffer,), outputs=())]))
    tensors = FrameTensors(plan.slots)
    made = []
    for step, box in zip(plan.steps, [*pieces, None, None], strict=True):
        if box is not None:
            tensors.fill(step.fills[0], part(box).copy())
        made += [tensors.make(recipe) for recipe in step.reads]
        tensors.free(step.frees)
    expected = np.pad(part(wanted), padding or ((0, 0),) * 3, constant_values=fill)
    assert np.array_equal(made[0], expected)
    assert np.array_equal(made[1], part(wanted))
    assert all(array.flags.c_contiguous for array in made)
    freed = [slot for step in plan.steps for slot in step.frees]
    assert sorted(freed) == list(range(plan.slots))


def test_one_piece_is_handed_on_without_a_copy() -> None:
    box = Box.whole(SHAPE)
    plan = device_frame_plan(
        node([Receive(tensor="t", box=box, source="a"), Send(tensor="t", box=box, destination="b")], [])
    )
    tensors = FrameTensors(plan.slots)
    held = WHOLE.copy()
    tensors.fill(0, held)
    assert np.shares_memory(tensors.make(plan.steps[1].reads[0]), held)


def test_a_dynamic_tensor_is_handed_on_whatever_its_shape() -> None:
    box = Box.whole((1, 1))
    buffer = InputBuffer(tensor="t", box=box, dynamic=True)
    plan = device_frame_plan(
        node([Receive(tensor="t", box=box, source="a"), RUN], [RunStep(graph=0, buffers=(buffer,), outputs=())])
    )
    tensors = FrameTensors(plan.slots)
    held = np.ones((7, 3))
    tensors.fill(0, held)
    assert tensors.make(plan.steps[1].reads[0]) is held


def test_what_is_not_held_cannot_be_read() -> None:
    with pytest.raises(InternalError, match="does not hold t"):
        device_frame_plan(node([Send(tensor="t", box=Box.whole(SHAPE), destination="b")], []))


def test_a_piece_of_another_shape_is_found_out() -> None:
    top, bottom = Box(((0, 2), (0, 3), (0, 5))), Box(((0, 2), (3, 6), (0, 5)))
    plan = device_frame_plan(
        node(
            [
                *(Receive(tensor="t", box=box, source="a") for box in (top, bottom)),
                Send(tensor="t", box=Box.whole(SHAPE), destination="b"),
            ],
            [],
        )
    )
    tensors = FrameTensors(plan.slots)
    tensors.fill(0, part(top))
    tensors.fill(1, part(bottom)[:, :2])
    with pytest.raises(InternalError, match="shape"):
        tensors.make(plan.steps[2].reads[0])


def test_the_controllers_tensors() -> None:
    top, bottom = Box(((0, 2), (0, 3), (0, 5))), Box(((0, 2), (3, 6), (0, 5)))
    instructions: list[Instruction] = [
        Send(tensor="input", box=bottom, destination="a"),
        Receive(tensor="inner", box=top, source="a"),
        Send(tensor="inner", box=top, destination="b"),
        Receive(tensor="output", box=bottom, source="b"),
        Receive(tensor="output", box=top, source="a"),
    ]
    plan = controller_frame_plan(node(instructions, []), None)
    assert plan.given.keys() == {"input"}
    assert plan.results.keys() == {"output"}
    tensors = FrameTensors(plan.slots)
    tensors.fill(plan.given["input"], WHOLE)
    assert np.array_equal(tensors.make(plan.steps[0].reads[0]), part(bottom))
    tensors.fill(plan.steps[3].fills[0], part(bottom))
    tensors.fill(plan.steps[4].fills[0], part(top))
    tensors.free(plan.steps[4].frees)
    assert np.array_equal(tensors.make(plan.results["output"]), WHOLE)
    assert controller_frame_plan(node(instructions, []), ["inner"]).results.keys() == {"inner"}
    with pytest.raises(InputError, match="does not bring 'input'; it brings inner, output"):
        controller_frame_plan(node(instructions, []), ["input"])
