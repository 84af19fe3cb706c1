"""AOFL: its groups, its shares, and its dynamic programme against brute force."""

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from legion.cost.by_share import group_times
from legion.cost.fit import cost_model
from legion.cost.learned import learned_cost_model
from legion.cost.shares import whole_model_s
from legion.errors import InputError
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.plan.compile import compile_plan
from legion.plan.lower import lower
from legion.plan.verify import verify
from legion.policy.aofl import AoflPolicy
from legion.policy.aofl_groups import aofl_groups
from legion.policy.base import Request
from legion.search.equal_finish import equal_finish_shares
from support.interpreter import Interpreter
from support.networks import small
from support.profiles import counted_profile, fast_links
from unit.cost.cost_building import chain_model, residual_model
from unit.profile.profile_building import random_profile

SPEEDS = {"slow": 0.4, "fast": 1.0, "middle": 0.6}


def a_request(model, profile, **extra):
    demand = Demand(model)
    cost = cost_model(model, demand, profile, tuple(profile.devices))
    return Request(model=model, demand=demand, cost=cost, profile=profile, **extra)


def group_seconds(times, place, devices):
    """One group on these devices, the fastest first, by the definition."""
    if len(devices) == 1 or not times.divisible[place]:
        return times.alone_s[devices[0], place]
    affines = [(a.fixed_s[devices, place], a.per_share_s[devices, place]) for a in (times.transfer, times.run)]
    (transfer_fixed, transfer_slope), (run_fixed, run_slope) = affines
    shares = equal_finish_shares(transfer_fixed + run_fixed, transfer_slope + run_slope)
    if np.count_nonzero(shares) == 1:
        return times.alone_s[devices[int(np.argmax(shares))], place]
    transfers = [f + s * p for f, s, p in zip(transfer_fixed, transfer_slope, shares, strict=True) if p > 0]
    runs = [f + s * p for f, s, p in zip(run_fixed, run_slope, shares, strict=True) if p > 0]
    return sum(transfers) + max(runs)


@pytest.mark.parametrize("build", [chain_model, residual_model])
@pytest.mark.parametrize("factor", [1, 400, 1000, 10_000])
def test_equals_brute_force_over_partitions_and_counts(build, factor):
    model = build()
    request = a_request(model, fast_links(counted_profile(model, SPEEDS), factor))
    choice = AoflPolicy().choose(request)
    cost = learned_cost_model(model, request.demand, request.profile, request.cost.devices)
    groups = aofl_groups(model)
    times = group_times(model, request.demand, cost, groups)
    order = sorted(range(3), key=lambda device: whole_model_s(cost, cost.devices[device]))
    count = len(model.layers)
    totals = [float(group_times(model, request.demand, cost, [(0, count - 1)]).alone_s[order[0], 0])]
    for devices in (order[:2], order[:3]):
        seconds = {(first, last + 1): group_seconds(times, k, devices) for k, (first, last) in enumerate(groups)}
        for size in range(count):
            for cuts in combinations(range(1, count), size):
                partition = tuple(pairwise((0, *cuts, count)))
                if all(group in seconds for group in partition):
                    totals.append(sum(seconds[group] for group in partition))
    assert sum(choice.predicted_group_s) == pytest.approx(min(totals))
    assert (len(choice.scheme.devices) > 1) == (factor > 1)


@pytest.mark.parametrize("name", ["vgg16", "yolov2", "resnet18", "mobilenetv2"])
def test_groups_with_shares_of_their_own_are_exact(name):
    network = small(name)
    request = a_request(network.model, fast_links(counted_profile(network.model, SPEEDS), 100))
    choice = AoflPolicy().choose(request)
    assert set(choice.scheme.devices) == set(SPEEDS)
    assert len({tuple(shares.values()) for shares in choice.group_shares}) > 1
    programs = lower(network.model, request.demand, choice.scheme)
    verify(network.model, request.demand, programs)
    plan = compile_plan(network.model, programs, ConstantPool(network.model))
    assert network.error(Interpreter(network.model, plan).run(network.feeds)) <= 1e-5


def test_slow_links_leave_one_device_with_all_layers():
    request = a_request(small("vgg16").model, fast_links(counted_profile(small("vgg16").model, SPEEDS), 0.01))
    choice = AoflPolicy().choose(request)
    assert choice.scheme.devices == ("fast",)
    assert len(choice.scheme.groups) == 1


def test_faster_devices_get_more():
    request = a_request(small("vgg16").model, fast_links(counted_profile(small("vgg16").model, SPEEDS), 100))
    shares = AoflPolicy().choose(request).shares
    assert shares["fast"] > shares["middle"] > shares["slow"] > 0
    assert sum(shares.values()) == pytest.approx(1.0)


def test_a_chain_has_all_intervals():
    assert len(aofl_groups(chain_model())) == 6 * 7 / 2


def test_residual_blocks_stay_whole():
    model = small("resnet18").model
    adds = [index for index, layer in enumerate(model.layers) if layer.operators[0].op_type == "Add"]
    assert len(adds) == 8
    ends = [2, *(add + 1 for add in adds)]  # a convolution and a pool stand before the first block
    blocks = list(pairwise(ends))
    several = {(first, last + 1) for first, last in aofl_groups(model) if first < last}
    pairs = {(one[0], other[1]) for one, other in pairwise(blocks)}
    tail = {(ends[-1], len(model.layers))}
    assert several == {(0, 2)} | set(blocks) | pairs | tail


def test_a_passthrough_is_no_residual_block():
    model = small("yolov2").model
    inside = [group for group in aofl_groups(model) if 13 <= group[0] < group[1] < 24]
    assert len(inside) > 20


def test_without_training_samples_it_says_what_to_do():
    model = chain_model()
    with pytest.raises(InputError, match="lacks training samples"):
        AoflPolicy().choose(a_request(model, random_profile(model, Demand(model), ("a",))))
    with pytest.raises(InputError, match="give it one"):
        AoflPolicy().choose(replace(a_request(model, random_profile(model, Demand(model), ("a",))), profile=None))
