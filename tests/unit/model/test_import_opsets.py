"""Files of every opset from 7 on compute the same after import."""

import numpy as np
import onnx
import pytest
from model_building import assert_import_keeps, make_file, operator_types
from onnx import helper, numpy_helper

from legion.errors import InputError
from legion.model.onnx_import import load_model

node = helper.make_node
_OLD = tuple(range(7, 18))


def _floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.5, 1.5, shape).astype(np.float32)


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize("opset", [*range(7, 27)])
def test_operators_that_never_changed(opset: int) -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "s", "s", "s", "s"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Concat", ["p", "p"], ["cc"], axis=1),
        node("GlobalAveragePool", ["cc"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "v", "u"], ["y"], transB=1),
    ]
    constants = {"w": _floats(4, 3, 3, 3), "b": _floats(4), "s": _floats(4), "v": _floats(5, 8), "u": _floats(5)}
    model = assert_import_keeps(make_file(nodes, {"x": (1, 3, 8, 8)}, ["y"], constants, opset=opset))
    assert model.opset == max(18, opset)
    assert operator_types(model) == [
        ["Conv", "Relu"],
        ["MaxPool"],
        ["Concat"],
        ["GlobalAveragePool"],
        ["Flatten", "Gemm"],
    ]


@pytest.mark.parametrize("opset", _OLD)
def test_softmax_over_several_axes(opset: int) -> None:
    assert_import_keeps(make_file([node("Softmax", ["x"], ["y"], axis=1)], {"x": (2, 3, 4)}, ["y"], opset=opset))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scale", [1.5, 2.0])
@pytest.mark.parametrize("opset", [7, 8, 9])
def test_upsample(opset: int, scale: float, mode: str) -> None:
    scales = [1.0, 1.0, scale, scale]
    if opset < 9:
        upsample, constants = node("Upsample", ["x"], ["y"], scales=scales, mode=mode), {}
    else:
        upsample, constants = node("Upsample", ["x", "k"], ["y"], mode=mode), {"k": np.array(scales, np.float32)}
    assert_import_keeps(make_file([upsample], {"x": (1, 2, 6, 5)}, ["y"], constants, opset=opset))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_resize_before_it_had_sampling_modes(scale: float, mode: str) -> None:
    scales = numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32))
    nodes = [node("Constant", [], ["k"], value=scales), node("Resize", ["x", "k"], ["y"], mode=mode)]
    assert_import_keeps(make_file(nodes, {"x": (1, 2, 11, 7)}, ["y"], opset=10))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_an_old_resize_that_enlarges_one_axis_and_shrinks_another(mode: str) -> None:
    """Which neighbour is nearest is then another question for each axis."""
    scales = numpy_helper.from_array(np.array([1, 1, 2, 0.4], np.float32))
    nodes = [node("Constant", [], ["k"], value=scales), node("Resize", ["x", "k"], ["y"], mode=mode)]
    file = make_file(nodes, {"x": (1, 2, 11, 7)}, ["y"], opset=10)
    if mode == "linear":
        assert_import_keeps(file)
        return
    with pytest.raises(InputError, match="enlarges one axis and shrinks another"):
        load_model(file)


@pytest.mark.parametrize("opset", _OLD)
def test_views(opset: int) -> None:
    constants = {}
    if opset < 13:
        views = [node("Unsqueeze", ["x"], ["u"], axes=[1]), node("Squeeze", ["u"], ["q"], axes=[0])]
    else:
        views = [node("Unsqueeze", ["x", "one"], ["u"]), node("Squeeze", ["u", "zero"], ["q"])]
        constants = {"one": _ints(1), "zero": _ints(0)}
    nodes = [*views, node("Reshape", ["q", "shape"], ["r"]), node("Relu", ["r"], ["y"])]
    assert_import_keeps(make_file(nodes, {"x": (1, 2, 6)}, ["y"], {**constants, "shape": _ints(3, -1)}, opset=opset))


