"""Every policy yields sound programs, whatever the network, the profile and the shares."""

from functools import cache, lru_cache

import numpy as np
import pytest

from legion.cost.fit import cost_model
from legion.errors import InputError
from legion.geometry.demand import Demand
from legion.model.onnx_import.load import load_model
from legion.model.zoo import build
from legion.plan.lower import lower
from legion.plan.program import Receive, Run, Send
from legion.plan.scheme import CONTROLLER
from legion.plan.verify import verify
from legion.policy.base import Request
from legion.policy.policies import POLICIES, policy_named
from legion.simulate.simulate import simulate
from unit.profile.profile_building import random_profile

pytestmark = pytest.mark.usefixtures("short_search")

SIZES = {"vgg16": 64, "vgg19": 64, "resnet18": 64, "resnet50": 64, "mobilenetv2": 64, "yolov2": 96}


@pytest.fixture(scope="module", params=SIZES)
def network(request):
    return request.param


@cache
def imported(network):
    model = load_model(build(network, size=SIZES[network], width=0.25).SerializeToString())
    return model, Demand(model)


@lru_cache(maxsize=8)
def profiled(network, devices, seed):
    """What all policies are asked with."""
    model, demand = imported(network)
    names = tuple(f"d{index}" for index in range(devices))
    profile = random_profile(model, demand, names, seed, training=True)
    return {"model": model, "demand": demand, "cost": cost_model(model, demand, profile, names), "profile": profile}


def a_request(network, devices, seed=0, **extra):
    return Request(**profiled(network, devices, seed), **extra)


def sound_timeline(request, choice):
    programs = lower(request.model, request.demand, choice.scheme)
    verify(request.model, request.demand, programs)
    return programs, simulate(programs, request.model, request.cost)


@pytest.mark.parametrize("devices", [1, 2, 3, 6])
@pytest.mark.parametrize("policy", POLICIES)
def test_programs_are_sound_and_simulate(network, policy, devices):
    request = a_request(network, devices, seed=devices)
    choice = POLICIES[policy].choose(request)
    programs, timeline = sound_timeline(request, choice)
    assert choice.scheme.policy == policy
    assert len(choice.predicted_group_s) == len(choice.scheme.groups)
    assert min(choice.predicted_group_s) >= 0 < max(choice.predicted_group_s)
    assert timeline.latency_s > 0
    assert len(timeline.events) == sum(len(program.instructions) for program in programs.values())
    assert [layer for group in choice.scheme.groups for layer in group.layers] == list(range(len(request.model.layers)))


@pytest.mark.parametrize("policy", POLICIES)
def test_unequal_shares_that_leave_devices_out(network, policy):
    random = np.random.default_rng(7)
    shares = dict(zip(("d0", "d1", "d2", "d3"), (*random.dirichlet([0.5] * 3).tolist(), 0.0), strict=True))
    request = a_request(network, 5, shares=shares)
    choice = POLICIES[policy].choose(request)
    programs, _ = sound_timeline(request, choice)
    assert choice.shares == shares
    assert not [step for step in programs["d3"].instructions if isinstance(step, Run)]
    assert "d4" not in programs


def test_of_the_published_policies_only_coedge_lets_peers_talk(network):
    request = a_request(network, 3)
    for name, policy in POLICIES.items():
        if name == "auto":
            continue  # it may, where that pays
        programs, _ = sound_timeline(request, policy.choose(request))
        partners = {
            step.source if isinstance(step, Receive) else step.destination
            for node, program in programs.items()
            if node != CONTROLLER
            for step in program.instructions
            if isinstance(step, Receive | Send)
        }
        assert CONTROLLER in partners
        assert (partners == {CONTROLLER}) == (name != "coedge")


@pytest.mark.parametrize("policy", ["modnn", "coedge"])
def test_nothing_is_computed_twice_without_fusing(network, policy):
    request = a_request(network, 3)
    choice = POLICIES[policy].choose(request)
    programs = lower(request.model, request.demand, choice.scheme)
    computed = dict.fromkeys(choice.scheme.owners, 0)
    for program in programs.values():
        for step in program.instructions:
            if isinstance(step, Run):
                for tensor, box in step.segment.boxes.items():
                    computed[tensor] += box.volume
    assert computed == {tensor: int(np.prod(request.model.tensors[tensor].shape)) for tensor in computed}


def test_one_device_runs_all_layers_as_one_group(network):
    request = a_request(network, 1)
    choice = POLICIES["legion"].choose(request)
    assert [(group.layers[0], group.layers[-1]) for group in choice.scheme.groups] == [
        (0, len(request.model.layers) - 1)
    ]
    assert choice.wild_card is None


def test_policies_are_found_by_name():
    assert policy_named("legion").name == "legion"
    with pytest.raises(InputError, match=", ".join(POLICIES)):
        policy_named("magic")


@pytest.mark.parametrize("shares", [{"d9": 1.0}, {"d0": -0.1, "d1": 1.0}, {"d0": 0.0}, {"d0": float("nan")}, {}])
def test_impossible_shares_are_refused(network, shares):
    with pytest.raises(InputError, match="hares"):
        POLICIES["modnn"].choose(a_request(network, 2, shares=shares))
