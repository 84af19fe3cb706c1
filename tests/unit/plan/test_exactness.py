"""Whatever the groups, the shares and the routes: the split answer is the whole model's."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from legion.engine.base import Engine
from legion.engine.onnx_runtime import OnnxRuntimeEngine
from legion.engine.reference import ReferenceEngine
from legion.model.normalization import NORMALIZATIONS
from legion.model.onnx_import import load_model, prepare_model
from legion.model.part import part_of
from legion.model.zoo import NAMES
from support.interpreter import Interpreter
from support.networks import Network, network_of, prepared, small
from support.plans import SCHEMES, drawn_plan, split_plan

TOLERANCE = 1e-5


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8)
@given(**SCHEMES)
def test_random_schemes_are_exact(name: str, **scheme: object) -> None:
    network = small(name)
    plan = drawn_plan(network.model, **scheme)
    assert network.error(Interpreter(network.model, plan).run(network.feeds)) <= TOLERANCE


@pytest.mark.parametrize("via_controller", [True, False])
@pytest.mark.parametrize("make", [small, prepared])
def test_vgg16_by_rows_is_bitwise_equal(make: Callable[[str], Network], via_controller: bool) -> None:
    network = make("vgg16")
    plan = drawn_plan(network.model, range(1, 21), [0.5, 0.3, 0.2], via_controller=via_controller)
    outputs = Interpreter(network.model, plan).run(network.feeds)
    assert np.array_equal(outputs["output"], network.expected["output"])


@pytest.mark.parametrize("engine", [OnnxRuntimeEngine, ReferenceEngine])
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_bytes_are_normalised_before_borders_are_padded(devices: int, engine: Callable[[], Engine]) -> None:
    plain = small("resnet18").content
    network = network_of(prepare_model(plain, NORMALIZATIONS["signed"]))  # a byte of zero becomes -1
    shares = {f"device-{index}": 1.0 for index in range(devices)}
    first = part_of(network.model, 0, 1)
    outputs = Interpreter(first, split_plan(first, shares, via_controller=False), engine()).run(network.feeds)
    normalised = (network.feeds["input"] - np.float32(127.5)) / np.float32(127.5)
    plainly = part_of(load_model(plain), 0, 1)
    plan = split_plan(plainly, {"alone": 1.0}, via_controller=False)
    expected = Interpreter(plainly, plan).run({"input": normalised})
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, atol=2e-6 * np.abs(values).max())
