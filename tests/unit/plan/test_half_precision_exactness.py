"""With half precision between layers every plan gives the same answer, bit for bit, and sends half as much."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

from legion.engine.reference import ReferenceEngine
from legion.model.model import Array, Model
from legion.model.onnx_import import halve_messages
from legion.model.zoo import NAMES
from legion.plan.executable import ExecutablePlan
from legion.plan.program import Send
from legion.policy.policies import POLICIES
from legion.session.stages import Planning
from support.interpreter import Interpreter
from support.networks import Network, network_of, small
from support.plans import SCHEMES, drawn_plan, split_plan
from support.profiles import counted_profile

EFFECT = 3e-3
"""What rounding changes, of the largest value; other kernels round some numbers to the other neighbour."""


@cache
def halved(name: str) -> Network:
    return network_of(halve_messages(small(name).content))


@cache
def alone(name: str) -> dict[str, Array]:
    """The answer of one device that runs all layers as one group."""
    network = halved(name)
    plan = split_plan(network.model, {"alone": 1.0}, via_controller=False, cuts=())
    return Interpreter(network.model, plan).run(network.feeds)


def sent_bytes(model: Model, plan: ExecutablePlan) -> dict[int, int]:
    """What travels between layers, by the rank of tensors."""
    inner = model.tensors.keys() - {port.name for port in (*model.inputs, *model.outputs)}
    total: dict[int, int] = {}
    for node in plan.nodes.values():
        for sent in node.program.instructions:
            if isinstance(sent, Send) and sent.tensor in inner:
                rank = len(sent.box.intervals)
                size_bytes = sent.box.volume * np.dtype(model.tensors[sent.tensor].dtype).itemsize
                total[rank] = total.get(rank, 0) + size_bytes
    return total


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(**SCHEMES)
def test_the_answer_does_not_depend_on_the_plan(name: str, **scheme: object) -> None:
    network = halved(name)
    plan = drawn_plan(network.model, **scheme)
    outputs = Interpreter(network.model, plan).run(network.feeds)
    for output, expected in alone(name).items():
        assert np.array_equal(outputs[output], expected)


@pytest.mark.parametrize("policy", POLICIES)
def test_nor_on_the_policy(policy: str) -> None:
    network = halved("resnet18")
    planning = Planning(network.model, counted_profile(network.model, {"a": 1.0, "b": 0.45, "c": 0.7}))
    plan = planning.compile(planning.programs(planning.choose(policy).scheme))
    outputs = Interpreter(network.model, plan).run(network.feeds)
    for output, expected in alone("resnet18").items():
        assert np.array_equal(outputs[output], expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_the_models_but_for_rounding(name: str) -> None:
    exact = small(name)
    assert 0 < exact.error(alone(name)) <= EFFECT
    assert halved(name).error(alone(name)) <= EFFECT


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_without_normalisations_to_fold_it_is_that_of_the_whole_file(name: str) -> None:
    for output, expected in halved(name).expected.items():
        assert np.array_equal(alone(name)[output], expected)


def test_the_reference_engine_rounds_likewise() -> None:
    network = halved("resnet18")
    plan = split_plan(network.model, {"a": 1.0, "b": 0.5}, via_controller=False)
    outputs = Interpreter(network.model, plan, ReferenceEngine()).run(network.feeds)
    assert network.error(outputs) <= EFFECT


@pytest.mark.parametrize("via_controller", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_images_take_half_the_bytes_on_the_wire(name: str, via_controller: bool) -> None:
    shares = {"a": 1.0, "b": 0.6, "c": 0.3}
    exact, half = (
        sent_bytes(network.model, split_plan(network.model, shares, via_controller=via_controller))
        for network in (small(name), halved(name))
    )
    assert exact.keys() == half.keys()
    for rank, size_bytes in exact.items():
        assert half[rank] * (2 if rank > 2 else 1) == size_bytes
    assert max(exact) == 4
