"""The first group in parts: the same answer, and nobody waits for another's second part."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.plan.assign import assign
from legion.plan.compile import compile_plan
from legion.plan.fed_in_parts import fed_in_parts
from legion.plan.lower import lower
from legion.plan.program import Program, Run, Send
from legion.plan.scheme import CONTROLLER, Scheme
from legion.plan.verify import verify
from support.interpreter import Interpreter
from support.networks import small

TOLERANCE = 1e-5
SHARES = {"a": 0.5, "b": 0.3, "c": 0.2}


def in_parts(name: str, layers: int, count: int) -> tuple[Scheme, dict[str, Program]]:
    model = small(name).model
    demand = Demand(model)
    flc = [range(layers), *([layer] for layer in range(layers, len(model.layers)))]
    scheme = assign(model, demand, flc, SHARES, via_controller=False, policy="test")
    scheme = fed_in_parts(demand, scheme, count)
    programs = lower(model, demand, scheme)
    verify(model, demand, programs)
    return scheme, programs


@settings(max_examples=20)
@given(
    name=st.sampled_from(["vgg16", "yolov2", "resnet18", "mobilenetv2"]),
    layers=st.integers(1, 8),
    count=st.integers(1, 9),
)
def test_the_answer_is_the_same(name: str, layers: int, count: int) -> None:
    network = small(name)
    _, programs = in_parts(name, layers, count)
    plan = compile_plan(network.model, programs, ConstantPool(network.model))
    assert network.error(Interpreter(network.model, plan).run(network.feeds)) <= TOLERANCE


def test_all_devices_are_fed_for_their_first_parts_before_any_is_for_its_second() -> None:
    _, programs = in_parts("vgg16", layers=3, count=3)
    fed = [each.destination for each in programs[CONTROLLER].instructions if isinstance(each, Send)]
    assert fed == ["a", "b", "c"] * 3


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_parts_are_as_many_as_asked_for_or_as_rows(count: int) -> None:
    scheme, programs = in_parts("vgg16", layers=3, count=count)
    [owned] = [boxes for tensor, boxes in scheme.owners.items() if tensor in scheme.groups[0].runs["a"][0]]
    for device, boxes in owned.items():
        rows = [high - low for low, high in (box.intervals[2] for box in boxes)]
        assert len(rows) == min(count, sum(rows))
        assert max(rows) - min(rows) <= 1
        first = [each for each in programs[device].instructions if isinstance(each, Run) and each.group == 0]
        assert len(first) == len(rows)


def test_a_group_that_several_tensors_leave_stays_whole() -> None:
    """The sum of a residual block reads what the block's first layer reads."""
    scheme, _ = in_parts("resnet18", layers=3, count=4)
    assert all(len(runs) == 1 for runs in scheme.groups[0].runs.values())
