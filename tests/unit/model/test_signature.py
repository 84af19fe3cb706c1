"""Signatures: equal for layers that are the same work, different for all others."""

from dataclasses import replace

import numpy as np
import pytest
from model_building import make_file
from onnx import helper

from legion.model import zoo
from legion.model.model import Array, Model
from legion.model.onnx_import import load_model
from legion.model.signature import layer_signature


def _convolutions(*, kernel: int = 3, seed: int = 0, rows: int = 8, stride: int = 1) -> Model:
    generator = np.random.default_rng(seed)
    constants: dict[str, Array] = {
        name: generator.standard_normal((4, 4, kernel, kernel)).astype(np.float32) for name in ("w1", "w2")
    }
    attributes = {"pads": [kernel // 2] * 4, "strides": [stride, stride]}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c"], **attributes),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["d"], **attributes),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    return load_model(make_file(nodes, {"x": (1, 4, rows, 8)}, ["y"], constants))


def test_identical_layers_share_a_signature_whatever_their_names_and_weights() -> None:
    model = _convolutions()
    assert layer_signature(model, 0) == layer_signature(model, 1)
    assert layer_signature(model, 0) == layer_signature(_convolutions(seed=1), 0)


@pytest.mark.parametrize("change", [{"kernel": 5}, {"rows": 10}, {"stride": 2}])
def test_another_shape_or_attribute_is_another_signature(change: dict[str, int]) -> None:
    assert layer_signature(_convolutions(), 0) != layer_signature(_convolutions(**change), 0)


def test_another_opset_is_another_signature() -> None:
    model = _convolutions()
    assert layer_signature(model, 0) != layer_signature(replace(model, opset=model.opset + 1), 0)


def test_integer_constants_count_by_value() -> None:
    def sliced(start: int) -> Model:
        constants = {"from": np.array([start]), "to": np.array([start + 2]), "axis": np.array([1])}
        nodes = [helper.make_node("Slice", ["x", "from", "to", "axis"], ["y"])]
        return load_model(make_file(nodes, {"x": (1, 8)}, ["y"], constants))

    assert layer_signature(sliced(0), 0) != layer_signature(sliced(1), 0)
    assert layer_signature(sliced(1), 0) == layer_signature(sliced(1), 0)


def test_which_tensor_goes_where_matters() -> None:
    def difference(inputs: list[str], alpha: float = 0.5) -> Model:
        nodes = [
            helper.make_node("GlobalAveragePool", ["x"], ["p"]),
            helper.make_node("LeakyRelu", ["p"], ["r"], alpha=alpha),
            helper.make_node("Sub", inputs, ["y"]),
        ]
        return load_model(make_file(nodes, {"x": (1, 4, 8, 8)}, ["y"]))

    assert len(difference(["p", "r"]).layers) == 1
    assert layer_signature(difference(["p", "r"]), 0) != layer_signature(difference(["r", "p"]), 0)
    assert layer_signature(difference(["p", "r"]), 0) != layer_signature(difference(["p", "r"], alpha=0.25), 0)


def test_vgg16_repeats_four_layers() -> None:
    """Its third convolutions of blocks 3 and 4 equal the second ones; block 5 holds three of one kind."""
    model = load_model(zoo.build("vgg16", width=0.02))
    signatures = [layer_signature(model, index) for index in range(len(model.layers))]
    assert len(signatures) == 21
    assert signatures[8] == signatures[7]
    assert signatures[16] == signatures[15] == signatures[14]
