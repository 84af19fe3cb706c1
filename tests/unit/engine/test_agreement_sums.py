"""Products, reductions and normalisations: ONNX Runtime and the reference engine agree."""

from typing import Any

import numpy as np
import pytest
from engine_building import assert_engines_agree, normal, operator
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=40)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(*[st.sampled_from([1.0, 0.5])] * 2),
    st.sampled_from(["none", "row", "matrix"]),
)
def test_gemm(
    extents: tuple[int, int, int], transposed: tuple[bool, bool], factors: tuple[float, float], addend: str
) -> None:
    rows, inner, columns = extents
    left = (inner, rows) if transposed[0] else (rows, inner)
    constants = {"b": normal((columns, inner) if transposed[1] else (inner, columns), seed=1)}
    if addend != "none":
        constants["c"] = normal((columns,) if addend == "row" else (rows, columns), seed=2)
    attributes = dict(zip(("transA", "transB"), map(int, transposed), strict=True))
    attributes |= dict(zip(("alpha", "beta"), factors, strict=True))
    assert_engines_agree([operator("Gemm", ["a", *constants], "y", **attributes)], {"a": normal(left)}, constants)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((2, 1, 4, 3), (3, 3, 2)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
    ],
)
def test_matrix_product(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    assert_engines_agree([operator("MatMul", ["a", "b"], "y")], {"a": normal(left), "b": normal(right, seed=1)})


@pytest.mark.parametrize("op_type", ["ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"])
@pytest.mark.parametrize("axes", [(2, 3), (-1,), (1,), None])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reduction(op_type: str, axes: tuple[int, ...] | None, keepdims: int) -> None:
    constants = {} if axes is None else {"axes": np.array(axes, np.int64)}
    node = operator(op_type, ["x", *constants], "y", keepdims=keepdims)
    assert_engines_agree([node], {"x": normal((2, 3, 4, 5))}, constants)


@pytest.mark.parametrize("noop", [0, 1])
def test_reduction_without_axes(noop: int) -> None:
    node = operator("ReduceSum", ["x"], "y", noop_with_empty_axes=noop)
    assert_engines_agree([node], {"x": normal((2, 3, 4))})


@pytest.mark.parametrize("op_type", ["LogSoftmax", "Softmax"])
@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_softmax(op_type: str, axis: int) -> None:
    assert_engines_agree([operator(op_type, ["x"], "y", axis=axis)], {"x": 5 * normal((2, 3, 4, 5))})


def test_batch_normalisation() -> None:
    constants = {
        name: np.abs(normal((3,), seed)) + 0.1 for seed, name in enumerate(("scale", "shift", "mean", "variance"))
    }
    node = operator("BatchNormalization", ["x", *constants], "y", epsilon=1e-3)
    assert_engines_agree([node], {"x": normal((2, 3, 4, 5))}, constants)


def test_instance_normalisation() -> None:
    constants = {"scale": normal((3,), 1), "shift": normal((3,), 2)}
    assert_engines_agree(
        [operator("InstanceNormalization", ["x", *constants], "y")], {"x": normal((2, 3, 4, 5))}, constants
    )


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("shifted", [False, True])
def test_layer_normalisation(axis: int, shifted: bool) -> None:
    x = normal((2, 3, 5))
    constants = {"scale": normal(x.shape[axis:], 1)} | ({"shift": normal(x.shape[axis:], 2)} if shifted else {})
    assert_engines_agree([operator("LayerNormalization", ["x", *constants], "y", axis=axis)], {"x": x}, constants)


@pytest.mark.parametrize("attributes", [{"size": 5}, {"size": 3, "alpha": 0.5, "beta": 0.6, "bias": 2.0}, {"size": 1}])
def test_local_response_normalisation(attributes: dict[str, Any]) -> None:
    assert_engines_agree([operator("LRN", ["x"], "y", **attributes)], {"x": normal((2, 7, 3, 4))})
