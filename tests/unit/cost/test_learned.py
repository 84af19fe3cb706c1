"""The learned predictor: work by hand, regression that finds the law behind its samples."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from legion.cost.learned import fit_regression, learned_cost_model
from legion.cost.least_squares import relative_least_squares
from legion.errors import InputError
from legion.geometry.demand import Demand
from legion.geometry.work import layer_work
from legion.model.signature import layer_signature
from legion.profile.extents import tile, whole_extent
from legion.profile.pooling import pooled_seconds
from legion.profile.samples import Profile
from legion.profile.training import plan_training, training_models
from support.networks import small
from unit.profile.profile_building import device_profile, layer_sample, link_sample

LAW = {
    "convolution": (1e-5, 1e-9, 2e-9, 3e-10, 1e-11),
    "depthwise": (2e-5, 2e-9, 1e-9, 0.0, 5e-11),
    "dense": (1e-5, 0.0, 1e-8, 4e-10, 0.0),
    "pooling": (3e-5, 1e-9, 0.0, 0.0, 2e-10),
    "elementwise": (1e-5, 1e-9, 0.0, 0.0, 0.0),
}
"""Seconds of one call, of each element read and made, of each weight, of each multiplication."""


def law_s(work):
    return float(np.dot(LAW[work.kind], work.terms))


def lawful_device(name="a"):
    samples = []
    for model in training_models():
        demand = Demand(model)
        extent = whole_extent(model, demand, 0)
        seconds = law_s(layer_work(model, demand, 0, tile(model, demand, 0, extent)))
        samples.append(layer_sample(layer_signature(model, 0), extent, [seconds]))
    links = [link_sample(direction, size, [size * 1e-8]) for direction in ("set", "get") for size in (1000, 100_000)]
    return device_profile(name, layers=samples, links=links)


@pytest.mark.parametrize("name", ["vgg16", "yolov2", "mobilenetv2", "resnet18"])
def test_layers_that_were_never_run_are_predicted_by_the_law(name):
    model = small(name).model
    demand = Demand(model)
    cost = learned_cost_model(model, demand, Profile(devices={"a": lawful_device()}), ("a",))
    for layer in range(len(model.layers)):
        extent = (whole_extent(model, demand, layer) + 1) // 2
        boxes = tile(model, demand, layer, extent)
        expected = law_s(layer_work(model, demand, layer, boxes))
        assert cost.layer_s("a", layer, next(iter(boxes.values()))) == pytest.approx(expected, rel=1e-3)


def test_all_training_layers_are_different_and_of_all_kinds():
    keys = {probe.key for probe in plan_training().probes}
    works = [layer_work(model, Demand(model), 0, tile(model, Demand(model), 0, 1)) for model in training_models()]
    assert len(keys) == len(works) == 120
    assert {work.kind for work in works} == set(LAW)


def test_missing_training_samples_are_an_error_not_zero():
    device = lawful_device()
    for lacking in (0, 60, 119):
        fewer = replace(device, layers=(*device.layers[:lacking], *device.layers[lacking + 1 :]))
        with pytest.raises(InputError, match="Device a lacks training samples"):
            fit_regression("a", pooled_seconds({"a": fewer})["a"])
    with pytest.raises(InputError, match="lacks device b"):
        learned_cost_model(small("vgg16").model, Demand(small("vgg16").model), Profile(devices={"a": device}), ("b",))


COLUMNS = arrays(np.float64, (8, 3), elements=st.floats(0.1, 10))


@given(COLUMNS, arrays(np.float64, 8, elements=st.floats(0.1, 10)))
def test_no_coefficient_is_negative_and_none_beats_it_nearby(columns, seconds):
    found = relative_least_squares(columns, seconds)
    assert (found >= 0).all()

    def loss(coefficients):
        return float(np.sum((columns @ coefficients / seconds - 1) ** 2))

    for index in range(3):
        for step in (-1e-3, 1e-3):
            near = found.copy()
            near[index] = max(0.0, near[index] + step)
            assert loss(found) <= loss(near) + 1e-9
