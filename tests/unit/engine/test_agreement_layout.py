"""Operators that move elements, and Resize: ONNX Runtime and the reference engine agree."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from engine_building import assert_engines_agree, normal, operator
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.model.model import Array

X = normal((2, 4, 6, 5))


def integers(values: Sequence[int]) -> Array:
    return np.array(values, np.int64)


@pytest.mark.parametrize("axis", [0, 1, 3, -2])
def test_concat(axis: int) -> None:
    assert_engines_agree([operator("Concat", ["a", "b"], "y", axis=axis)], {"a": X, "b": normal(X.shape, 1)})


bound = st.integers(-8, 8)


@settings(max_examples=60)
@given(bound, bound, st.sampled_from([1, 2, 3, -1, -2]))
def test_slice(start: int, end: int, step: int) -> None:
    constants = {
        "starts": integers([start, 1]),
        "ends": integers([end, 2**62]),
        "axes": integers([2, -1]),
        "steps": integers([step, 2]),
    }
    assert_engines_agree([operator("Slice", ["x", *constants], "y")], {"x": X}, constants)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_pad(mode: str) -> None:
    constants = {"pads": integers([0, 0, 2, 1, 0, 0, 1, 3]), "value": np.array(1.5, np.float32)}
    assert_engines_agree([operator("Pad", ["x", *constants], "y", mode=mode)], {"x": X}, constants)


def test_pad_of_some_axes_may_crop() -> None:
    constants = {"pads": integers([1, -2, 0, 1]), "axes": integers([2, 3])}
    assert_engines_agree([operator("Pad", ["x", "pads", "", "axes"], "y")], {"x": X}, constants)


SHAPES: list[tuple[str, list[int] | None, dict[str, Any]]] = [
    ("Reshape", [0, -1, 5], {}),
    ("Reshape", [240], {}),
    ("Flatten", None, {}),
    ("Flatten", None, {"axis": 0}),
    ("Flatten", None, {"axis": -1}),
    ("Transpose", None, {}),
    ("Transpose", None, {"perm": (0, 2, 3, 1)}),
    ("Unsqueeze", [0, -1], {}),
    ("Expand", [3, 1, 4, 1, 5], {}),
    ("DepthToSpace", None, {"blocksize": 2}),
    ("DepthToSpace", None, {"blocksize": 2, "mode": "CRD"}),
    ("Shape", None, {}),
    ("Shape", None, {"start": 1, "end": -1}),
    ("Gather", [3, 0, -1], {"axis": 1}),
]


@pytest.mark.parametrize(("op_type", "parameter", "attributes"), SHAPES)
def test_shapes(op_type: str, parameter: list[int] | None, attributes: dict[str, Any]) -> None:
    constants = {} if parameter is None else {"parameter": integers(parameter)}
    x = X[:, :, :1] if op_type == "Expand" else X
    assert_engines_agree([operator(op_type, ["x", *constants], "y", **attributes)], {"x": x}, constants)


@pytest.mark.parametrize("axes", [[0], [-1, 0], None])
def test_squeeze(axes: list[int] | None) -> None:
    constants = {} if axes is None else {"axes": integers(axes)}
    assert_engines_agree([operator("Squeeze", ["x", *constants], "y")], {"x": normal((1, 3, 1))}, constants)


def test_space_to_depth() -> None:
    assert_engines_agree([operator("SpaceToDepth", ["x"], "y", blocksize=2)], {"x": normal((1, 3, 6, 4))})


@settings(max_examples=60)
@given(
    st.sampled_from(["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]),
    st.sampled_from(["linear", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
    *[st.integers(1, 12)] * 2,
    st.sampled_from([None, (2.0, 2.0), (0.5, 3.0)]),
)
def test_resize(coordinates: str, mode: str, rows: int, columns: int, scales: tuple[float, float] | None) -> None:
    attributes = {"coordinate_transformation_mode": coordinates, "mode": "linear" if mode == "linear" else "nearest"}
    if mode != "linear":
        attributes["nearest_mode"] = mode
    if scales is None:
        names, constants = ["x", "", "", "sizes"], {"sizes": integers([*X.shape[:2], rows, columns])}
    else:
        names, constants = ["x", "", "scales"], {"scales": np.array([1, 1, *scales], np.float32)}
    assert_engines_agree([operator("Resize", names, "y", **attributes)], {"x": X}, constants)
