"""`legion prepare` without devices: what it writes, says and refuses."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from legion.cli.main import app
from legion.errors import InputError
from legion.model.onnx_import import load_model
from support.networks import small


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(small("resnet18").content)
    return path


def prepare(model: Path, *words: str) -> str:
    """What the command prints. Raises what it raises."""
    return CliRunner().invoke(app, ["prepare", str(model), *words], catch_exceptions=False).output


def test_half_precision_says_its_effect(model: Path) -> None:
    ready = model.with_name("half.onnx")
    said = json.loads(prepare(model, "-o", str(ready), "--half-precision", "--json"))
    assert said["size_bytes"] == ready.stat().st_size
    assert 0 < said["effect"]["difference"]["max_relative"] < 3e-3
    assert said["effect"]["inputs"] == said["effect"]["rankings"] == 5
    assert load_model(ready).inputs[0].type.dtype == "float32"
    told = " ".join(prepare(model, "-o", str(ready), "--half-precision").split())
    assert "half precision, on 5 seeded inputs: outputs differ" in told
    assert "the best class is the same in" in told


def test_bytes_and_half_precision(model: Path) -> None:
    ready = model.with_name("both.onnx")
    prepare(model, "-o", str(ready), "--half-precision", "--normalize", "imagenet")
    loaded = load_model(ready)
    assert loaded.inputs[0].type.dtype == "uint8"
    assert loaded.tensors[loaded.layers[0].outputs[0]].dtype == "float16"


def test_bytes_alone_have_no_effect_to_report(model: Path) -> None:
    said = json.loads(prepare(model, "-o", str(model.with_name("b.onnx")), "--normalize", "imagenet", "--json"))
    assert said["effect"] is None


def test_numbers_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    steps = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("MaxPool", ["c"], ["y"], kernel_shape=[2, 2]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", (1, 1, 8, 8)),)]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weight = numpy_helper.from_array(np.full((1, 1, 1, 1), 1e6, np.float32), "w")
    graph = helper.make_graph(steps, "large", ports, [result], [weight])
    path = tmp_path / "large.onnx"
    file = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    path.write_bytes(onnx.shape_inference.infer_shapes(file).SerializeToString())
    ready = tmp_path / "ready.onnx"
    with pytest.raises(InputError, match="beyond 65504"):
        prepare(path, "-o", str(ready), "--half-precision")
    assert not ready.exists()


@pytest.mark.parametrize(
    "words", [(), ("--normalize", "unit", "--mean", "1"), ("--half-precision", "--normalize", "unit", "--mean", "1")]
)
def test_what_is_asked_for_must_be_clear(model: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="say how images are normalised"):
        prepare(model, "-o", str(model.with_name("no.onnx")), *words)
