"""Operators that keep each element to itself: ONNX Runtime and the reference engine agree."""

from typing import Any

import numpy as np
import pytest
from engine_building import assert_engines_agree, normal, operator

UNARY: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Identity", "Mish", "Neg")],
    *[(name, {}) for name in ("Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh")],
    *[(name, {}) for name in ("Celu", "Elu", "Gelu", "HardSigmoid", "LeakyRelu", "Reciprocal", "Selu")],
    ("Celu", {"alpha": 0.7}),
    ("Elu", {"alpha": 0.3}),
    ("Gelu", {"approximate": "tanh"}),
    ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}),
    ("LeakyRelu", {"alpha": 0.2}),
    ("Selu", {"alpha": 1.5, "gamma": 1.1}),
    *[("Cast", {"to": target}) for target in (1, 6, 7, 9, 10, 11)],
]


@pytest.mark.parametrize(("op_type", "attributes"), UNARY)
def test_unary(op_type: str, attributes: dict[str, Any]) -> None:
    assert_engines_agree([operator(op_type, ["x"], "y", **attributes)], {"x": 3 * normal((2, 3, 4, 5))})


@pytest.mark.parametrize("op_type", ["Log", "Sqrt"])
def test_unary_of_positive_values(op_type: str) -> None:
    assert_engines_agree([operator(op_type, ["x"], "y")], {"x": np.abs(normal((2, 3, 4, 5))) + 0.1})


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div", "PRelu", "Greater", "LessOrEqual", "Equal"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 1, 1), (1,), ()])
def test_binary_with_broadcasting(op_type: str, shape: tuple[int, ...]) -> None:
    node = operator(op_type, ["x", "c"], "y")
    assert_engines_agree([node], {"x": normal((2, 3, 4, 5))}, {"c": normal(shape, seed=1)})


@pytest.mark.parametrize("op_type", ["Max", "Mean", "Min", "Sum"])
def test_variadic(op_type: str) -> None:
    inputs = {name: normal((2, 3, 4), seed) for seed, name in enumerate("abc")}
    assert_engines_agree([operator(op_type, ["a", "b", "c"], "y")], inputs)


def test_integer_division_goes_towards_zero() -> None:
    inputs = {"a": np.array([-7, 7, -8], np.int64), "b": np.array([2, -2, 3], np.int64)}
    assert_engines_agree([operator("Div", ["a", "b"], "y")], inputs)


def test_power_keeps_the_dtype_of_its_base() -> None:
    inputs = {"a": np.abs(normal((2, 3))), "b": np.array([2, 3, 1], np.int64)}
    assert_engines_agree([operator("Pow", ["a", "b"], "y")], inputs)


@pytest.mark.parametrize("bounds", [("low", "high"), ("", "high"), ("low",)])
def test_clip_with_optional_bounds(bounds: tuple[str, ...]) -> None:
    constants = {"low": np.array(-0.5, np.float32), "high": np.array(0.6, np.float32)}
    assert_engines_agree([operator("Clip", ["x", *bounds], "y")], {"x": normal((2, 3, 4))}, constants)


def test_logic_and_choice() -> None:
    nodes = [
        operator("Less", ["a", "b"], "less"),
        operator("GreaterOrEqual", ["a", "c"], "more"),
        operator("And", ["less", "more"], "both"),
        operator("Or", ["less", "more"], "either"),
        operator("Not", ["both"], "neither"),
        operator("Where", ["neither", "a", "b"], "y"),
    ]
    inputs = {name: normal((2, 3, 4), seed) for seed, name in enumerate("abc")}
    assert_engines_agree(nodes, inputs, outputs=("y", "either", "neither"))
