"""Where a rule writes the local form of its operator."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from legion.geometry.box import Box
from legion.model.model import Array, AttributeValue, Operator

Attributes = Mapping[str, AttributeValue]
NO_ATTRIBUTES: Attributes = MappingProxyType({})

END = int(np.iinfo(np.int64).max)
"""The end of an axis of any extent, as Slice has it."""


def fresh_name(name: str, taken: set[str]) -> str:
    """The name, or one like it, that is not taken yet; it is then."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


class Emitter:
    """Collects the local operators that stand for one operator, and the constants made for them.

    `inputs` are the local names of what was demanded ("" where nothing was), `output` is the name
    that must hold the output box in the end.
    """

    def __init__(self, operator: Operator, inputs: Sequence[str], fresh: Callable[[str], str]) -> None:
        self.operator = operator
        self.inputs = tuple(inputs)
        self.output = operator.outputs[0]
        self.operators: list[Operator] = []
        self.constants: dict[str, Array] = {}
        self._fresh = fresh

    def constant(self, array: Array) -> str:
        """The name of a new constant."""
        name = self._fresh(f"{self.operator.name}/{len(self.constants)}")
        self.constants[name] = array
        return name

    def emit(
        self, op_type: str, inputs: Sequence[str], attributes: Attributes = NO_ATTRIBUTES, *, output: str | None = None
    ) -> str:
        """Append an operator; the name of its output, a new one unless given."""
        count = len(self.operators)
        name = self.operator.name if count == 0 else f"{self.operator.name}/{count}"
        result = output or self._fresh(f"{self.operator.name}:{count}")
        self.operators.append(
            Operator(name=name, op_type=op_type, inputs=tuple(inputs), outputs=(result,), attributes=dict(attributes))
        )
        return result

    def verbatim(self) -> None:
        """The operator as it stands, on the demanded inputs, with all its outputs."""
        original = self.operator
        self.operators.append(
            Operator(
                name=original.name,
                op_type=original.op_type,
                inputs=self.inputs,
                outputs=original.outputs,
                attributes=original.attributes,
            )
        )

    def emit_cropped(
        self, op_type: str, inputs: Sequence[str], attributes: Attributes, *, computed: Box, wanted: Box
    ) -> None:
        """An operator that yields `computed`, and from it the output box `wanted`."""
        if computed == wanted:
            self.emit(op_type, inputs, attributes, output=self.output)
        else:
            self.crop(self.emit(op_type, inputs, attributes), computed, wanted, output=self.output)

    def crop(self, name: str, held: Box, wanted: Box, *, output: str | None = None) -> str:
        """Cut `wanted` out of a tensor that holds `held`.

        Ends count from the end of the axis, so that tiles with equal margins have equal graphs.
        """
        margins = [
            (axis, low - held_low, held_high - high)
            for axis, ((low, high), (held_low, held_high)) in enumerate(
                zip(wanted.intervals, held.intervals, strict=True)
            )
            if (low, high) != (held_low, held_high)
        ]
        if not margins:
            return self.emit("Identity", (name,), output=output) if output else name
        starts = np.array([before for _, before, _ in margins], np.int64)
        ends = np.array([-after if after else END for _, _, after in margins], np.int64)
        axes = np.array([axis for axis, _, _ in margins], np.int64)
        return self.emit(
            "Slice", (name, self.constant(starts), self.constant(ends), self.constant(axes)), output=output
        )
