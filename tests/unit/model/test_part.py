"""Parts of a model are models: run one after another they give the whole's answer, on the same boxes."""

from itertools import pairwise

import pytest

from legion.geometry.demand import Demand
from legion.model.part import part_of
from legion.plan.assign import assign
from support.interpreter import Interpreter
from support.networks import small
from support.plans import split_plan

SHARES = {"a": 0.5, "b": 0.2, "c": 0.3}


@pytest.mark.parametrize(("name", "cuts"), [("vgg16", (3, 7, 8)), ("resnet18", (2, 5, 11)), ("yolov2", (9, 20, 26))])
def test_parts_one_after_another_are_the_whole(name: str, cuts: tuple[int, ...]) -> None:
    network = small(name)
    tensors = dict(network.feeds)
    for first, end in pairwise((0, *cuts, len(network.model.layers))):
        part = part_of(network.model, first, end)
        plan = split_plan(part, SHARES, via_controller=True, cuts=())
        tensors |= Interpreter(part, plan).run({port.name: tensors[port.name] for port in part.inputs})
    assert network.error({name: tensors[name] for name in network.expected}) <= 1e-5


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "yolov2", "mobilenetv2"])
def test_a_part_is_shared_out_as_the_group_in_the_whole(name: str) -> None:
    model = small(name).model
    count = len(model.layers)
    for first in range(0, count, 5):
        for end in range(first + 1, count + 1, 6):
            flc = [range(first), range(first, end), range(end, count)]
            whole = assign(
                model, Demand(model), [layers for layers in flc if layers], SHARES, via_controller=True, policy=""
            )
            part = part_of(model, first, end)
            alone = assign(part, Demand(part), [range(end - first)], SHARES, via_controller=True, policy="")
            assert alone.groups[0].runs == whole.groups[1 if first else 0].runs
            assert alone.owners == {tensor: whole.owners[tensor] for tensor in alone.owners}


def test_all_layers_are_the_model_itself_and_other_parts_have_names_of_their_own() -> None:
    model = small("vgg16").model
    assert part_of(model, 0, len(model.layers)) is model
    digests = {part_of(model, first, last + 1).digest for last in range(5) for first in range(last + 1)}
    assert len(digests) == 15
