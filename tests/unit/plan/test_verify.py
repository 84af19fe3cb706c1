"""A sound program passes; each way of breaking it is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from legion.errors import InternalError
from legion.geometry.demand import Demand
from legion.plan.assign import assign
from legion.plan.lower import lower
from legion.plan.program import Instruction, Program, Receive, Run, Send
from legion.plan.scheme import CONTROLLER
from legion.plan.verify import verify
from support.networks import small

Programs = dict[str, Program]
Change = Callable[[list[Instruction]], object]


@pytest.fixture(params=[True, False], ids=["via controller", "direct"])
def programs(request: pytest.FixtureRequest) -> Programs:
    model = small("vgg16").model
    demand = Demand(model)
    flc = [range(4), range(4, 12), range(12, len(model.layers))]
    return lower(
        model, demand, assign(model, demand, flc, {"a": 0.6, "b": 0.4}, via_controller=request.param, policy="")
    )


def check(programs: Programs) -> None:
    model = small("vgg16").model
    verify(model, Demand(model), programs)


def changed(programs: Programs, node: str, change: Change) -> Programs:
    instructions = list(programs[node].instructions)
    change(instructions)
    return {**programs, node: replace(programs[node], instructions=tuple(instructions))}


def first(instructions: list[Instruction], kind: type[Instruction]) -> int:
    return next(index for index, each in enumerate(instructions) if isinstance(each, kind))


def test_sound_programs_pass(programs: Programs) -> None:
    check(programs)


def test_a_message_never_sent_is_waited_for(programs: Programs) -> None:
    broken = changed(programs, CONTROLLER, lambda each: each.pop(first(each, Send)))
    with pytest.raises(InternalError, match="wait for one another"):
        check(broken)


def test_a_message_never_received_is_noticed(programs: Programs) -> None:
    # Without its Receive the node lacks what it computes with.
    broken = changed(programs, "a", lambda each: each.pop(first(each, Receive)))
    with pytest.raises(InternalError, match="lacks"):
        check(broken)
    # What nobody computes with may still be under way at the end.
    broken = changed(programs, CONTROLLER, lambda each: each.append(each[first(each, Send)]))
    with pytest.raises(InternalError, match="never receives"):
        check(broken)


def test_an_element_that_arrives_twice_is_refused(programs: Programs) -> None:
    def again(instructions: list[Instruction], kind: type[Instruction]) -> None:
        index = first(instructions, kind)
        instructions.insert(index, instructions[index])

    sent_twice = changed(programs, CONTROLLER, lambda each: again(each, Send))
    with pytest.raises(InternalError, match="twice"):
        check(sent_twice)
    # Two messages that differ, and have rows in common.
    send = programs[CONTROLLER].instructions[first(list(programs[CONTROLLER].instructions), Send)]
    assert isinstance(send, Send)
    low, high = send.box.intervals[2]
    fewer = send.box.replace(2, (low, high - 1))
    receive = Receive(tensor=send.tensor, box=fewer, source=CONTROLLER)
    overlapping = changed(programs, CONTROLLER, lambda each: each.insert(0, replace(send, box=fewer)))
    with pytest.raises(InternalError, match=r"receives .* twice"):
        check(changed(overlapping, send.destination, lambda each: each.insert(0, receive)))


def test_use_before_arrival_is_refused(programs: Programs) -> None:
    def run_first(instructions: list[Instruction]) -> None:
        instructions.insert(0, instructions.pop(first(instructions, Run)))

    with pytest.raises(InternalError, match="lacks"):
        check(changed(programs, "a", run_first))


def test_a_run_that_assembles_too_little_is_refused(programs: Programs) -> None:
    def starve(instructions: list[Instruction]) -> None:
        index = first(instructions, Run)
        run = instructions[index]
        assert isinstance(run, Run)
        (tensor, box), *_ = run.segment.inputs.items()
        low, high = box.intervals[2]
        less = {**run.segment.inputs, tensor: box.replace(2, (low, high - 1))}
        instructions[index] = replace(run, segment=replace(run.segment, inputs=less))

    with pytest.raises(InternalError, match="too little"):
        check(changed(programs, "a", starve))


def test_sending_what_is_not_held_is_refused(programs: Programs) -> None:
    def send_first(instructions: list[Instruction]) -> None:
        instructions.insert(0, instructions.pop(first(instructions, Send)))

    with pytest.raises(InternalError, match="lacks"):
        check(changed(programs, "a", send_first))


def test_missing_outputs_are_noticed(programs: Programs) -> None:
    receiver = programs[CONTROLLER].instructions[-1]
    assert isinstance(receiver, Receive)

    def drop_send(instructions: list[Instruction]) -> None:
        instructions.remove(Send(tensor=receiver.tensor, box=receiver.box, destination=CONTROLLER))

    broken = changed(programs, receiver.source, drop_send)
    broken = changed(broken, CONTROLLER, lambda each: each.pop())
    with pytest.raises(InternalError, match="for the caller"):
        check(broken)


def test_a_circular_wait_names_the_nodes() -> None:
    model = small("vgg16").model
    demand = Demand(model)
    flc = [range(1), range(1, 2), range(2, len(model.layers))]
    programs = lower(model, demand, assign(model, demand, flc, {"a": 0.5, "b": 0.5}, via_controller=False, policy=""))

    def receive_before_sending(instructions: list[Instruction]) -> None:
        halo = next(
            index for index, each in enumerate(instructions) if isinstance(each, Receive) and each.source in "ab"
        )
        instructions.insert(first(instructions, Send), instructions.pop(halo))

    broken = changed(changed(programs, "a", receive_before_sending), "b", receive_before_sending)
    with pytest.raises(InternalError, match=r"a for .*b for "):
        check(broken)
