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
from legion.model.zoo.network import Network

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


def _declared_weights(network: Network, name: str, shape: tuple[int, ...], _gain: float) -> str:
    """Stands in for drawing gigabytes where shapes alone are looked at."""
    network._initializers.append(onnx.TensorProto(name=name, dims=shape, data_type=onnx.TensorProto.FLOAT))
    return name


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
    monkeypatch.setattr(Network, "_weights", _declared_weights)
    file = zoo.build(name)
    assert _parameter_count(file) == count
    (port,) = file.graph.input
    assert (port.name, [d.dim_value for d in port.type.tensor_type.shape.dim]) == ("input", [1, 3, size, size])
    (port,) = onnx.shape_inference.infer_shapes(file, check_type=True, strict_mode=True).graph.output
    assert (port.name, tuple(d.dim_value for d in port.type.tensor_type.shape.dim)) == ("output", output_shape)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_outputs_are_sane_and_depend_on_input_and_seed(name: str) -> None:
    file = zoo.build(name, **_SMALL)
    first, second = _outputs(file, 1), _outputs(file, 2)
    assert 0.01 < first.std() < 100
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()
    other_seed = _outputs(zoo.build(name, **_SMALL, seed=1), 1)
    assert np.abs(first - other_seed).max() > 1e-1 * np.abs(first).max()
    assert zoo.build(name, **_SMALL).SerializeToString() == file.SerializeToString()


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("vgg16", {"Conv": 13, "Relu": 15, "MaxPool": 5, "Flatten": 1, "Gemm": 3}),
        ("vgg19", {"Conv": 16, "Relu": 18, "MaxPool": 5, "Flatten": 1, "Gemm": 3}),
        (
            "yolov2",
            {"Conv": 23, "BatchNormalization": 22, "LeakyRelu": 22, "MaxPool": 5, "SpaceToDepth": 1, "Concat": 1},
        ),
        ("resnet18", {"Conv": 20, "BatchNormalization": 20, "Add": 8, "MaxPool": 1}),
        ("resnet50", {"Conv": 53, "BatchNormalization": 53, "Add": 16, "MaxPool": 1}),
        ("mobilenetv2", {"Conv": 52, "BatchNormalization": 52, "Clip": 35, "Add": 10}),
    ],
)
def test_width_and_size_keep_the_topology(name: str, operators: dict[str, int]) -> None:
    narrow, small = zoo.build(name, **_SMALL), zoo.build(name, 32, width=0.01)
    types = [node.op_type for node in narrow.graph.node]
    assert types == [node.op_type for node in small.graph.node]
    assert {op_type: types.count(op_type) for op_type in operators} == operators
    assert _outputs(small, 0).size > 0


def test_a_written_file_is_what_build_makes(tmp_path: Path) -> None:
    zoo.write("mobilenetv2", tmp_path / "m.onnx", 32, 3)
    assert (tmp_path / "m.onnx").read_bytes() == zoo.build("mobilenetv2", 32, 3).SerializeToString()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "alexnet"}, "no network 'alexnet'; it has vgg16"),
        ({"name": "vgg16", "size": 100}, "multiple of 32"),
        ({"name": "vgg16", "size": 0}, "multiple of 32"),
        ({"name": "vgg16", "width": 0.0}, "width of 0.0"),
        ({"name": "vgg16", "width": 2.0}, "width of 2.0"),
    ],
)
def test_networks_that_cannot_be(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        zoo.build(**arguments)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        zoo.write("mobilenetv2", tmp_path / "missing" / "m.onnx", 32)


def _constant_file() -> onnx.ModelProto:
    """Weights as fills and as initializers of one value, seen directly and through a view."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Unsqueeze", ["k", "axes"], ["k3"]),
        helper.make_node("Mul", ["c", "k3"], ["m"]),
        helper.make_node("GlobalAveragePool", ["m"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["s"]),
        helper.make_node("Softmax", ["s"], ["y"]),
    ]
    constants = {
        "shape": np.array([20, 3, 3, 3]),
        "k": np.full(20, 0.02, np.float32),
        "axes": np.array([1, 2]),
        "v": np.full((20, 5), 0.02, np.float32),
    }
    return make_file(nodes, {"x": (1, 3, 8, 8)}, ["y"], constants, opset=13)


def test_reseeded_constants_have_the_scale_of_their_role() -> None:
    file = zoo.reseed(_constant_file())
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in file.graph.initializer}
    assert arrays["w"].std() == pytest.approx((2 / 27) ** 0.5, rel=0.1)
    assert np.abs(arrays["k"] - 1).max() <= 0.2
    assert arrays["v"].std() == pytest.approx((2 / 20) ** 0.5, rel=0.3)
    assert arrays["axes"].tolist() == [1, 2]
    assert len({values.tobytes() for values in (arrays["w"], arrays["v"], arrays["k"])}) == 3


def test_reseeding_makes_the_output_depend_on_the_input() -> None:
    constant = zoo.before_softmax(_constant_file())
    assert [port.name for port in constant.graph.output] == ["s"]
    constant_output = _outputs(constant, 1)
    assert np.abs(constant_output - _outputs(constant, 2)).max() == 0
    first, second = (_outputs(zoo.reseed(constant), seed) for seed in (1, 2))
    assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()
    assert zoo.reseed(constant, 1).SerializeToString() == zoo.reseed(constant, 1).SerializeToString()
    assert zoo.reseed(constant, 1).SerializeToString() != zoo.reseed(constant, 2).SerializeToString()


def test_reseeding_leaves_the_source_as_it_was() -> None:
    file = _constant_file()
    before = file.SerializeToString()
    zoo.before_softmax(zoo.reseed(file))
    assert file.SerializeToString() == before


def test_drawn_weights_stay() -> None:
    file = zoo.build("vgg16", **_SMALL)
    assert load_model(zoo.reseed(file)).digest == load_model(file).digest
