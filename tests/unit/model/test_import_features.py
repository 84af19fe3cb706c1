"""What import rewrites, one feature at a time: the numbers stay, and the graph becomes what was meant."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_building import (
    assert_import_keeps,
    make_file,
    operator_types,
    random_feeds,
    run,
    written_back,
)
from onnx import TensorProto, helper, numpy_helper

from legion.model.model import Array
from legion.model.onnx_import import load_model

node = helper.make_node


def _floats(*shape: int) -> Array:
    return np.random.default_rng(1).uniform(0.5, 1.5, shape).astype(np.float32)


def _ints(*values: int) -> Array:
    return np.array(values, np.int64)


def _convolution_file() -> onnx.ModelProto:
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["y"])]
    return make_file(nodes, {"x": (1, 3, 6, 6)}, ["y"], {"w": _floats(64, 3, 3, 3)})


def test_path_bytes_and_model_give_the_same(tmp_path: Path) -> None:
    file = _convolution_file()
    before = file.SerializeToString()
    onnx.save(file, tmp_path / "model.onnx")
    models = [load_model(tmp_path / "model.onnx"), load_model(str(tmp_path / "model.onnx")), load_model(before)]
    assert {model.digest for model in models} == {load_model(file).digest}
    assert file.SerializeToString() == before


def test_the_digest_names_weights_and_graph() -> None:
    file = _convolution_file()
    changed_weight, changed_graph = onnx.ModelProto(), onnx.ModelProto()
    changed_weight.CopyFrom(file)
    changed_weight.graph.initializer[0].CopyFrom(numpy_helper.from_array(_floats(64, 3, 3, 3) + 1, "w"))
    changed_graph.CopyFrom(file)
    changed_graph.graph.node[1].op_type = "Sigmoid"
    assert len({load_model(each).digest for each in (file, changed_weight, changed_graph)}) == 3


def test_external_data_is_read_from_beside_the_file(tmp_path: Path) -> None:
    expected = load_model(_convolution_file())
    onnx.save(
        _convolution_file(), tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0, location="w.bin"
    )
    assert load_model(tmp_path / "model.onnx").digest == expected.digest


def test_shapes_computed_by_operators_are_folded() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Unsqueeze", ["n", "axis"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    constants = {"zero": np.array(0), "axis": _ints(0), "rest": _ints(-1), "w": _floats(12, 5)}
    model = assert_import_keeps(make_file(nodes, {"x": ("N", 3, 4)}, ["y"], constants), batch=2)
    assert operator_types(model) == [["Reshape", "MatMul"]]
    assert model.constants["target"].tolist() == [2, -1]


def test_shapes_that_folding_reveals_are_folded_in_turn() -> None:
    nodes = [
        node("Shape", ["x"], ["s0"]),
        node("Range", ["from", "to", "step"], ["order"]),
        node("Gather", ["s0", "order"], ["s1"]),
        node("Expand", ["x", "s1"], ["e"]),
        node("Tile", ["e", "s1"], ["t"]),
        node("Shape", ["t"], ["s2"]),
        node("ReduceProd", ["s2"], ["p"], keepdims=0),
        node("Cast", ["p"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["t", "f"], ["y"]),
    ]
    constants = {"from": np.array(0), "to": np.array(2), "step": np.array(1)}
    model = assert_import_keeps(make_file(nodes, {"x": (2, 3)}, ["y"], constants))
    assert operator_types(model) == [["Tile", "Mul"]]
    assert model.tensors["y"].shape == (4, 9)


def test_a_cast_like_something_is_a_cast() -> None:
    """What it is like is read for its type alone: scalars like an image are constants."""
    nodes = [
        node("CastLike", ["two", "x"], ["factor"]),
        node("Mul", ["x", "factor"], ["m"]),
        node("Greater", ["m", "factor"], ["g"]),
        node("CastLike", ["g", "x"], ["y"]),
    ]
    constants = {"two": np.array(2, np.int64)}
    model = assert_import_keeps(make_file(nodes, {"x": (1, 3, 4, 4)}, ["y"], constants))
    assert model.constants["factor"].dtype == np.float32
    assert [kind for layer in operator_types(model) for kind in layer] == ["Mul", "Greater", "Cast"]


def test_constant_operators_are_folded_however_large() -> None:
    nodes = [
        node("ConstantOfShape", ["s"], ["w"], value=numpy_helper.from_array(np.array([0.5], np.float32))),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    model = assert_import_keeps(make_file(nodes, {"x": (1, 64)}, ["y"], {"s": _ints(64, 100_000)}))
    assert operator_types(model) == [["MatMul"]]


def test_initializers_that_are_inputs_too_are_constants() -> None:
    file = _convolution_file()
    file.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, (64, 3, 3, 3)))
    model = assert_import_keeps(file)
    assert [port.name for port in model.inputs] == ["x"]


@pytest.mark.parametrize("symbol", ["N", "batch", "batch_size", "unk_batch", None])
def test_a_symbolic_batch_is_fixed(symbol: str | None) -> None:
    file = make_file([node("Relu", ["x"], ["y"])], {"x": (symbol, 3)}, ["y"])
    assert load_model(file).inputs[0].type.shape == (1, 3)
    model = assert_import_keeps(file, batch=4)
    assert model.inputs[0].type.shape == (4, 3)
    assert model.outputs[0].type.shape == (4, 3)
    assert model.inputs[0].dims == (symbol, 3)


def test_symbolic_sizes_are_given_by_name() -> None:
    nodes = [node("Add", ["x", "z"], ["s"]), node("Relu", ["s"], ["y"])]
    file = make_file(nodes, {"x": ("N", 3, "height", "width"), "z": ("N", 3, "height", None)}, ["y"])
    model = assert_import_keeps(file, sizes={"height": 5, "width": 7, "z[3]": 7})
    assert model.outputs[0].type.shape == (1, 3, 5, 7)
    assert model.inputs[1].dims == ("N", 3, "height", None)


def test_float16_is_computed_in_float32() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Cast", ["c"], ["wide"], to=TensorProto.FLOAT),
        node("Relu", ["wide"], ["r"]),
        node("Cast", ["r"], ["narrow"], to=TensorProto.FLOAT16),
        node("Constant", [], ["k"], value=numpy_helper.from_array(np.array(0.5, np.float16))),
        node("Mul", ["narrow", "k"], ["m"]),
        node("Shape", ["x"], ["s"]),
        node("ConstantOfShape", ["s1"], ["z"], value=numpy_helper.from_array(np.array([0.25], np.float16))),
        node("Add", ["m", "z"], ["y"]),
    ]
    constants = {"w": _floats(8, 3, 3, 3).astype(np.float16), "s1": _ints(1, 8, 1, 1)}
    file = make_file(nodes, {"x": (1, 3, 6, 6)}, ["y"], constants, element_type=TensorProto.FLOAT16)
    model = load_model(file)
    assert operator_types(model) == [["Conv", "Relu", "Mul", "Add"]]
    assert {tensor.dtype for tensor in model.tensors.values()} == {"float32"}
    assert {values.dtype.name for values in model.constants.values()} == {"float32"}
    assert (model.inputs[0].type.dtype, model.outputs[0].type.dtype) == ("float16", "float16")
    feeds = random_feeds(model)
    feeds = {name: values.astype(np.float16).astype(np.float32) for name, values in feeds.items()}
    expected = run(file, {name: values.astype(np.float16) for name, values in feeds.items()})[0]
    np.testing.assert_allclose(run(written_back(model), feeds)[0], expected, rtol=2e-2, atol=2e-2)


def test_what_casts_alone_make_and_read_stays_float16() -> None:
    nodes = [
        node("Neg", ["x"], ["n"]),
        node("Cast", ["n"], ["rounded"], to=TensorProto.FLOAT16),
        node("Cast", ["rounded"], ["restored"], to=TensorProto.FLOAT),
        node("Cast", ["rounded"], ["computed"], to=TensorProto.FLOAT16),
        node("Neg", ["computed"], ["y"]),
        node("Neg", ["restored"], ["z"]),
    ]
    file = make_file(nodes, {"x": (1, 3, 6, 6)}, ["y", "z"])
    file.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    model = load_model(file)
    assert {name for name, kind in model.tensors.items() if kind.dtype == "float16"} == {"rounded"}
    feeds = random_feeds(model)
    for before, after in zip(run(file, feeds), run(written_back(model), feeds), strict=True):
        assert np.array_equal(before.astype(np.float32), after)


def test_outputs_that_a_cast_makes_float16_are_computed_in_float32() -> None:
    nodes = [
        node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16),
        node("Cast", ["y"], ["w"], to=TensorProto.FLOAT),
        node("Neg", ["w"], ["z"]),
    ]
    file = make_file(nodes, {"x": (1, 3, 6, 6)}, ["y", "z"])
    file.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    model = load_model(file)
    assert {kind.dtype for kind in model.tensors.values()} == {"float32"}
    assert [port.type.dtype for port in model.outputs] == ["float16", "float32"]


@pytest.mark.parametrize("element_type", [TensorProto.DOUBLE, TensorProto.INT32])
def test_other_types_stay(element_type: int) -> None:
    file = make_file([node("Abs", ["x"], ["y"])], {"x": (2, 3)}, ["y"], element_type=element_type)
    model = assert_import_keeps(file)
    assert model.tensors["y"].dtype == model.outputs[0].type.dtype
    assert model.outputs[0].type.dtype in ("float64", "int32")


@settings(max_examples=25)
@given(
    groups=st.integers(1, 3),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    bias=st.booleans(),
    kind=st.sampled_from(["Conv", "ConvTranspose"]),
)
def test_batch_normalisation_folds_into_convolutions(
    groups: int, per_group: tuple[int, int], bias: bool, kind: str
) -> None:
    inputs, outputs = (groups * count for count in per_group)
    shape = (outputs, per_group[0], 3, 3) if kind == "Conv" else (inputs, per_group[1], 3, 3)
    statistics = ["scale", "shift", "mean", "variance"]
    constants = {"w": _floats(*shape), "b": _floats(outputs)}
    generator = np.random.default_rng(2)
    constants |= {name: generator.uniform(0.5, 2, outputs).astype(np.float32) for name in statistics}
    nodes = [
        node(kind, ["x", "w", "b"] if bias else ["x", "w"], ["c"], group=groups),
        node("BatchNormalization", ["c", *statistics], ["y"], epsilon=1e-3),
    ]
    model = assert_import_keeps(make_file(nodes, {"x": (1, inputs, 5, 5)}, ["y"], constants))
    assert operator_types(model) == [[kind]]


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("offset_shape", [None, (), (1,), (4,), (1, 4), (2, 4)])
def test_batch_normalisation_folds_into_gemm(transposed: int, offset_shape: tuple[int, ...] | None) -> None:
    constants = {"w": _floats(4, 6) if transposed else _floats(6, 4), "s": _floats(4)}
    inputs = ["x", "w"]
    if offset_shape is not None:
        constants["o"] = np.asarray(_floats(*offset_shape))
        inputs.append("o")
    nodes = [
        node("Gemm", inputs, ["g"], transB=transposed, alpha=0.5, beta=2.0),
        node("BatchNormalization", ["g", "s", "s", "s", "s"], ["y"]),
    ]
    assert operator_types(assert_import_keeps(make_file(nodes, {"x": (2, 6)}, ["y"], constants))) == [["Gemm"]]


def test_two_batch_normalisations_in_a_row_fold() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("BatchNormalization", ["c", "s", "s", "s", "s"], ["n"]),
        node("BatchNormalization", ["n", "s", "s", "s", "s"], ["y"]),
    ]
    constants = {"w": _floats(4, 3, 1, 1), "s": _floats(4)}
    assert operator_types(assert_import_keeps(make_file(nodes, {"x": (1, 3, 4, 4)}, ["y"], constants))) == [["Conv"]]


def test_a_shared_weight_is_scaled_for_one_convolution_alone() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Conv", ["x", "w"], ["d"]),
        node("BatchNormalization", ["c", "s", "s", "s", "s"], ["n"]),
        node("Add", ["n", "d"], ["y"]),
    ]
    constants = {"w": _floats(4, 3, 1, 1), "s": _floats(4) * 3}
    model = assert_import_keeps(make_file(nodes, {"x": (1, 3, 4, 4)}, ["y"], constants))
    assert operator_types(model) == [["Conv"], ["Conv"], ["Add"]]


@pytest.mark.parametrize("seen", ["another reader", "an output"])
def test_a_convolution_that_others_see_keeps_its_normalisation(seen: str) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"]), node("BatchNormalization", ["c", "s", "s", "s", "s"], ["y"])]
    outputs = ["y", "c"]
    if seen == "another reader":
        nodes.append(node("Neg", ["c"], ["z"]))
        outputs = ["y", "z"]
    constants = {"w": _floats(4, 3, 1, 1), "s": _floats(4) * 3}
    model = assert_import_keeps(make_file(nodes, {"x": (1, 3, 4, 4)}, outputs, constants))
    assert ["BatchNormalization"] in operator_types(model)


def test_identities_disappear_and_ports_keep_their_names() -> None:
    nodes = [
        node("Identity", ["x"], ["i"]),
        node("Relu", ["i"], ["r"]),
        node("Dropout", ["r", "", "no"], ["d"]),
        node("Cast", ["d"], ["f"], to=TensorProto.FLOAT),
        node("Reshape", ["f", "same"], ["y"]),
        node("Neg", ["r"], ["z"]),
    ]
    constants = {"same": _ints(2, -1), "no": np.array(False)}
    model = assert_import_keeps(make_file(nodes, {"x": (2, 3)}, ["y", "z"], constants))
    assert operator_types(model) == [["Relu"], ["Neg"]]
    assert model.layers[0].outputs == ("y",)


def test_outputs_that_are_inputs_constants_or_equal() -> None:
    nodes = [
        node("Identity", ["x"], ["a"]),
        node("Relu", ["x"], ["b"]),
        node("Identity", ["b"], ["c"]),
        node("Constant", [], ["k"], value=numpy_helper.from_array(_floats(3))),
        node("Neg", ["k"], ["d"]),
    ]
    file = make_file(nodes, {"x": (2, 3)}, ["a", "b", "c", "d"])
    model = load_model(file)
    assert operator_types(model) == [["Identity"], ["Relu"], ["Identity"]]
    feeds = random_feeds(model)
    *expected, constant = run(file, feeds)
    for left, right in zip(expected, run(written_back(model), feeds), strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(model.constants["d"], constant)
    assert model.outputs[3].type.shape == (3,)


def test_an_output_that_is_an_input_itself_is_kept_as_a_port() -> None:
    model = load_model(make_file([node("Relu", ["x"], ["y"])], {"x": (2, 3)}, ["x", "y"]))
    assert [port.name for port in model.outputs] == ["x", "y"]


def test_results_that_nobody_reads_are_dropped() -> None:
    nodes = [
        node("MaxPool", ["x"], ["p", "indices"], kernel_shape=[2, 2]),
        node("Neg", ["x"], ["unread"]),
        node("LayerNormalization", ["p", "s"], ["y", "mean", "deviation"]),
    ]
    model = assert_import_keeps(make_file(nodes, {"x": (1, 2, 4, 4)}, ["y"], {"s": _floats(3), "lost": _floats(9)}))
    assert [operator.outputs for layer in model.layers for operator in layer.operators] == [("p",), ("y",)]
    assert list(model.constants) == ["s"]


def test_shapes_that_depend_on_data_are_dynamic() -> None:
    nodes = [
        node("NonZero", ["x"], ["at"]),
        node("Transpose", ["at"], ["rows"]),
        node("Shape", ["rows"], ["s"]),
        node("ConstantOfShape", ["s"], ["ones"], value=numpy_helper.from_array(_ints(1))),
        node("Add", ["rows", "ones"], ["y"]),
    ]
    file = make_file(nodes, {"x": (2, 3)}, ["y"], output_type=TensorProto.INT64)
    model = assert_import_keeps(file)
    assert model.tensors["at"].dynamic
    assert model.tensors["at"].shape == (2, 1)
    assert not model.tensors["x"].dynamic
    assert ["Expand"] in operator_types(model)


def test_views_of_dynamic_tensors_stay() -> None:
    nodes = [
        node("NonZero", ["x"], ["at"]),
        node("Shape", ["at"], ["s"]),
        node("Abs", ["s"], ["opaque"]),
        node("Gather", ["opaque", "reversed"], ["r"]),
        node("Reshape", ["at", "r"], ["turned"]),
        node("Reshape", ["turned", "opaque"], ["y"]),
    ]
    file = make_file(nodes, {"x": (2, 3)}, ["turned", "y"], {"reversed": _ints(1, 0)}, output_type=TensorProto.INT64)
    model = assert_import_keeps(file)
    assert model.tensors["turned"] == model.tensors["y"]


def _choice(condition: str) -> onnx.NodeProto:
    def branch(name: str, weight: float) -> onnx.GraphProto:
        nodes = [node("Mul", ["x", "k"], ["inner"]), node("Relu", ["inner"], ["result"])]
        weights = [numpy_helper.from_array(np.array(weight, np.float32), "k")]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info("result", 1, None)], weights)

    return node("If", [condition], [f"y_{condition}"], then_branch=branch("t", 2.0), else_branch=branch("e", -3.0))


def test_a_choice_on_shapes_becomes_the_branch_taken() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Size", ["s"], ["rank"]),
        node("Equal", ["rank", "two"], ["yes"]),
        node("Not", ["yes"], ["no"]),
        _choice("yes"),
        _choice("no"),
        node("Sub", ["y_yes", "y_no"], ["y"]),
    ]
    model = assert_import_keeps(make_file(nodes, {"x": (2, 3)}, ["y"], {"two": np.array(2)}))
    assert operator_types(model) == [["Mul", "Relu"], ["Mul", "Relu"], ["Sub"]]


def test_a_branch_may_leave_out_an_output() -> None:
    weights = [numpy_helper.from_array(_floats(1, 8, 3), "w"), numpy_helper.from_array(_floats(1, 8, 2), "r")]
    branch = helper.make_graph(
        [node("LSTM", ["x", "w", "r"], ["", "last"], hidden_size=2), node("Relu", ["last"], ["result"])],
        "branch",
        [],
        [helper.make_tensor_value_info("result", 1, None)],
        weights,
    )
    nodes = [node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]
    model = assert_import_keeps(make_file(nodes, {"x": (4, 1, 3)}, ["y"], {"yes": np.array(True)}))
    assert [kind for layer in operator_types(model) for kind in layer] == ["LSTM", "Relu"]


def test_functions_are_inlined() -> None:
    body = [node("Mul", ["a", "a"], ["square"]), node("Relu", ["square"], ["b"])]
    function = helper.make_function("mine", "SquareRelu", ["a"], ["b"], body, [helper.make_opsetid("", 20)])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)]
    nodes = [node("SquareRelu", ["x"], ["z"], domain="mine"), node("SquareRelu", ["z"], ["y"], domain="mine")]
    graph = helper.make_graph(
        nodes,
        "functions",
        [helper.make_tensor_value_info("x", 1, (2, 3))],
        [helper.make_tensor_value_info("y", 1, (2, 3))],
    )
    file = helper.make_model(graph, ir_version=10, opset_imports=opsets, functions=[function])
    assert operator_types(assert_import_keeps(file)) == [["Mul", "Relu", "Mul", "Relu"]]


def test_operators_get_unique_names() -> None:
    nodes = [node("Relu", ["x"], ["a"], name="same"), node("Neg", ["a"], ["b"], name="same"), node("Abs", ["b"], ["y"])]
    model = load_model(make_file(nodes, {"x": (2, 3)}, ["y"]))
    names = [operator.name for layer in model.layers for operator in layer.operators]
    assert len(set(names)) == 3
    assert names[0] == "same"
