"""Whatever the order of arrivals: each instruction once, in order, as early as its tensors allow."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from legion.geometry.box import Box
from legion.geometry.segment import Segment
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.runtime.execution import Batch, Execution
from legion.wire.messages import TensorHeader

BOX = Box(((0, 1),))
ARRAY = np.zeros(1, np.float32)
RUN = Run(segment=Segment(layers=(0,), inputs={}, outputs={}, boxes={}), group=0, label="a")
SEND = Send(tensor="out", box=BOX, destination="b")
IN_FLIGHT = 2


def program(letters: str) -> Program:
    """c, r and s for Receive, Run and Send; each Receive has a tensor of its own."""
    kinds: dict[str, Instruction] = {"r": RUN, "s": SEND}
    instructions = tuple(
        kinds.get(letter) or Receive(tensor=f"t{index}", box=BOX, source="a") for index, letter in enumerate(letters)
    )
    return Program(node="n", instructions=instructions)


def header(frame: int, instruction: int) -> TensorHeader:
    return TensorHeader(1, "a", f"t{instruction}", BOX, "float32", (1,), frame)


def receives(letters: str) -> list[int]:
    return [index for index, letter in enumerate(letters) if letter == "c"]


def deliver(execution: Execution, frame: int, instruction: int) -> list[Batch]:
    return execution.deliver(header(frame, instruction), ARRAY, float(instruction))


@given(letters=st.text("crs", min_size=1, max_size=10).filter(lambda each: "c" in each), data=st.data())
def test_any_order_of_arrivals(letters: str, data: st.DataObject) -> None:
    execution = Execution(program(letters), IN_FLIGHT)
    self_starting = letters[0] != "c"
    done: list[tuple[int, int]] = []
    for first in (0, IN_FLIGHT):
        frames = range(first, first + IN_FLIGHT)
        arrived: set[tuple[int, int]] = set()
        batches = execution.begin(frames[-1]) if self_starting else []
        for frame, instruction in data.draw(st.permutations([(f, i) for f in frames for i in receives(letters)])):
            for batch in batches:
                done += [(batch.frame, index) for index in range(batch.first, batch.last)]
            batches = deliver(execution, frame, instruction)
            arrived.add((frame, instruction))
            for batch in batches:
                inside = [index for index in range(batch.first, batch.last) if letters[index] == "c"]
                assert [each.instruction for each in batch.deliveries] == inside
                assert all((batch.frame, index) in arrived for index in inside)
                assert batch.ends_frame == (batch.last == len(letters))
        for batch in batches:
            done += [(batch.frame, index) for index in range(batch.first, batch.last)]
    assert done == [(frame, index) for frame in range(2 * IN_FLIGHT) for index in range(len(letters))]
    assert execution.dropped == 0


def test_consecutive_instructions_come_together() -> None:
    execution = Execution(program("crscrs"), IN_FLIGHT)
    assert deliver(execution, 0, 3) == []
    (batch,) = deliver(execution, 0, 0)
    assert (batch.first, batch.last, batch.ends_frame) == (0, 6, True)


def test_what_belongs_to_nothing_is_dropped_and_counted() -> None:
    execution = Execution(program("cc"), IN_FLIGHT)
    deliver(execution, 0, 0)
    for frame, instruction in ((0, 0), (IN_FLIGHT, 0), (0, 7)):
        assert deliver(execution, frame, instruction) == []
    assert execution.dropped == 3
    deliver(execution, 1, 1)
    assert deliver(execution, 1, 1) == []
    deliver(execution, 0, 1)
    assert deliver(execution, 0, 1) == []
    assert execution.dropped == 5


def test_frames_that_may_not_be_in_flight_do_not_begin() -> None:
    """Or a program that awaits nothing would run for ever."""
    execution = Execution(program("rs"), IN_FLIGHT)
    assert execution.begin(2**60) == []
    assert [batch.frame for batch in execution.begin(IN_FLIGHT - 1)] == list(range(IN_FLIGHT))


def test_an_abandoned_frame_makes_way_for_the_next() -> None:
    execution = Execution(program("ccs"), IN_FLIGHT)
    deliver(execution, 0, 0)
    deliver(execution, 1, 0)
    deliver(execution, 1, 1)
    (batch,) = execution.abandon(0)
    assert (batch.frame, batch.first, batch.last) == (1, 0, 3)
    assert deliver(execution, 0, 1) == []
    assert execution.dropped == 1
    assert execution.abandon(0) == []


def test_an_abandoned_frame_that_never_began() -> None:
    execution = Execution(program("rs"), IN_FLIGHT)
    assert execution.abandon(0) == []
    assert execution.begin(0) == []
    (batch,) = execution.begin(1)
    assert batch.frame == 1
