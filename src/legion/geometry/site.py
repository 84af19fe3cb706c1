"""One operator of a model with what its rule needs to know: types, constant values, attributes."""

from dataclasses import dataclass

from legion.model.model import Array, Model, Operator, TensorType


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """An operator where it stands.

    `inputs` types each input (None for an omitted one), activations and constants alike; `values`
    holds the constants among them. `outputs` types each output that is not omitted.
    """

    operator: Operator
    opset: int
    inputs: tuple[TensorType | None, ...]
    values: tuple[Array | None, ...]
    outputs: tuple[TensorType, ...]

    @property
    def output(self) -> TensorType:
        return self.outputs[0]

    @property
    def dynamic(self) -> bool:
        """Whether the shape of any tensor here depends on data."""
        return any(tensor.dynamic for tensor in (*self.inputs, *self.outputs) if tensor is not None)

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of an input that is not omitted."""
        tensor = self.inputs[index]
        assert tensor is not None  # noqa: S101 - required inputs are there: the model passed the checker
        return tensor.shape

    def given(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int) -> Array | None:
        """The constant at this input; None where it is omitted or not constant."""
        return self.values[index] if index < len(self.values) else None

    def integer(self, name: str, default: int) -> int:
        value = self.operator.attributes.get(name, default)
        return int(value) if isinstance(value, (int, float)) else default

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.operator.attributes.get(name, default)
        return tuple(int(item) for item in value) if isinstance(value, tuple) else default

    def text(self, name: str, default: str) -> str:
        value = self.operator.attributes.get(name, default)
        return value if isinstance(value, str) else default


def site_of(model: Model, operator: Operator) -> Site:
    """The view of `operator` in `model`."""
    return Site(
        operator=operator,
        opset=model.opset,
        inputs=tuple(_type_of(model, name) if name else None for name in operator.inputs),
        values=tuple(model.constants.get(name) for name in operator.inputs),
        outputs=tuple(model.tensors[name] for name in operator.outputs if name),
    )


def _type_of(model: Model, name: str) -> TensorType:
    constant = model.constants.get(name)
    if constant is None:
        return model.tensors[name]
    return TensorType(shape=constant.shape, dtype=constant.dtype.name)
