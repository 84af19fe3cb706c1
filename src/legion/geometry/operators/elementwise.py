"""Operators that keep the box: elementwise, with NumPy's broadcasting or with parameters per channel."""

from legion.geometry.box import Box
from legion.geometry.operators.rule import Demanded, Rule, Whole, broadcast_demand
from legion.geometry.site import Site

UNARY = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu"),
    *("Cos", "Cosh", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity"),
    *("IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu"),
    *("Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh"),
    "ThresholdedRelu",
)
BROADCASTING = (
    *("Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Clip", "Div", "Equal"),
    *("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu"),
    *("Pow", "Sub", "Sum", "Where", "Xor"),
)


class Elementwise(Rule):
    """Each output element needs the input elements that broadcast to it."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._shapes = tuple(None if tensor is None else tensor.shape for tensor in site.inputs)
        self._plain = tuple(shape == site.output.shape for shape in self._shapes)

    def demand(self, box: Box) -> Demanded:
        return tuple(
            box if plain else None if shape is None else broadcast_demand(box, shape)
            for shape, plain in zip(self._shapes, self._plain, strict=True)
        )


class PerChannel(Rule):
    """An elementwise operator whose further inputs hold one value per index of one axis, or one for all."""

    def __init__(self, site: Site, axis: int) -> None:
        super().__init__(site)
        self._axis = axis % max(1, len(site.output.shape))

    def demand(self, box: Box) -> Demanded:
        return (
            box,
            *(None if tensor is None else self._parameter(box, tensor.shape) for tensor in self.site.inputs[1:]),
        )

    def _parameter(self, box: Box, shape: tuple[int, ...]) -> Box:
        one_for_all = len(shape) == 0 or shape == (1,)
        return Box.whole(shape) if one_for_all else Box((box.intervals[self._axis],))


def quantisation_rule(site: Site) -> Rule:
    """QuantizeLinear and DequantizeLinear, with scales for all, per channel, or (whole) per block."""
    return Whole(site) if site.integer("block_size", 0) else PerChannel(site, site.integer("axis", 1))
