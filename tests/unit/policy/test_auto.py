"""What the planner's policy promises: exact answers, never slower than one device, no device that makes it slower."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from onnx import TensorProto, helper

from legion.errors import InfeasibleError, InputError
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.model.zoo import NAMES
from legion.plan.memory import check_memory, required_bytes
from legion.plan.program import Run
from legion.plan.scheme import CONTROLLER, Scheme
from legion.policy.base import Choice, Trial
from legion.profile.samples import Profile
from legion.session.stages import Planning
from support.interpreter import Interpreter
from support.networks import Network, small
from support.profiles import counted_profile

pytestmark = pytest.mark.usefixtures("short_search")

TOLERANCE = 1e-5
SLOW = 0.004
"""Of the speed at which small networks are not worth a message."""


def slow_devices(count: int, seed: int) -> dict[str, float]:
    drawn = np.random.default_rng(seed).uniform(0.2 * SLOW, SLOW, count)
    return {f"d{index}": float(speed) for index, speed in enumerate(drawn)}


def planned(network: Network, speeds: dict[str, float]) -> tuple[Planning, Choice, float]:
    planning = Planning(network.model, counted_profile(network.model, speeds))
    choice = planning.choose("auto")
    return planning, choice, planning.predict(planning.programs(choice.scheme)).latency_s


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [4])
def test_plans_that_split_are_exact(name: str, count: int) -> None:
    network = small(name)
    planning, choice, _ = planned(network, slow_devices(count, seed=count))
    programs = planning.programs(choice.scheme)
    working = [node for node, program in programs.items() if any(isinstance(s, Run) for s in program.instructions)]
    assert len(working) > 1
    plan = planning.compile(programs)
    assert network.error(Interpreter(network.model, plan).run(network.feeds)) <= TOLERANCE


@pytest.mark.parametrize("name", ["vgg16", "yolov2", "resnet18", "mobilenetv2"])
def test_no_device_more_makes_it_slower(name: str) -> None:
    speeds = slow_devices(5, seed=len(name))
    latencies_s = [planned(small(name), dict(list(speeds.items())[:count]))[2] for count in range(1, 6)]
    for fewer_s, more_s in pairwise(latencies_s):
        assert more_s <= 1.03 * fewer_s


@pytest.mark.parametrize("name", NAMES)
def test_fast_devices_on_slow_links_leave_it_to_the_fastest(name: str) -> None:
    planning, choice, latency_s = planned(small(name), {"a": 40.0, "b": 50.0})
    programs = planning.programs(choice.scheme)
    assert [step for step in programs["a"].instructions if isinstance(step, Run)] == []
    last = [step for step in programs["b"].instructions if isinstance(step, Run)][-1]
    assert len([step for step in programs["b"].instructions if isinstance(step, Run) and step.group == last.group]) == 1
    assert last.group <= 1
    assert {step.destination for step in programs["b"].instructions if hasattr(step, "destination")} == {CONTROLLER}
    assert choice.bound_s is not None
    assert choice.bound_s <= latency_s


def test_a_model_that_computes_nothing_is_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["shape"], ["y"])],
        "idle",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor("shape", TensorProto.INT64, (2,), (1, 4))],
    )
    model = load_model(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]))
    with pytest.raises(InputError, match="idle computes nothing"):
        Planning(model, counted_profile(model, {"a": 1.0}))


def test_dense_layers_are_split_by_features_where_that_pays() -> None:
    network = small("vgg16")
    _, choice, _ = planned(network, dict.fromkeys("abcd", SLOW / 10))
    dense = [index for index, layer in enumerate(network.model.layers) if layer.name == "gemm1"]
    group = next(group for group in choice.scheme.groups if dense[0] in group.layers)
    assert len(group.runs) > 1


def with_memory(profile: Profile, memory_bytes: Mapping[str, int]) -> Profile:
    devices = {
        name: replace(each, device=replace(each.device, memory_bytes=memory_bytes[name]))
        for name, each in profile.devices.items()
    }
    return Profile(devices=devices)


def fitting_trial(planning: Planning, memory_bytes: int) -> Trial:
    """Devices that take as long as is predicted, and refuse what does not fit."""

    def run(_: Model, scheme: Scheme) -> float:
        programs = planning.programs(scheme)
        check_memory(planning.model, planning.compile(programs), dict.fromkeys(planning.devices, memory_bytes))
        return planning.predict(programs).latency_s

    return run


@pytest.mark.parametrize("name", ["vgg16", "resnet18"])
@pytest.mark.parametrize("tries", [False, True])
def test_devices_that_cannot_hold_the_network_alone_hold_it_together(name: str, tries: bool) -> None:
    """Devices so fast, on such links, that one of them is the fastest if memory does not count."""
    network = small(name)
    profile = counted_profile(network.model, {"a": 4.0, "b": 5.0, "c": 4.5})
    planning = Planning(network.model, profile)
    alone = planning.compile(planning.programs(planning.choose("auto").scheme))
    assert [name for name, node in alone.nodes.items() if node.graphs] == ["b"]
    memory_bytes = int(0.75 * required_bytes(network.model, alone.nodes["b"]))
    tight = Planning(network.model, with_memory(profile, dict.fromkeys("abc", memory_bytes)))
    choice = tight.choose("auto", trial=fitting_trial(tight, memory_bytes) if tries else None)
    plan = tight.compile(tight.programs(choice.scheme))
    check_memory(network.model, plan, dict.fromkeys("abc", memory_bytes))
    assert network.error(Interpreter(network.model, plan).run(network.feeds)) <= TOLERANCE


def test_a_network_that_fits_in_no_way_is_refused_with_the_numbers() -> None:
    network = small("vgg16")
    profile = with_memory(counted_profile(network.model, {"a": 1.0, "b": 1.0}), dict.fromkeys("ab", 100_000))
    planning = Planning(network.model, profile)
    with pytest.raises(InfeasibleError, match=r"no plan .* fits .* needs .* MB .* has 0 MB"):
        planning.choose("auto")


def test_a_device_that_can_just_hold_the_network_is_not_passed_over() -> None:
    """The search leaves a margin, and the last word has none."""
    network = small("vgg16")
    profile = counted_profile(network.model, {"a": 50.0, "b": 1.0})
    planning = Planning(network.model, profile)
    alone = planning.compile(planning.programs(planning.choose("auto").scheme))
    needed = required_bytes(network.model, alone.nodes["a"])
    tight = Planning(network.model, with_memory(profile, {"a": needed, "b": 1 << 32}))
    choice = tight.choose("auto")
    assert tight.compile(tight.programs(choice.scheme)).nodes["b"].graphs == ()
