"""The zoo: published topologies and parameter counts, and weights that make the outputs worth comparing."""

from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_building import make_file, run
from onnx import helper, numpy_helper

from legion.errors import InputError
from legion.model import zoo
from legion.model.onnx_import import load_model

_SMALL = {"size": 64, "width": 0.125}


def _parameter_count(file: onnx.ModelProto) -> int:
    """Weights, biases, and scale and shift of batch normalisations; their statistics and clip limits are none."""
    left_out = {name for node in file.graph.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    left_out |= {name for node in file.graph.node if node.op_type == "Clip" for name in node.input[1:]}
    return sum(prod(tensor.dims) for tensor in file.graph.initializer if tensor.name not in left_out)


def _outputs(file: onnx.ModelProto, seed: int) -> np.ndarray:
    shape = [dimension.dim_value for dimension in file.graph.input[0].type.tensor_type.shape.dim]
    values = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return run(file, {file.graph.input[0].name: values})[0]


@pytest.mark.parametrize(
    ("name", "size", "count", "output_shape"),
    [
        ("vgg16", 224, 138_357_544, (1, 1000)),
        ("vgg19", 224, 143_667_240, (1, 1000)),
        ("yolov2", 416, 50_962_889, (1, 425, 13, 13)),
        ("resnet18", 224, 11_689_512, (1, 1000)),
        ("resnet50", 224, 25_557_032, (1, 1000)),
        ("mobilenetv2", 224, 3_504_872, (1, 1000)),
    ],
)
def test_published_sizes_and_parameter_counts(
    monkeypatch: pytest.MonkeyPatch, name: str, size: int, count: int, output_shape: tuple[int, ...]
) -> None:
    monkeypatch.setattr(zoo.network.Network, "_constant", _declared_only)
    file = zoo.build(name)
    assert _parameter_count(file) == count
    (port,) = file.graph.input
    assert (port.name, [d.dim_value for d in port.type.tensor_type.shape.dim]) == ("input", [1, 3, size, size])
    (port,) = onnx.shape_inference.infer_shapes(file, check_type=True, strict_mode=True).graph.output
    assert (port.name, tuple(d.dim_value for d in port.type.tensor_type.shape.dim)) == ("output", output_shape)
