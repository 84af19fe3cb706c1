"""One operator at the moment it runs: what the reference engine's kernels are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from legion.errors import InputError
from legion.model.model import Array, AttributeValue, Operator

Wide = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An operator with the values of its inputs; an omitted input is None."""

    operator: Operator
    inputs: Sequence[Array | None]

    def array(self, index: int) -> Array:
        """An input that the operator needs; InputError where it is omitted."""
        values = self.optional(index)
        if values is None:
            raise InputError(f"operator {self.operator.name!r} ({self.operator.op_type}) lacks input {index}")
        return values

    def optional(self, index: int) -> Array | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def wide(self, index: int) -> Wide:
        """An input in double precision, in which kernels compute."""
        return self.array(index).astype(np.float64)

    def extents(self, index: int) -> tuple[int, ...] | None:
        """An optional input that holds integers: a shape, axes, or bounds."""
        values = self.optional(index)
        return None if values is None else tuple(int(value) for value in values.ravel())

    def integer(self, name: str, default: int) -> int:
        return int(self._attribute(name, default))

    def number(self, name: str, default: float) -> float:
        return float(self._attribute(name, default))

    def text(self, name: str, default: str) -> str:
        return str(self._attribute(name, default))

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...] | None:
        value = self.operator.attributes.get(name)
        if value is None:
            return None if default is None else tuple(default)
        return tuple(int(element) for element in (value if isinstance(value, tuple) else (value,)))

    def numbers(self, name: str) -> tuple[float, ...] | None:
        value = self.operator.attributes.get(name)
        return (
            None if value is None else tuple(float(part) for part in (value if isinstance(value, tuple) else (value,)))
        )

    def unsupported(self, what: str) -> InputError:
        """The error for a variant that the reference engine does not compute."""
        return InputError(f"the reference engine has no {self.operator.op_type} with {what}")

    def _attribute(self, name: str, default: Any) -> Any:
        value: AttributeValue | None = self.operator.attributes.get(name)
        return default if value is None else value


Kernel = Callable[[Call], Array]
