"""Bad input to the import: each fault gets an InputError that says what it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_building import make_file
from onnx import TensorProto, helper, numpy_helper

from legion.errors import InputError
from legion.model.onnx_import import load_model

node = helper.make_node


def _small_file() -> onnx.ModelProto:
    weight = np.ones((4, 3), np.float32)
    return make_file([node("Gemm", ["x", "w"], ["y"], transB=1)], {"x": ("N", 3)}, ["y"], {"w": weight})


def _with(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    file = _small_file()
    change(file)
    return file


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nothing\.onnx: No such file"):
        load_model(tmp_path / "nothing.onnx")


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello, world", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\xff" * 64])
def test_what_is_no_onnx(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    for source in (content, tmp_path / "model.onnx"):
        with pytest.raises(InputError, match="ONNX"):
            load_model(source)


def test_truncation_anywhere_is_an_input_error() -> None:
    content = _small_file().SerializeToString()
    for length in range(len(content)):
        with pytest.raises(InputError):
            load_model(content[:length])


@settings(max_examples=200)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_does_no_worse_than_an_input_error(position: int, value: int) -> None:
    content = bytearray(_small_file().SerializeToString())
    content[position % len(content)] = value
    try:
        load_model(bytes(content))
    except InputError as error:
        assert str(error)


def test_numbers_that_no_engine_has() -> None:
    """Weights of bfloat16 that are widened before use are constants by then; what travels as bfloat16 is refused."""
    weights = helper.make_tensor("w", TensorProto.BFLOAT16, (4, 4), np.ones(16).tolist())
    wide, narrow = (
        helper.make_graph(
            nodes,
            "brain",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))],
            [weights],
        )
        for nodes in (
            [
                helper.make_node("Cast", ["w"], ["v"], to=TensorProto.FLOAT),
                helper.make_node("MatMul", ["x", "v"], ["y"]),
            ],
            [
                helper.make_node("Cast", ["x"], ["b"], to=TensorProto.BFLOAT16),
                helper.make_node("MatMul", ["b", "w"], ["z"]),
                helper.make_node("Cast", ["z"], ["y"], to=TensorProto.FLOAT),
            ],
        )
    )
    opsets = [helper.make_opsetid("", 20)]
    assert load_model(helper.make_model(wide, ir_version=10, opset_imports=opsets)).constants["v"].dtype == np.float32
    with pytest.raises(InputError, match="holds bfloat16, which Legion does not run"):
        load_model(helper.make_model(narrow, ir_version=10, opset_imports=opsets))


def test_missing_external_data(tmp_path: Path) -> None:
    onnx.save(_small_file(), tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    (tmp_path / "w.bin").unlink()
    with pytest.raises(InputError, match="another file"):
        load_model(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"another file; give the path"):
        load_model((tmp_path / "model.onnx").read_bytes())


def test_truncated_external_data(tmp_path: Path) -> None:
    onnx.save(_small_file(), tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    (tmp_path / "w.bin").write_bytes(bytes(8))
    with pytest.raises(InputError, match=r"'w'|another file"):
        load_model(tmp_path / "model.onnx")


def test_external_data_outside_the_models_folder(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    onnx.save(_small_file(), folder / "model.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    (folder / "w.bin").rename(tmp_path / "w.bin")
    file = onnx.load(folder / "model.onnx", load_external_data=False)
    file.graph.initializer[0].external_data[0].value = "../w.bin"
    onnx.save(file, folder / "model.onnx")
    with pytest.raises(InputError, match="another file"):
        load_model(folder / "model.onnx")


def _set_domain(file: onnx.ModelProto) -> None:
    file.graph.node[0].domain = "com.example"
    file.opset_import.append(helper.make_opsetid("com.example", 1))


def _set_dims(file: onnx.ModelProto) -> None:
    file.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


def _shorten_weight(file: onnx.ModelProto) -> None:
    file.graph.initializer[0].raw_data = bytes(8)


def _add_sequence(file: onnx.ModelProto) -> None:
    file.graph.node.append(node("SequenceConstruct", ["y"], ["z"]))
    del file.graph.output[:]
    file.graph.output.append(helper.make_tensor_sequence_value_info("z", TensorProto.FLOAT, None))


def _add_sparse_weight(file: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    file.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))


def _set_opset(file: onnx.ModelProto) -> None:
    file.opset_import[0].version = 99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: setattr(file.graph.node[0], "op_type", "Nonsense"), "not valid ONNX.*Nonsense"),
        (lambda file: setattr(file.graph.node[0], "domain", "ai.onnx.ml"), "not valid|domain"),
        (lambda file: file.graph.node[0].input.__setitem__(0, "unknown"), "not valid ONNX.*unknown"),
        (lambda file: file.ClearField("opset_import"), "not an ONNX model"),
        (lambda file: file.ClearField("graph"), "not an ONNX model"),
        (_set_domain, "domain 'com.example'"),
        (_set_dims, "shapes do not fit"),
        (_shorten_weight, "'w' do not fit"),
        (_add_sequence, "sequences"),
        (_add_sparse_weight, "sparse"),
        (_set_opset, "opset 99, newer"),
    ],
)
def test_a_faulty_or_foreign_graph(change: Callable[[onnx.ModelProto], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(_with(change))


def test_a_split_into_another_number_of_parts() -> None:
    file = make_file([node("Split", ["x"], ["y", "z"], num_outputs=2)], {"x": (2, 3)}, ["y"])
    file.graph.node[0].attribute[0].i = 1
    with pytest.raises(InputError, match="number of outputs"):
        load_model(file)


@pytest.mark.parametrize(
    "faulty",
    [
        node("RandomNormalLike", ["x"], ["y"]),
        node("RandomUniform", [], ["y"], shape=[2, 3]),
        node("Bernoulli", ["x"], ["y"]),
        node("Dropout", ["x", "", "yes"], ["y"]),
    ],
)
def test_random_operators(faulty: onnx.NodeProto) -> None:
    file = make_file([faulty], {"x": (2, 3)}, ["y"], {"yes": np.array(True)})
    with pytest.raises(InputError, match=rf"{faulty.op_type} .*(random|training)"):
        load_model(file)


def _branch(operator: str) -> onnx.GraphProto:
    return helper.make_graph(
        [node(operator, ["x"], ["r"])], operator, [], [helper.make_tensor_value_info("r", 1, None)]
    )


def test_control_flow_on_data() -> None:
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Greater", ["m", "zero"], ["c"]),
        node("If", ["c"], ["y"], name="choice", then_branch=_branch("Relu"), else_branch=_branch("Neg")),
    ]
    file = make_file(nodes, {"x": (2, 3)}, ["y"], {"zero": np.array(0, np.float32)})
    with pytest.raises(InputError, match=r"If \(operator 'choice'\)"):
        load_model(file)


def test_a_loop() -> None:
    values = [helper.make_tensor_value_info("i", TensorProto.INT64, ()), helper.make_tensor_value_info("c", 9, ())]
    carried = helper.make_tensor_value_info("a", 1, (2, 3))
    body_nodes = [node("Identity", ["c"], ["go"]), node("Relu", ["a"], ["b"])]
    results = [helper.make_tensor_value_info("go", 9, ()), helper.make_tensor_value_info("b", 1, (2, 3))]
    body = helper.make_graph(body_nodes, "body", [*values, carried], results)
    file = make_file([node("Loop", ["n", "", "x"], ["y"], body=body)], {"x": (2, 3)}, ["y"], {"n": np.array(3)})
    with pytest.raises(InputError, match="Loop"):
        load_model(file)


def test_open_extents_are_listed() -> None:
    file = make_file([node("Relu", ["x"], ["y"])], {"x": ("N", 3, "height", None)}, ["y"])
    with pytest.raises(InputError, match=r"open: height, x\[3\]"):
        load_model(file)
    with pytest.raises(InputError, match=r"open: x\[3\]"):
        load_model(file, sizes={"height": 4})
    with pytest.raises(InputError, match="no open extent named depth"):
        load_model(file, sizes={"height": 4, "x[3]": 4, "depth": 1})
    with pytest.raises(InputError, match="height cannot be 0"):
        load_model(file, sizes={"height": 0, "x[3]": 4})


def test_a_first_axis_that_is_no_batch_must_be_given() -> None:
    file = make_file([node("Relu", ["x"], ["y"])], {"x": ("sequence", 3)}, ["y"])
    with pytest.raises(InputError, match="sequence"):
        load_model(file)
    assert load_model(file, sizes={"sequence": 6}).inputs[0].type.shape == (6, 3)


@pytest.mark.parametrize(
    ("dims", "batch", "message"), [((2, 3), 4, "batch is fixed"), (("N", 3), 0, "batch cannot be 0")]
)
def test_a_batch_that_cannot_be(dims: tuple[int | str, ...], batch: int, message: str) -> None:
    file = make_file([node("Relu", ["x"], ["y"])], {"x": dims}, ["y"])
    with pytest.raises(InputError, match=message):
        load_model(file, batch=batch)


def test_strings() -> None:
    file = make_file([node("Identity", ["x"], ["y"])], {"x": (2,)}, ["y"], element_type=TensorProto.STRING)
    with pytest.raises(InputError, match="strings"):
        load_model(file)


def test_a_constant_too_large_to_fold() -> None:
    nodes = [node("ConstantOfShape", ["s"], ["w"]), node("MatMul", ["x", "w"], ["y"])]
    file = make_file(nodes, {"x": (1, 1 << 20)}, ["y"], {"s": np.array([1 << 20, 1 << 20])})
    with pytest.raises(InputError, match="bytes"):
        load_model(file)
