"""Convolutions and pools: ONNX Runtime and the reference engine agree over random hyper-parameters."""

from typing import Any

import numpy as np
import pytest
from engine_building import assert_engines_agree, normal, operator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

Draw = Any


@st.composite
def windows(draw: Draw, *, dilated: bool = True) -> dict[str, Any]:
    """Attributes of a two-dimensional window, with pads smaller than the kernel, as engines demand."""
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    automatic = draw(st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    attributes: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": (draw(st.integers(1, 3)), draw(st.integers(1, 2))),
    }
    if automatic != "NOTSET":
        # Where windows leave gaps, ONNX Runtime's pools take SAME for negative padding.
        assume(all(reach >= stride for reach, stride in zip(kernel, attributes["strides"], strict=True)))
        return attributes | {"auto_pad": automatic}
    if dilated:
        attributes["dilations"] = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    attributes["pads"] = tuple(draw(st.integers(0, kernel[position % 2] - 1)) for position in range(4))
    return attributes


extents = st.tuples(st.integers(7, 12), st.integers(5, 9))


@settings(max_examples=60)
@given(windows(), extents, st.sampled_from([1, 2, 4]), st.booleans(), st.integers(1, 2))
def test_convolution(attributes: dict[str, Any], extent: tuple[int, int], group: int, bias: bool, batch: int) -> None:
    x = normal((batch, 4, *extent))
    constants = {"w": normal((8, 4 // group, *attributes["kernel_shape"]), seed=1)}
    if bias:
        constants["b"] = normal((8,), seed=2)
    assert_engines_agree([operator("Conv", ["x", *constants], "y", group=group, **attributes)], {"x": x}, constants)


@pytest.mark.parametrize("rank", [1, 3])
def test_convolution_of_other_ranks(rank: int) -> None:
    x, weights = normal((1, 2, *(6, 5, 7)[:rank])), normal((3, 2, *(3, 2, 3)[:rank]), seed=1)
    assert_engines_agree([operator("Conv", ["x", "w"], "y", pads=(1,) * (2 * rank))], {"x": x}, {"w": weights})


@settings(max_examples=60)
@given(windows(), extents, st.sampled_from([1, 2]), st.integers(0, 1), st.booleans())
def test_transposed_convolution(
    attributes: dict[str, Any], extent: tuple[int, int], group: int, padding: int, output_shape: bool
) -> None:
    strides = attributes["strides"]
    if padding and min(strides) > 1:
        attributes = attributes | {"output_padding": (1, 1)}
    if output_shape and "pads" in attributes:
        del attributes["pads"]
        attributes["output_shape"] = tuple(length * stride for length, stride in zip(extent, strides, strict=True))
        dilations = attributes["dilations"]
        reach = [
            dilation * (length - 1) + 1 for dilation, length in zip(dilations, attributes["kernel_shape"], strict=True)
        ]
        assume(all(length >= stride for length, stride in zip(reach, strides, strict=True)))
    constants = {"w": normal((4, 3, *attributes["kernel_shape"]), seed=1), "b": normal((3 * group,), seed=2)}
    node = operator("ConvTranspose", ["x", "w", "b"], "y", group=group, **attributes)
    assert_engines_agree([node], {"x": normal((1, 4, *extent))}, constants)


@settings(max_examples=60)
@given(windows(), extents, st.integers(0, 1))
def test_max_pool(attributes: dict[str, Any], extent: tuple[int, int], ceil_mode: int) -> None:
    assume("pads" in attributes or not ceil_mode)
    node = operator("MaxPool", ["x"], "y", ceil_mode=ceil_mode, **attributes)
    assert_engines_agree([node], {"x": normal((1, 3, *extent)) - 5})


@settings(max_examples=60)
@given(windows(dilated=False), extents, st.integers(0, 1), st.integers(0, 1))
def test_average_pool(attributes: dict[str, Any], extent: tuple[int, int], ceil_mode: int, include: int) -> None:
    assume("pads" in attributes or not ceil_mode)
    node = operator("AveragePool", ["x"], "y", ceil_mode=ceil_mode, count_include_pad=include, **attributes)
    assert_engines_agree([node], {"x": normal((1, 3, *extent)) + 3})


@pytest.mark.parametrize("include", [0, 1])
def test_average_pool_does_not_count_what_lies_beyond_the_padding(include: int) -> None:
    attributes = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 0, 1, 0), "ceil_mode": 1}
    node = operator("AveragePool", ["x"], "y", count_include_pad=include, **attributes)
    assert_engines_agree([node], {"x": normal((1, 2, 8, 8)) + 3})


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pool(op_type: str) -> None:
    assert_engines_agree([operator(op_type, ["x"], "y")], {"x": normal((2, 3, 5, 4))})


def test_max_pool_keeps_what_is_below_zero_next_to_padding() -> None:
    node = operator("MaxPool", ["x"], "y", kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    assert_engines_agree([node], {"x": np.full((1, 1, 4, 4), -7, np.float32)})