@pytest.mark.parametrize("opset", _OLD)
def test_operators_whose_attributes_became_inputs(opset: int) -> None:
    constants: dict[str, np.ndarray] = {}
    nodes: list[onnx.NodeProto] = []
    if opset < 10:
        nodes.append(node("Slice", ["x"], ["s"], starts=[1], ends=[7], axes=[3]))
    else:
        constants |= {"from": _ints(1), "to": _ints(7), "axis": _ints(3)}
        nodes.append(node("Slice", ["x", "from", "to", "axis"], ["s"]))
    if opset < 11:
        nodes += [
            node("Clip", ["s"], ["c"], min=-0.5, max=0.5),
            node("Pad", ["c"], ["p"], pads=[0, 0, 1, 1, 0, 0, 2, 2], value=3.0),
        ]
    else:
        constants |= {"low": np.float32(-0.5), "high": np.float32(0.5), "pads": _ints(0, 0, 1, 1, 0, 0, 2, 2)}
        constants["fill"] = np.float32(3)
        nodes += [node("Clip", ["s", "low", "high"], ["c"]), node("Pad", ["c", "pads", "fill"], ["p"])]
    if opset < 13:
        nodes.append(node("ReduceSum", ["p"], ["r"], axes=[1], keepdims=1))
    else:
        constants["one"] = _ints(1)
        nodes.append(node("ReduceSum", ["p", "one"], ["r"], keepdims=1))
    nodes.append(node("ReduceMean", ["r"], ["m"], axes=[2], keepdims=0))
    nodes.append(node("ReduceMax", ["m"], ["y"], axes=[1], keepdims=1))
    constants = {name: np.asarray(values) for name, values in constants.items()}
    assert_import_keeps(make_file(nodes, {"x": (2, 3, 5, 8)}, ["y"], constants, opset=opset))


@pytest.mark.parametrize("opset", _OLD)
def test_split_becomes_slices(opset: int) -> None:
    if opset < 13:
        split, constants = node("Split", ["x"], ["a", "b", "c"], axis=-1, split=[1, 2, 3]), {}
    else:
        split, constants = node("Split", ["x", "k"], ["a", "b", "c"], axis=-1), {"k": _ints(1, 2, 3)}
    nodes = [split, node("Relu", ["a"], ["y"]), node("Neg", ["c"], ["z"])]
    model = assert_import_keeps(make_file(nodes, {"x": (1, 2, 6)}, ["y", "z"], constants, opset=opset))
    assert operator_types(model) == [["Slice", "Relu"], ["Slice", "Neg"]]


@pytest.mark.parametrize("opset", _OLD)
def test_dropout_with_a_mask_that_nobody_reads(opset: int) -> None:
    nodes = [node("Relu", ["x"], ["r"]), node("Dropout", ["r"], ["d", "mask"]), node("Neg", ["d"], ["y"])]
    model = assert_import_keeps(make_file(nodes, {"x": (2, 3)}, ["y"], opset=opset))
    assert operator_types(model) == [["Relu", "Neg"]]


@pytest.mark.parametrize("opset", _OLD)
def test_arithmetic_and_matmul(opset: int) -> None:
    nodes = [
        node("Mul", ["x", "k"], ["a"]),
        node("Sub", ["a", "x"], ["b"]),
        node("Sum", ["a", "b", "x"], ["c"]),
        node("PRelu", ["c", "slope"], ["d"]),
        node("MatMul", ["d", "w"], ["e"]),
        node("Sigmoid", ["e"], ["f"]),
        node("Pow", ["f", "two"], ["g"]),
        node("Transpose", ["g"], ["h"], perm=[0, 2, 1]),
        node("LogSoftmax", ["h"], ["y"], axis=2),
    ]
    constants = {"k": _floats(5), "slope": _floats(1, 1, 5), "w": _floats(5, 6), "two": np.array(2, np.float32)}
    assert_import_keeps(make_file(nodes, {"x": (2, 3, 5)}, ["y"], constants, opset=opset))


