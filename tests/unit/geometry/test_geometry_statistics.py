"""Normalisations, Softmax and its kin, LRN and reductions: whole where they must be, split elsewhere."""

import numpy as np
from geometry_building import check_demand, check_operator, make_model, node, random_array
from hypothesis import given, settings
from hypothesis import strategies as st

SHAPE = (2, 4, 3, 5)


@settings(max_examples=30)
@given(st.data(), st.sampled_from(["Softmax", "LogSoftmax", "Hardmax", "LpNormalization"]), st.integers(-4, 3))
def test_along_one_axis(data, op_type, axis):
    feeds = {"x": random_array(SHAPE)}
    model = make_model([node(op_type, ["x"], "y", axis=axis)], feeds, {})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, exact=False, step=1.0)


@settings(max_examples=15)
@given(st.data(), st.integers(-4, 3))
def test_softmax_demand_is_influence(data, axis):
    feeds = {"x": random_array((2, 3, 2, 3))}
    model = make_model([node("Softmax", ["x"], "y", axis=axis)], feeds, {})
    check_demand(data, model, feeds, step=0.5)


@settings(max_examples=20)
@given(st.data(), st.integers(-3, 3), st.booleans())
def test_layer_normalization(data, axis, with_bias):
    feeds = {"x": random_array(SHAPE)}
    inner = SHAPE[axis:]
    constants = {"scale": random_array(inner, 1), "bias": random_array(inner[-1:], 2)}
    names = ["x", *constants] if with_bias else ["x", "scale"]
    if axis == 0:
        return
    model = make_model([node("LayerNormalization", names, "y", axis=axis)], feeds, constants)
    check_operator(data, model, feeds, tolerance=3e-6)
    check_demand(data, model, feeds, exact=False)


@settings(max_examples=20)
@given(st.data(), st.sampled_from(["InstanceNormalization", "GroupNormalization"]))
def test_normalization_by_channels(data, op_type):
    feeds = {"x": random_array(SHAPE)}
    constants = {"scale": random_array((4,), 1), "bias": random_array((4,), 2)}
    attributes = {"num_groups": 2} if op_type == "GroupNormalization" else {}
    model = make_model([node(op_type, ["x", "scale", "bias"], "y", **attributes)], feeds, constants)
    check_operator(data, model, feeds, tolerance=3e-6)
    check_demand(data, model, feeds, exact=False)


@settings(max_examples=10)
@given(st.data())
def test_mean_variance_normalization_and_cumulative_sum(data):
    feeds = {"x": random_array(SHAPE)}
    choice = data.draw(
        st.sampled_from(
            [
                node("MeanVarianceNormalization", ["x"], "y", axes=[1, 3]),
                node("CumSum", ["x", "axis"], "y"),
            ]
        )
    )
    model = make_model([choice], feeds, {"axis": np.array(2, np.int64)})
    check_operator(data, model, feeds, tolerance=3e-6)


@settings(max_examples=30)
@given(st.data(), st.sampled_from([1, 3, 5, 7]))
def test_local_response_normalization(data, size):
    feeds = {"x": random_array((1, 7, 2, 2))}
    model = make_model([node("LRN", ["x"], "y", size=size, alpha=0.9)], feeds, {})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, step=1.0)


REDUCTIONS = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd", "ReduceLogSumExp"]


@settings(max_examples=50)
@given(
    st.data(),
    st.sampled_from(REDUCTIONS),
    st.lists(st.integers(0, 3), max_size=3, unique=True),
    st.integers(0, 1),
    st.integers(0, 1),
)
def test_reductions(data, op_type, axes, keepdims, noop):
    feeds = {"x": random_array(SHAPE)}
    names = ["x", "axes"] if axes or data.draw(st.booleans()) else ["x"]
    axes = [axis - data.draw(st.sampled_from([0, 4])) for axis in axes]
    constants = {"axes": np.array(axes, np.int64)}
    model = make_model([node(op_type, names, "y", keepdims=keepdims, noop_with_empty_axes=noop)], feeds, constants)
    check_operator(data, model, feeds, tolerance=2e-6)
    check_demand(data, model, feeds, exact=op_type == "ReduceSum", names=("x",))


@settings(max_examples=20)
@given(st.data(), st.integers(-4, 3), st.integers(0, 1))
def test_positions(data, axis, keepdims):
    feeds = {"x": random_array(SHAPE)}
    model = make_model([node("ArgMax", ["x"], "y", axis=axis, keepdims=keepdims)], feeds, {})
    check_operator(data, model, feeds)
