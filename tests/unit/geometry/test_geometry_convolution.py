"""Conv and ConvTranspose against ONNX Runtime: what is demanded, and tiles along every axis."""

from geometry_building import (
    check_demand,
    check_operator,
    make_model,
    model_or_reject,
    node,
    operator_demand,
    random_array,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.geometry.box import Box


def per_axis(rank, low, high):
    return st.lists(st.integers(low, high), min_size=rank, max_size=rank)


@st.composite
def convolutions(draw, *, transposed=False):
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    groups = draw(st.integers(1, 3))
    inputs, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    kernel = draw(per_axis(rank, 1, 3))
    attributes = {
        "group": groups,
        "strides": draw(per_axis(rank, 1, 3)),
        "dilations": draw(per_axis(rank, 1, 2)),
    }
    padding = draw(st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if padding == "NOTSET":
        attributes["pads"] = draw(per_axis(2 * rank, 0, 3))
    else:
        attributes["auto_pad"] = padding
    if transposed and padding in {"NOTSET", "VALID"}:
        attributes["output_padding"] = [draw(st.integers(0, stride - 1)) for stride in attributes["strides"]]
    spatial = draw(per_axis(rank, 1, 4 if rank == 3 else 8))
    weights = (groups * inputs, outputs, *kernel) if transposed else (groups * outputs, inputs, *kernel)
    constants = {"w": random_array(weights, 1)}
    names = ["x", "w"]
    if draw(st.booleans()):
        constants["b"] = random_array((groups * outputs,), 2)
        names.append("b")
    feeds = {"x": random_array((draw(st.integers(1, 2)), groups * inputs, *spatial))}
    op_type = "ConvTranspose" if transposed else "Conv"
    return model_or_reject([node(op_type, names, "y", **attributes)], feeds, constants), feeds


@settings(max_examples=60)
@given(st.data())
def test_tiles_of_convolutions_equal_the_whole(data):
    model, feeds = data.draw(convolutions())
    check_operator(data, model, feeds)


@settings(max_examples=60)
@given(st.data())
def test_tiles_of_transposed_convolutions_equal_the_whole(data):
    model, feeds = data.draw(convolutions(transposed=True))
    check_operator(data, model, feeds)


@settings(max_examples=25)
@given(st.data())
def test_convolution_demand_contains_influence(data):
    model, feeds = data.draw(convolutions())
    check_demand(data, model, feeds, exact=False, names=("x", "w"))


@settings(max_examples=25)
@given(st.data())
def test_convolution_demand_is_influence_where_windows_leave_no_gaps(data):
    kernel, stride, pad = data.draw(st.sampled_from([(3, 1, 1), (3, 2, 1), (2, 2, 0), (1, 1, 0), (5, 2, 2)]))
    constants = {"w": random_array((4, 2, kernel, kernel), 1), "b": random_array((4,), 2)}
    feeds = {"x": random_array((2, 4, 6, 7))}
    attributes = {"pads": [pad] * 4, "strides": [stride] * 2, "group": 2}
    model = model_or_reject([node("Conv", ["x", "w", "b"], "y", **attributes)], feeds, constants)
    check_demand(data, model, feeds)


@settings(max_examples=25)
@given(st.data())
def test_transposed_convolution_demand_is_influence_where_inputs_overlap(data):
    kernel, stride, pad = data.draw(st.sampled_from([(3, 1, 1), (3, 2, 1), (2, 2, 0), (4, 2, 1)]))
    constants = {"w": random_array((4, 2, kernel, kernel), 1), "b": random_array((4,), 2)}
    feeds = {"x": random_array((1, 4, 4, 5))}
    attributes = {"pads": [pad] * 4, "strides": [stride] * 2, "group": 2}
    model = model_or_reject([node("ConvTranspose", ["x", "w", "b"], "y", **attributes)], feeds, constants)
    check_demand(data, model, feeds)


def test_weights_are_demanded_by_output_channel_and_whole_groups():
    feeds = {"x": random_array((1, 6, 4, 4))}
    constants = {"w": random_array((9, 2, 1, 1)), "b": random_array((9,))}
    model = make_model([node("Conv", ["x", "w", "b"], "y", group=3)], feeds, constants)
    operator = model.layers[0].operators[0]
    rest = ((0, 4), (0, 4))
    within = operator_demand(model, operator, Box(((0, 1), (4, 5), *rest)))
    assert [box.intervals[0] for box in within[1:]] == [(4, 5), (4, 5)]
    assert within[0].intervals[1] == (2, 4)
    across = operator_demand(model, operator, Box(((0, 1), (4, 7), *rest)))
    assert [box.intervals[0] for box in across[1:]] == [(3, 9), (3, 9)]
    assert across[0].intervals[1] == (2, 6)


@settings(max_examples=20)
@given(st.data())
def test_output_shape_of_transposed_convolution(data):
    feeds = {"x": random_array((1, 2, 4, 5))}
    constants = {"w": random_array((2, 3, 3, 3))}
    attributes = {
        "strides": [2, 2],
        "output_shape": [data.draw(st.integers(6, 9)), data.draw(st.integers(8, 11))],
        "auto_pad": data.draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER"])),
    }
    model = model_or_reject([node("ConvTranspose", ["x", "w"], "y", **attributes)], feeds, constants)
    check_operator(data, model, feeds)
