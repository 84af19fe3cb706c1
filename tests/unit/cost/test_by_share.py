"""What groups cost by share, against segments built for the shares that the figures go through."""

import numpy as np
import pytest
from cost_building import chain_model, residual_model

from legion.cost.by_share import group_times
from legion.cost.fit import cost_model
from legion.cost.groups import connected_groups
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.model.part import part_of
from legion.plan.scheme import CONTROLLER
from legion.profile.extents import tile, whole_extent
from unit.profile.profile_building import random_profile

DEVICES = ("a", "b")
MODELS = {"chain": chain_model, "residual": residual_model}


def literal_seconds(model, demand, cost, device, group, extents):
    """Transfers and runs of one device that computes these extents of what leaves the group."""
    first, last = group
    leaving = {port.name for port in part_of(model, first, last + 1).outputs}
    wanted = {}
    for layer in range(first, last + 1):
        boxes = tile(model, demand, layer, extents[layer])
        wanted |= {tensor: box for tensor, box in boxes.items() if tensor in leaving}
    segment = build_segment(demand, range(first, last + 1), wanted)
    ports = cost.ports[device]
    transfer_s = 2 * (cost.message_s(CONTROLLER) + cost.message_s(device))
    transfer_s += ports.inward.seconds(sum(box.volume for box in segment.inputs.values()) * 4)
    transfer_s += ports.outward.seconds(sum(box.volume for box in wanted.values()) * 4)
    return transfer_s, sum(
        cost.layer_s(device, layer, segment.boxes[model.layers[layer].outputs[0]]) for layer in segment.layers
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_quarter_a_half_and_the_whole_are_exact(name):
    model = MODELS[name]()
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, DEVICES), DEVICES)
    groups = [tuple(group) for group in np.argwhere(connected_groups(model)).tolist()]
    times = group_times(model, demand, cost, groups)
    wholes = [whole_extent(model, demand, layer) for layer in range(len(model.layers))]
    for place, group in enumerate(groups):
        for position, device in enumerate(DEVICES):
            for parts in (4, 2):
                extents = [-(-whole // parts) for whole in wholes]
                expected = literal_seconds(model, demand, cost, device, group, extents)
                shares = np.full((len(DEVICES), len(groups)), extents[group[1]] / wholes[group[1]])
                found = [affine.at(shares)[position, place] for affine in (times.transfer, times.run)]
                assert found == pytest.approx(expected), (group, parts)
            whole = literal_seconds(model, demand, cost, device, group, wholes)
            assert times.alone_s[position, place] == pytest.approx(sum(whole))
    assert times.divisible.all()


def test_a_device_without_a_share_takes_no_time():
    model = chain_model()
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, DEVICES), DEVICES)
    times = group_times(model, demand, cost, [(0, 1)])
    shares = np.array([[1.0], [0.0]])
    assert times.run.at(shares)[1, 0] == times.transfer.at(shares)[1, 0] == 0
    assert times.run.at(shares)[0, 0] > 0
