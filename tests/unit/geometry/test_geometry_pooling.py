"""Pools against ONNX Runtime, ceil_mode, padding and divisors included."""

import numpy as np
from geometry_building import check_demand, check_operator, make_model, model_or_reject, node, random_array
from hypothesis import given, settings
from hypothesis import strategies as st


def per_axis(rank, low, high):
    return st.lists(st.integers(low, high), min_size=rank, max_size=rank)


@st.composite
def pools(draw, op_type):
    rank = draw(st.sampled_from([1, 2, 2, 3]))
    kernel = draw(per_axis(rank, 1, 3))
    attributes = {"kernel_shape": kernel, "strides": draw(per_axis(rank, 1, 3))}
    if rank < 3:
        attributes["dilations"] = draw(st.just([1] * rank) | per_axis(rank, 1, 2))
    if draw(st.booleans()):
        attributes["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    else:
        attributes["pads"] = [draw(st.integers(0, extent - 1)) for extent in kernel * 2]
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    if op_type == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    if op_type == "LpPool":
        attributes["p"] = draw(st.integers(1, 2))
    feeds = {"x": random_array((draw(st.integers(1, 2)), 2, *draw(per_axis(rank, 1, 4 if rank == 3 else 9))))}
    return model_or_reject([node(op_type, ["x"], "y", **attributes)], feeds, {}), feeds


@settings(max_examples=60)
@given(st.data())
def test_tiles_of_max_pools_equal_the_whole(data):
    model, feeds = data.draw(pools("MaxPool"))
    check_operator(data, model, feeds)


@settings(max_examples=70)
@given(st.data())
def test_tiles_of_average_pools_equal_the_whole(data):
    model, feeds = data.draw(pools("AveragePool"))
    check_operator(data, model, feeds)


@settings(max_examples=40)
@given(st.data())
def test_tiles_of_lp_pools_equal_the_whole(data):
    model, feeds = data.draw(pools("LpPool"))
    check_operator(data, model, feeds, tolerance=2e-6)


@settings(max_examples=30)
@given(st.data())
def test_demand_contains_influence(data):
    model, feeds = data.draw(pools(data.draw(st.sampled_from(["MaxPool", "AveragePool"]))))
    check_demand(data, model, feeds, exact=False)


@settings(max_examples=20)
@given(st.data())
def test_demand_is_influence_where_windows_leave_no_gaps(data):
    kernel, stride, pad = data.draw(st.sampled_from([(3, 1, 1), (3, 2, 1), (2, 2, 0), (3, 2, 0)]))
    feeds = {"x": random_array((2, 2, 6, 7))}
    attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
    check_demand(data, make_model([node("MaxPool", ["x"], "y", **attributes)], feeds, {}), feeds)


@settings(max_examples=20)
@given(st.data())
def test_integer_max_pool_pads_with_the_lowest_value(data):
    feeds = {"x": (random_array((1, 2, 7, 6)) * 40).astype(np.int8)}
    attributes = {"kernel_shape": [3, 3], "pads": [2, 2, 2, 2], "dilations": [2, 2]}
    check_operator(data, make_model([node("MaxPool", ["x"], "y", **attributes)], feeds, {}), feeds)


@settings(max_examples=20)
@given(st.data())
def test_global_pools(data):
    op_type = data.draw(st.sampled_from(["GlobalAveragePool", "GlobalMaxPool"]))
    feeds = {"x": random_array((2, 3, 4, 3))}
    model = make_model([node(op_type, ["x"], "y")], feeds, {})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds)


@settings(max_examples=10)
@given(st.data(), st.sampled_from(["MaxPool", "AveragePool"]))
def test_padding_as_large_as_the_kernel_is_an_operator_of_its_own(data, op_type):
    """Here rounding up leaves two elements missing under a kernel of two; engines refuse that as `pads`."""
    feeds = {"x": random_array((1, 2, 7, 7))}
    attributes = {"kernel_shape": [2, 2], "dilations": [3, 3], "strides": [3, 3], "pads": [1] * 4, "ceil_mode": 1}
    check_operator(data, make_model([node(op_type, ["x"], "y", **attributes)], feeds, {}), feeds, boxes=5)
