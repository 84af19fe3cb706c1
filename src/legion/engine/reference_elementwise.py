"""Plain NumPy kernels of operators that keep each element to itself."""

from collections.abc import Callable, Mapping
from functools import reduce
from math import erf, pi, sqrt
from typing import Any

import numpy as np

from legion.engine.reference_call import Call, Kernel, Wide
from legion.model.model import Array

_erf = np.vectorize(erf, otypes=[np.float64])


def _unary(function: Callable[[Wide], Any]) -> Kernel:
    """A kernel of one input that computes in double precision and keeps the input's dtype."""
    return lambda call: np.asarray(function(call.wide(0))).astype(call.array(0).dtype)


def _parametric(function: Callable[[Call, Wide], Any]) -> Kernel:
    return lambda call: np.asarray(function(call, call.wide(0))).astype(call.array(0).dtype)


def _binary(function: Callable[[Array, Array], Any]) -> Kernel:
    """A kernel of two broadcast inputs, in the dtype that `function` gives."""
    return lambda call: np.asarray(function(call.array(0), call.array(1)))


def _variadic(function: Callable[[Array, Array], Any]) -> Kernel:
    return lambda call: reduce(function, [call.array(index) for index in range(len(call.inputs))])


def _divide(left: Array, right: Array) -> Any:
    """Integers are divided towards zero."""
    if left.dtype.kind == "f":
        return left / right
    return np.trunc(left / right).astype(left.dtype)


def _power(call: Call) -> Array:
    return np.power(call.array(0), call.array(1)).astype(call.array(0).dtype)


def _mean(call: Call) -> Array:
    return _variadic(np.add)(call) / call.array(0).dtype.type(len(call.inputs))


def _clip(call: Call) -> Array:
    values = call.array(0)
    low, high = call.optional(1), call.optional(2)
    values = values if low is None else np.maximum(values, low)
    return values if high is None else np.minimum(values, high)


def _cast(call: Call) -> Array:
    targets: Mapping[int, str] = {
        1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32",
        7: "int64", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    }  # fmt: skip
    target = call.integer("to", 0)
    if target not in targets:
        raise call.unsupported(f"target type {target}")
    return call.array(0).astype(targets[target])


def _prelu(call: Call) -> Array:
    values, slope = call.array(0), call.array(1)
    return np.where(values < 0, values * slope, values)


def _where(call: Call) -> Array:
    return np.where(call.array(0), call.array(1), call.array(2))


def _sigmoid(values: Wide) -> Wide:
    return 1 / (1 + np.exp(-values))


def _softplus(values: Wide) -> Wide:
    return np.logaddexp(0, values)


def _hard_sigmoid(call: Call, values: Wide) -> Wide:
    return np.clip(call.number("alpha", 0.2) * values + call.number("beta", 0.5), 0, 1)


def _leaky_relu(call: Call, values: Wide) -> Wide:
    return np.where(values < 0, call.number("alpha", 0.01) * values, values)


def _elu(call: Call, values: Wide) -> Wide:
    return np.where(values < 0, call.number("alpha", 1.0) * np.expm1(values), values)


def _selu(call: Call, values: Wide) -> Wide:
    alpha = call.number("alpha", 1.67326319217681884765625)
    return call.number("gamma", 1.05070102214813232421875) * np.where(values < 0, alpha * np.expm1(values), values)


def _celu(call: Call, values: Wide) -> Wide:
    alpha = call.number("alpha", 1.0)
    return np.maximum(values, 0) + np.minimum(alpha * np.expm1(values / alpha), 0)


def _gelu(call: Call, values: Wide) -> Wide:
    if call.text("approximate", "none") == "tanh":
        return values / 2 * (1 + np.tanh(sqrt(2 / pi) * (values + 0.044715 * values**3)))
    return values / 2 * (1 + _erf(values / sqrt(2)))


KERNELS: Mapping[str, Kernel] = {
    "Abs": lambda call: np.abs(call.array(0)),
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Cast": _cast,
    "Ceil": _unary(np.ceil),
    "Celu": _parametric(_celu),
    "Clip": _clip,
    "Cos": _unary(np.cos),
    "Div": _binary(_divide),
    "Elu": _parametric(_elu),
    "Equal": _binary(np.equal),
    "Erf": _unary(_erf),
    "Exp": _unary(np.exp),
    "Floor": _unary(np.floor),
    "Gelu": _parametric(_gelu),
    "Greater": _binary(np.greater),
    "GreaterOrEqual": _binary(np.greater_equal),
    "HardSigmoid": _parametric(_hard_sigmoid),
    "HardSwish": _unary(lambda values: values * np.clip(values / 6 + 0.5, 0, 1)),
    "Identity": lambda call: call.array(0).copy(),
    "LeakyRelu": _parametric(_leaky_relu),
    "Less": _binary(np.less),
    "LessOrEqual": _binary(np.less_equal),
    "Log": _unary(np.log),
    "Max": _variadic(np.maximum),
    "Mean": _mean,
    "Min": _variadic(np.minimum),
    "Mish": _unary(lambda values: values * np.tanh(_softplus(values))),
    "Mul": _binary(np.multiply),
    "Neg": lambda call: -call.array(0),
    "Not": lambda call: ~call.array(0),
    "Or": _binary(np.logical_or),
    "PRelu": _prelu,
    "Pow": _power,
    "Reciprocal": _unary(lambda values: 1 / values),
    "Relu": lambda call: np.maximum(call.array(0), 0),
    "Round": _unary(np.rint),
    "Selu": _parametric(_selu),
    "Sigmoid": _unary(_sigmoid),
    "Sign": lambda call: np.sign(call.array(0)),
    "Sin": _unary(np.sin),
    "Softplus": _unary(_softplus),
    "Softsign": _unary(lambda values: values / (1 + np.abs(values))),
    "Sqrt": _unary(np.sqrt),
    "Sub": _binary(np.subtract),
    "Sum": _variadic(np.add),
    "Tanh": _unary(np.tanh),
    "Where": _where,
}
