"""A whole model file in one session: what split answers are compared with."""

from pathlib import Path

import numpy as np
import pytest
from engine_building import local_graph, normal, operator

from legion.engine.onnx_build import build_onnx
from legion.engine.whole_model import WholeModel
from legion.errors import InputError

X = normal((1, 2, 3, 4))
MODEL = build_onnx(
    local_graph([operator("Relu", ["x"], "y"), operator("Neg", ["x"], "z")], {"x": X}, outputs=("z", "y")), {}
).SerializeToString()


def test_outputs_by_name_from_a_file_or_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(MODEL)
    for model in (MODEL, tmp_path / "model.onnx", str(tmp_path / "model.onnx")):
        outputs = WholeModel(model).run({"x": X})
        assert list(outputs) == ["z", "y"]
        np.testing.assert_array_equal(outputs["y"], np.maximum(X, 0))
        np.testing.assert_array_equal(outputs["z"], -X)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for model in (b"garbage", MODEL[:-7], tmp_path / "missing.onnx"):
        with pytest.raises(InputError):
            WholeModel(model)


def test_feeds_that_do_not_fit_are_refused() -> None:
    whole = WholeModel(MODEL)
    for feeds in ({}, {"q": X}, {"x": X[0]}):
        with pytest.raises(InputError):
            whole.run(feeds)
