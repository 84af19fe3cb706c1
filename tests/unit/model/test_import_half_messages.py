"""Half precision between layers: where tensors are rounded, what stays, and what is refused."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from model_building import make_file, operator_types, random_feeds, run
from onnx import TensorProto, checker, helper

from legion.errors import InputError
from legion.model import zoo
from legion.model.normalization import NORMALIZATIONS
from legion.model.onnx_import import halve_messages, load_model, prepare_model

node = helper.make_node
SHAPE = (1, 3, 8, 6)
WEIGHT = np.random.default_rng(1).standard_normal((3, 3, 3, 3)).astype(np.float32)
CONVOLUTION = node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1])
POOL = node("MaxPool", ["c"], ["y"], kernel_shape=[2, 2])


def file_of(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",), opset: int = 20) -> onnx.ModelProto:
    return make_file(list(nodes), {"x": SHAPE}, outputs, {"w": WEIGHT}, opset=opset)


def halved(file: onnx.ModelProto, **sizes: int) -> onnx.ModelProto:
    return onnx.load_from_string(halve_messages(file.SerializeToString(), sizes=sizes))


def rounded(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def numbers() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)}


@pytest.mark.parametrize("opset", [7, 13, 20])
def test_what_one_layer_hands_to_another_is_rounded_once(opset: int) -> None:
    ready = halved(file_of(CONVOLUTION, POOL, opset=opset))
    checker.check_model(ready, full_check=True)
    (convolved,) = run(file_of(CONVOLUTION, outputs=("c",)), numbers())
    (expected,) = run(make_file([POOL], {"c": SHAPE}, ["y"]), {"c": rounded(convolved)})
    (actual,) = run(ready, numbers())
    assert np.array_equal(actual, expected)
    assert actual.dtype == np.float32


@pytest.mark.parametrize("with_bytes", [False, True])
@pytest.mark.parametrize("name", zoo.NAMES)
def test_networks_of_the_zoo_keep_their_layers_and_hand_on_halves(name: str, with_bytes: bool) -> None:
    plain = zoo.build(name, 64, width=0.125).SerializeToString()
    plain = prepare_model(plain, NORMALIZATIONS["imagenet"]) if with_bytes else plain
    before, after = load_model(plain), load_model(halve_messages(plain))
    assert [layer.name for layer in after.layers] == [layer.name for layer in before.layers]
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    for one, other in zip(before.layers, after.layers, strict=True):
        for tensor, half in zip((*one.inputs, *one.outputs), (*other.inputs, *other.outputs), strict=True):
            kind = before.tensors[tensor]
            inner = tensor not in {port.name for port in (*before.inputs, *before.outputs)}
            assert after.tensors[half].shape == kind.shape
            assert after.tensors[half].dtype == ("float16" if inner and len(kind.shape) > 2 else kind.dtype)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_outputs_change_a_little(name: str) -> None:
    file = zoo.build(name, 64, width=0.125)
    feeds = random_feeds(load_model(file))
    (expected,), (actual,) = run(file, feeds), run(halved(file), feeds)
    assert 0 < np.abs(actual - expected).max() <= 5e-3 * np.abs(expected).max()


def test_each_reader_restores_for_itself() -> None:
    second = node("Conv", ["c", "w"], ["d"], pads=[1, 1, 1, 1])
    file = file_of(CONVOLUTION, second, node("Mul", ["c", "c"], ["s"]), node("Add", ["s", "d"], ["y"]))
    model = load_model(halved(file))
    assert operator_types(model) == [
        ["Conv", "Cast"],
        ["Cast", "Conv", "Cast"],
        ["Cast", "Mul", "Cast"],
        ["Cast", "Cast", "Add"],
    ]


def test_outputs_and_what_inner_graphs_read_are_exact() -> None:
    inner = helper.make_graph(
        [node("Neg", ["c"], ["n"])], "branch", [], [helper.make_tensor_value_info("n", TensorProto.FLOAT, SHAPE)]
    )
    choice = node("If", ["condition"], ["z"], then_branch=inner, else_branch=inner)
    constants = {"w": WEIGHT, "condition": np.array(True)}
    file = make_file([CONVOLUTION, POOL, choice], {"x": SHAPE}, ["y", "z"], constants)
    before, after = run(file, numbers()), run(halved(file), numbers())
    assert np.array_equal(before[1], after[1])
    assert not np.array_equal(before[0], after[0])
    with pytest.raises(InputError, match="no layer hands"):
        halved(file_of(CONVOLUTION, POOL, outputs=("c", "y")))


def test_what_functions_hand_on_inside_is_exact() -> None:
    pools = [node("MaxPool", [source], [result], kernel_shape=[2, 2]) for source, result in ("ab", "bd")]
    opset = helper.make_opsetid("", 20)
    function = helper.make_function("mine", "Pools", ["a"], ["d"], pools, [opset])
    fields = {"functions": [function], "opset_imports": [opset, helper.make_opsetid("mine", 1)]}
    call = node("Pools", ["c"], ["y"], domain="mine")
    alone = make_file([call], {"c": SHAPE}, ["y"], **fields)
    with pytest.raises(InputError, match="no layer hands"):
        halved(alone)
    (convolved,) = run(file_of(CONVOLUTION, outputs=("c",)), numbers())
    (expected,) = run(alone, {"c": rounded(convolved)})
    (actual,) = run(halved(make_file([CONVOLUTION, call], {"x": SHAPE}, ["y"], {"w": WEIGHT}, **fields)), numbers())
    assert np.array_equal(actual, expected)


def test_names_that_are_taken_are_left_alone() -> None:
    steps = [
        CONVOLUTION,
        node("MaxPool", ["c"], ["c/half"], kernel_shape=[2, 2]),
        node("Neg", ["c/half"], ["c/half/0"]),
    ]
    checker.check_model(halved(file_of(*steps, outputs=("c/half/0",))), full_check=True)


def test_symbols_stay_and_sizes_are_asked_for() -> None:
    file = make_file([CONVOLUTION, POOL], {"x": ("N", 3, "height", 6)}, ["y"], {"w": WEIGHT})
    ready = halved(file, height=8)
    assert load_model(ready, batch=2, sizes={"height": 4}).inputs[0].type.shape == (2, 3, 4, 6)
    with pytest.raises(InputError, match="height"):
        halved(file)


def test_sequences_too_and_vectors_not() -> None:
    steps = [node("Softmax", ["x"], ["s"]), node("Transpose", ["s"], ["y"], perm=[0, 2, 1])]
    model = load_model(halved(make_file(steps, {"x": (1, 5, 4)}, ["y"])))
    assert model.tensors[model.layers[0].outputs[0]].dtype == "float16"
    vectors = [node("Softmax", ["x"], ["s"]), node("Transpose", ["s"], ["y"], perm=[1, 0])]
    with pytest.raises(InputError, match="no layer hands"):
        halved(make_file(vectors, {"x": (5, 4)}, ["y"]))


def test_the_same_file_each_time() -> None:
    content = zoo.build("resnet18", 64, width=0.125).SerializeToString()
    assert halve_messages(content) == halve_messages(content)


def in_half() -> onnx.ModelProto:
    steps = [node("Neg", ["x"], ["n"]), node("MaxPool", ["n"], ["y"], kernel_shape=[2, 2])]
    return make_file(steps, {"x": SHAPE}, ["y"], element_type=TensorProto.FLOAT16)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (in_half, "has float16 itself"),
        (lambda: halved(file_of(CONVOLUTION, POOL)), "has float16 itself"),
        (lambda: file_of(CONVOLUTION, outputs=("c",)), "no layer hands"),
    ],
)
def test_what_cannot_be_halved_is_said(make: Callable[[], onnx.ModelProto], complaint: str) -> None:
    file = make()
    with pytest.raises(InputError, match=complaint):
        halved(file)
