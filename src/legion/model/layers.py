"""Groups operators into layers: an anchor, the views and casts in front of it, the elementwise operators behind it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from legion.model.model import Layer, Operator, TensorType

# fmt: off
_ELEMENTWISE_UNARY = frozenset((
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu", "Clip", "Cos",
    "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN",
    "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign",
    "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
))
_ELEMENTWISE_BROADCAST = frozenset((
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "Pow", "PRelu", "Sub", "Sum", "Where", "Xor",
))
# fmt: on
_RIDERS = _ELEMENTWISE_UNARY | _ELEMENTWISE_BROADCAST | {"BatchNormalization"}
_VIEWS = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})


def group_layers(
    operators: Sequence[Operator], tensors: Mapping[str, TensorType], outputs: Collection[str]
) -> tuple[Layer, ...]:
    """Layers in topological order, given operators in topological order.

    `tensors` types the activations, so an input that is not among them is a constant; `outputs` are the
    model's, which stay visible: nothing rides past them.

    A view of constant shape rides in front of its consumer if it has only one, and so does a Cast to a wider type
    with the elementwise operators on it: the narrower tensor is the one that travels. Elementwise operators ride behind
    an anchor as far as they keep its shape, read it and constants alone, and leave one tensor to
    the rest of the model, the narrowest if there is a choice: `x * sigmoid(x)` rides on the convolution that makes x.
    """
    return _Grouping(operators, tensors, outputs).layers()


class _Grouping:
    def __init__(
        self, operators: Sequence[Operator], tensors: Mapping[str, TensorType], outputs: Collection[str]
    ) -> None:
        self._operators = operators
        self._tensors = tensors
        self._outputs = frozenset(outputs)
        self._consumers: dict[str, list[int]] = defaultdict(list)
        for index, operator in enumerate(operators):
            for tensor in self._activations(operator):
                self._consumers[tensor].append(index)
        self._widened = self._widened_tensors()

    def layers(self) -> tuple[Layer, ...]:
        taken: set[int] = set()
        waiting: dict[int, list[int]] = defaultdict(list)
        layers: list[Layer] = []
        for index in range(len(self._operators)):
            if index in taken:
                continue
            in_front = waiting.pop(index, [])
            consumer = self._consumer_to_ride_in_front_of(index)
            if consumer is not None:
                waiting[consumer] += [*in_front, index]
                continue
            riders = self._riders(index)
            taken.update(riders)
            layers.append(self._layer([*in_front, index, *riders], anchor=index))
        return tuple(layers)

    def _activations(self, operator: Operator) -> list[str]:
        """The distinct activations that an operator reads, in order."""
        return [tensor for tensor in dict.fromkeys(operator.inputs) if tensor in self._tensors]

    def _widened_tensors(self) -> frozenset[str]:
        """What a Cast makes of a tensor of fewer bytes, and what elementwise operators make of that and constants.

        What a Cast narrows again is not among them, so that it and that Cast are one layer.
        """
        widened: set[str] = set()
        for operator in self._operators:
            sources, output = self._activations(operator), operator.outputs[0]
            if len(sources) != 1 or not self._may_ride(operator, self._tensors[sources[0]]):
                continue
            widens = operator.op_type == "Cast" and self._is_narrower(sources[0], output)
            if (widens or sources[0] in widened) and not self._is_narrowed(output):
                widened.add(output)
        return frozenset(widened)

    def _is_narrowed(self, tensor: str) -> bool:
        readers = [self._operators[index] for index in self._consumers[tensor]]
        return any(reader.op_type == "Cast" and self._is_narrower(reader.outputs[0], tensor) for reader in readers)

    def _is_narrower(self, tensor: str, other: str) -> bool:
        return self._tensors[tensor].size_bytes < self._tensors[other].size_bytes

    def _consumer_to_ride_in_front_of(self, index: int) -> int | None:
        """The only reader of a view or of what was widened; None for others, and where that must be seen."""
        operator = self._operators[index]
        output = operator.outputs[0]
        consumers = self._consumers[output]
        may_ride = (
            (operator.op_type in _VIEWS or output in self._widened)
            and len(self._activations(operator)) == 1
            and not self._tensors[output].dynamic
            and output not in self._outputs
            and len(consumers) == 1
        )
        return consumers[0] if may_ride else None

    def _riders(self, anchor: int) -> list[int]:
        """The operators that ride on an anchor, in running order: the longest region that leaves one tensor.

        Where a shorter one leaves fewer bytes, that: a Cast of them to a wider type belongs to who reads it.
        """
        if len(self._operators[anchor].outputs) > 1 or self._operators[anchor].op_type in _VIEWS:
            return []
        source = self._operators[anchor].outputs[0]
        region = self._elementwise_region(source)
        lengths = range(len(region), 0, -1)
        regions = [region[:length] for length in lengths if self._leaves_only_the_last(source, region[:length])]
        return min(regions, key=self._bytes_left) if regions else []

    def _bytes_left(self, region: Sequence[int]) -> int:
        return self._tensors[self._operators[region[-1]].outputs[0]].size_bytes

    def _elementwise_region(self, source: str) -> list[int]:
        """All elementwise operators of `source`'s shape that depend on it and constants alone."""
        region: set[int] = set()
        inside = {source}
        pending = sorted(self._consumers[source])
        while pending:
            index = pending.pop(0)
            operator = self._operators[index]
            if index in region or not self._may_ride(operator, self._tensors[source]):
                continue
            if inside.issuperset(self._activations(operator)):
                region.add(index)
                inside.add(operator.outputs[0])
                pending = sorted({*pending, *self._consumers[operator.outputs[0]]})
        return sorted(region)

    def _may_ride(self, operator: Operator, source: TensorType) -> bool:
        output = self._tensors[operator.outputs[0]]
        return (
            operator.op_type in _RIDERS
            and len(operator.outputs) == 1
            and not output.dynamic
            and output.shape == source.shape
        )

    def _leaves_only_the_last(self, source: str, region: Sequence[int]) -> bool:
        members = set(region)
        inner = [source, *(self._operators[index].outputs[0] for index in region[:-1])]
        return all(tensor not in self._outputs and members.issuperset(self._consumers[tensor]) for tensor in inner)

    def _layer(self, members: Sequence[int], anchor: int) -> Layer:
        operators = tuple(self._operators[index] for index in members)
        produced = [tensor for operator in operators for tensor in operator.outputs]
        read = dict.fromkeys(tensor for operator in operators for tensor in self._activations(operator))
        inside = set(members)
        return Layer(
            name=self._operators[anchor].name,
            operators=operators,
            inputs=tuple(tensor for tensor in read if tensor not in produced),
            outputs=tuple(tensor for tensor in produced if self._is_read_outside(tensor, inside)),
        )

    def _is_read_outside(self, tensor: str, members: Collection[int]) -> bool:
        return tensor in self._outputs or any(consumer not in members for consumer in self._consumers[tensor])
