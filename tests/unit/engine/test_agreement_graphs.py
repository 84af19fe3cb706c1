"""Random graphs of several operators: both engines agree, whatever ONNX Runtime fuses and reorders."""

from dataclasses import dataclass, field
from typing import Any

from engine_building import assert_engines_agree, normal, operator
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.model.model import Array, Operator

CHANNELS = 4


@dataclass
class Growing:
    """A graph under construction: every tensor is (1, 4, rows, columns), of the same rows and columns."""

    operators: list[Operator] = field(default_factory=list[Operator])
    constants: dict[str, Array] = field(default_factory=dict[str, Array])
    tensors: list[str] = field(default_factory=lambda: ["x"])

    def constant(self, *shape: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = normal(shape, seed=len(self.constants)) / 3
        return name

    def add(self, op_type: str, inputs: list[str], **attributes: Any) -> None:
        self.tensors.append(f"t{len(self.operators)}")
        self.operators.append(operator(op_type, inputs, self.tensors[-1], **attributes))


def convolve(growing: Growing, source: str, _: str) -> None:
    growing.add(
        "Conv", [source, growing.constant(CHANNELS, CHANNELS, 3, 3), growing.constant(CHANNELS)], pads=(1, 1, 1, 1)
    )


def convolve_depthwise(growing: Growing, source: str, _: str) -> None:
    weights = growing.constant(CHANNELS, 1, 3, 3)
    growing.add("Conv", [source, weights], pads=(2, 2, 2, 2), dilations=(2, 2), group=CHANNELS)


def pool(growing: Growing, source: str, _: str) -> None:
    growing.add("MaxPool", [source], kernel_shape=(3, 3), pads=(1, 1, 1, 1))


def rectify(growing: Growing, source: str, _: str) -> None:
    growing.add("Relu", [source])


def activate(growing: Growing, source: str, _: str) -> None:
    growing.add("Sigmoid", [source])


def scale(growing: Growing, source: str, _: str) -> None:
    growing.add("Mul", [source, growing.constant(CHANNELS, 1, 1)])


def add(growing: Growing, source: str, other: str) -> None:
    growing.add("Add", [source, other])


def join(growing: Growing, source: str, other: str) -> None:
    growing.add("Concat", [source, other], axis=1)
    growing.add("Conv", [growing.tensors[-1], growing.constant(CHANNELS, 2 * CHANNELS, 1, 1)])
    del growing.tensors[-2]  # of twice the channels


STEPS = [convolve, convolve_depthwise, pool, rectify, activate, scale, add, join]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8),
    st.tuples(st.integers(3, 9), st.integers(3, 7)),
    st.integers(0, 9),
)
def test_random_graphs(steps: list[tuple[Any, int, int]], extents: tuple[int, int], extra: int) -> None:
    growing = Growing()
    for step, source, other in steps:
        step(
            growing, growing.tensors[-1 - source % len(growing.tensors)], growing.tensors[other % len(growing.tensors)]
        )
    outputs = dict.fromkeys((growing.tensors[-1], growing.tensors[extra % len(growing.tensors)]))
    assert_engines_agree(growing.operators, {"x": normal((1, CHANNELS, *extents))}, growing.constants, tuple(outputs))
