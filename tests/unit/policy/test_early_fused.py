"""DeepThings: one fused group on all, the rest on one, at the depth of least cost."""

import pytest

from legion.cost.fit import cost_model
from legion.cost.matrices import build_matrices
from legion.cost.shares import whole_model_s
from legion.geometry.demand import Demand
from legion.model.onnx_import.load import load_model
from legion.model.zoo import build
from legion.policy.base import Request
from legion.policy.early_fused import EarlyFusedPolicy
from unit.cost.cost_building import chain_model
from unit.profile.profile_building import random_profile

DEVICES = ("a", "b", "c")
MODELS = {
    "chain": chain_model,
    "vgg16": lambda: load_model(build("vgg16", size=64, width=0.25).SerializeToString()),
    "resnet18": lambda: load_model(build("resnet18", size=64, width=0.25).SerializeToString()),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", range(6))
def test_no_other_depth_is_cheaper(name, seed):
    model = MODELS[name]()
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, DEVICES, seed), DEVICES)
    choice = EarlyFusedPolicy().choose(Request(model=model, demand=demand, cost=cost))
    fastest = min(DEVICES, key=lambda device: whole_model_s(cost, device))
    together = build_matrices(model, demand, cost, choice.shares).T
    alone = build_matrices(model, demand, cost, {fastest: 1.0}).T
    count = len(model.layers)
    totals = [
        together[0, depth - 1] + (alone[depth, count - 1] if depth < count else 0.0)
        for depth in range(1, count + 1)
        if together[0, depth - 1] >= 0 and (depth == count or alone[depth, count - 1] >= 0)
    ]
    assert sum(choice.predicted_group_s) == pytest.approx(min(totals))
    first, *rest = choice.scheme.groups
    assert set(first.runs) <= set(DEVICES)
    assert len(rest) <= 1
    for group in rest:
        assert set(group.runs) == {fastest}
    assert [layer for group in choice.scheme.groups for layer in group.layers] == list(range(count))


def test_a_device_without_a_share_does_not_run_the_rest():
    model = chain_model()
    demand = Demand(model)
    cost = cost_model(model, demand, random_profile(model, demand, DEVICES), DEVICES)
    fastest = min(DEVICES, key=lambda device: whole_model_s(cost, device))
    shares = {device: 0.0 if device == fastest else 0.5 for device in DEVICES}
    choice = EarlyFusedPolicy().choose(Request(model=model, demand=demand, cost=cost, shares=shares))
    assert all(fastest not in group.runs for group in choice.scheme.groups)
