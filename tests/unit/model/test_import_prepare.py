"""A prepared model computes of bytes what the model computes of normalised numbers, and says what it cannot do."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_building import make_file, operator_types, run
from onnx import TensorProto, checker, helper, numpy_helper

from legion.errors import InputError
from legion.model import zoo
from legion.model.normalization import NORMALIZATIONS, ByteNormalization
from legion.model.onnx_import import load_model, prepare_model

node = helper.make_node
IMAGENET = NORMALIZATIONS["imagenet"]
SHAPE = (1, 3, 7, 6)
WEIGHT = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
CONVOLUTION = node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1])


def image(shape: Sequence[int] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def padded_network(shape: Sequence[int | str] = SHAPE, element_type: int = TensorProto.FLOAT, opset: int = 20):
    weight = WEIGHT.astype(helper.tensor_dtype_to_np_dtype(element_type))
    return make_file([CONVOLUTION], {"x": shape}, ["c"], {"w": weight}, opset=opset, element_type=element_type)


def prepared(file: onnx.ModelProto, normalization: ByteNormalization = IMAGENET, name: str | None = None):
    content = prepare_model(file.SerializeToString(), normalization, input_name=name)
    return onnx.load_from_string(content)


def normalised(values: np.ndarray, normalization: ByteNormalization) -> np.ndarray:
    mean, deviation = (np.array(each)[None, :, None, None] for each in (normalization.mean, normalization.deviation))
    return (values.astype(np.float64) - mean) / deviation


@pytest.mark.parametrize("opset", [7, 11, 20])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_bytes_give_what_normalised_numbers_give(name: str, opset: int) -> None:
    file, values = padded_network(opset=opset), image()
    ready = prepared(file, NORMALIZATIONS[name])
    checker.check_model(ready, full_check=True)
    (expected,) = run(file, {"x": normalised(values, NORMALIZATIONS[name]).astype(np.float32)})
    (actual,) = run(ready, {"x": values})
    np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max())


def test_the_presets_are_the_published_ones() -> None:
    values = np.array([0, 51, 255], np.uint8).reshape(1, 3, 1, 1)
    expected = {
        "imagenet": [-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225],
        "unit": [0, 0.2, 1],
        "signed": [-1, -0.6, 1],
        "bytes": [0, 51, 255],
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(normalised(values, NORMALIZATIONS[name]).ravel(), wanted, rtol=1e-12)


@settings(max_examples=25)
@given(
    mean=st.lists(st.floats(-300, 300), min_size=3, max_size=3)
    | st.lists(st.floats(-300, 300), min_size=1, max_size=1),
    deviation=st.lists(st.floats(0.5, 500), min_size=3, max_size=3) | st.just([1.0]),
    seed=st.integers(0, 99),
)
def test_any_mean_and_deviation(mean: list[float], deviation: list[float], seed: int) -> None:
    file, values = make_file([node("Identity", ["x"], ["y"])], {"x": SHAPE}, ["y"]), image(seed=seed)
    normalization = ByteNormalization(mean=tuple(mean), deviation=tuple(deviation))
    (actual,) = run(prepared(file, normalization), {"x": values})
    scale = (255 + np.abs(mean).max()) / min(deviation)
    np.testing.assert_allclose(actual, normalised(values, normalization), atol=4e-7 * scale)


@pytest.mark.parametrize(
    ("element_type", "tolerance"), [(TensorProto.FLOAT16, 2e-3), (TensorProto.FLOAT, 1e-6), (TensorProto.DOUBLE, 1e-12)]
)
def test_the_input_keeps_its_precision(element_type: int, tolerance: float) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(element_type)
    file = make_file([node("Neg", ["x"], ["y"])], {"x": SHAPE}, ["y"], element_type=element_type)
    (actual,) = run(prepared(file), {"x": image()})
    assert actual.dtype == dtype
    np.testing.assert_allclose(-actual, normalised(image(), IMAGENET), atol=tolerance)


def test_the_input_keeps_its_name_and_symbols() -> None:
    model = load_model(prepared(padded_network(("N", 3, "height", 6))), batch=2, sizes={"height": 5})
    (port,) = model.inputs
    assert (port.name, port.type.dtype, port.type.shape) == ("x", "uint8", (2, 3, 5, 6))
    assert port.dims == ("N", 3, "height", 6)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_networks_of_the_zoo_get_no_further_layer(name: str) -> None:
    plain = zoo.build(name, 64, width=0.125)
    before, after = (load_model(file) for file in (plain, prepared(plain)))
    assert operator_types(after)[0] == ["Cast", "Sub", "Mul", *operator_types(before)[0]]
    assert operator_types(after)[1:] == operator_types(before)[1:]
    assert after.layers[0].name == before.layers[0].name
    assert after.layers[0].inputs == ("input",)


def test_every_reader_reads_the_normalised_numbers() -> None:
    inner = helper.make_graph(
        [node("Neg", ["x"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, SHAPE)],
    )
    steps = [
        node("If", ["condition"], ["chosen"], then_branch=inner, else_branch=inner),
        node("Add", ["chosen", "x"], ["zero"]),
        node("Add", ["zero", "x"], ["y"]),
    ]
    file = make_file(steps, {"x": SHAPE}, ["y"], {"condition": np.array(True)})
    (actual,) = run(prepared(file), {"x": image()})
    np.testing.assert_allclose(actual, normalised(image(), IMAGENET), atol=1e-5)


def test_names_that_are_taken_are_left_alone() -> None:
    steps = [node("Neg", ["x"], ["x/normalized/0"]), node("Neg", ["x/normalized/0"], ["x/normalized"])]
    file = make_file(steps, {"x": SHAPE}, ["x/normalized"])
    (actual,) = run(prepared(file), {"x": image()})
    np.testing.assert_allclose(actual, normalised(image(), IMAGENET), atol=1e-5)


def test_one_of_several_inputs() -> None:
    file = make_file([node("Sub", ["left", "right"], ["y"])], {"left": SHAPE, "right": SHAPE}, ["y"])
    numbers = np.ones(SHAPE, np.float32)
    (actual,) = run(prepared(file, NORMALIZATIONS["unit"], "right"), {"left": numbers, "right": image()})
    np.testing.assert_allclose(actual, 1 - image() / 255, atol=1e-6)
    with pytest.raises(InputError, match=r"which input .* \['left', 'right'\]"):
        prepared(file)
    with pytest.raises(InputError, match=r"no input 'middle'.*\['left', 'right'\]"):
        prepared(file, name="middle")


def integers() -> onnx.ModelProto:
    return make_file([node("Neg", ["x"], ["y"])], {"x": SHAPE}, ["y"], element_type=TensorProto.INT32)


def handed_on() -> onnx.ModelProto:
    file = padded_network()
    file.graph.output.append(file.graph.input[0])
    return file


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: prepared(padded_network()), "takes bytes already"),
        (integers, "is int32; only an input of floats"),
        (lambda: make_file([node("Neg", ["x"], ["y"])], {"x": (1, 3)}, ["y"]), r"shape \[1, 3\] takes no images"),
        (lambda: padded_network((1, "channels", 7, 6)), "a fixed number of channels"),
        (handed_on, "is also an output"),
        (lambda: make_file([node("Neg", ["x"], ["y"])], {"x": (1, 1, 7, 6)}, ["y"]), "do not suit 1 channels"),
    ],
)
def test_what_cannot_be_prepared_is_said(make: Callable[[], onnx.ModelProto], complaint: str) -> None:
    file = make()
    with pytest.raises(InputError, match=complaint):
        prepared(file)


@pytest.mark.parametrize(
    ("mean", "deviation", "complaint"),
    [
        ((0.0,), (0.0,), "deviation cannot be"),
        ((0.0,), (1.0, -1.0, 1.0), "deviation cannot be"),
        ((float("nan"),), (1.0,), "mean cannot be"),
        ((0.0,), (float("inf"),), "deviation cannot be"),
        ((0.0,), (1.0, 2.0), "2 values of deviation do not suit 3 channels"),
        ((), (1.0,), "0 values of mean"),
    ],
)
def test_a_normalisation_that_makes_no_sense(
    mean: tuple[float, ...], deviation: tuple[float, ...], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        prepared(padded_network(), ByteNormalization(mean=mean, deviation=deviation))


def test_bytes_that_are_no_model() -> None:
    for content in (b"", b"hello", padded_network().SerializeToString()[:-9]):
        with pytest.raises(InputError):
            prepare_model(content, IMAGENET)


def test_weights_are_kept() -> None:
    file = padded_network()
    (weight,) = prepared(file).graph.initializer
    assert np.array_equal(numpy_helper.to_array(weight), WEIGHT)