@pytest.mark.parametrize("opset", _OLD)
def test_pools_and_normalisations(opset: int) -> None:
    nodes = [
        node("AveragePool", ["x"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        node("LRN", ["a"], ["b"], size=3),
        node("InstanceNormalization", ["b", "s", "s"], ["c"]),
        node("ConvTranspose", ["c", "w"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        node("DepthToSpace", ["d"], ["e"], blocksize=2),
        node("SpaceToDepth", ["e"], ["f"], blocksize=4),
        node("LeakyRelu", ["f"], ["g"], alpha=0.1),
        node("Elu", ["g"], ["y"]),
    ]
    constants = {"s": _floats(4), "w": _floats(4, 8, 2, 2)}
    assert_import_keeps(make_file(nodes, {"x": (1, 4, 8, 8)}, ["y"], constants, opset=opset))


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 16])
def test_gather_cast_and_comparisons(opset: int) -> None:
    nodes = [
        node("Gather", ["x", "at"], ["a"], axis=1),
        node("Greater", ["a", "k"], ["b"]),
        node("Cast", ["b"], ["c"], to=onnx.TensorProto.FLOAT),
        node("Tile", ["c", "repeats"], ["d"]),
        node("ReduceMin", ["d"], ["e"], axes=[0], keepdims=1),
        node("ArgMax", ["d"], ["f"], axis=1, keepdims=1),
        node("Cast", ["f"], ["g"], to=onnx.TensorProto.FLOAT),
        node("Add", ["e", "g"], ["y"]),
    ]
    constants = {"at": _ints(2, 0), "k": np.array(0, np.float32), "repeats": _ints(2, 2)}
    assert_import_keeps(make_file(nodes, {"x": (4, 3)}, ["y"], constants, opset=opset))


@pytest.mark.parametrize("opset", range(7, 18))
@pytest.mark.parametrize("sized", [False, True])
def test_operators_with_several_outputs(opset: int, sized: bool) -> None:
    halves = node("Split", ["x"], ["a", "b"], axis=1)
    if opset < 10:
        best, constants = node("TopK", ["a"], ["values", "at"], k=2, axis=1), {}
    else:
        best, constants = node("TopK", ["a", "k"], ["values", "at"], axis=1), {"k": _ints(2)}
    outputs = ["y", "values"] if sized else ["y"]
    nodes = [halves, best, node("Cast", ["at"], ["c"], to=onnx.TensorProto.FLOAT), node("Mul", ["c", "c"], ["y"])]
    model = assert_import_keeps(make_file(nodes, {"x": (1, 8)}, outputs, constants, opset=opset))
    assert operator_types(model) == [["Slice"], ["TopK"], ["Cast", "Mul"]]
    assert model.layers[1].outputs == (("values", "at") if sized else ("at",))


@pytest.mark.parametrize(("outputs", "kept"), [(["y", "", ""], 1), (["", "y"], 2), (["y", "h", "c"], 1)])
def test_a_recurrence_is_kept_whole(outputs: list[str], kept: int) -> None:
    constants = {"w": _floats(1, 8, 3), "r": _floats(1, 8, 2)}
    nodes = [node("LSTM", ["x", "w", "r"], outputs, hidden_size=2)]
    (layer,) = assert_import_keeps(make_file(nodes, {"x": (4, 1, 3)}, ["y"], constants, opset=9)).layers
    assert layer.outputs == ("y",)
    assert len(layer.operators[0].outputs) == kept


def test_an_opset_below_7_is_refused() -> None:
    with pytest.raises(InputError, match="opset 6"):
        load_model(make_file([node("Relu", ["x"], ["y"])], {"x": (1,)}, ["y"], opset=6))


def test_an_operator_without_counterpart_is_refused() -> None:
    with pytest.raises(InputError, match="Hardmax of opset 12"):
        load_model(make_file([node("Hardmax", ["x"], ["y"], axis=1)], {"x": (2, 3, 4)}, ["y"], opset=12))
