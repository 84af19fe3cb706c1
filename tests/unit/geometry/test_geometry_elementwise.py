"""Elementwise operators keep the box, whatever is broadcast."""

import numpy as np
from geometry_building import check_demand, check_operator, make_model, model_or_reject, node, random_array
from hypothesis import given, settings
from hypothesis import strategies as st

UNARY = [
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "HardSwish",
    "Erf",
    "Gelu",
    "Identity",
    "Tanh",
    "Elu",
    "Softplus",
    "Abs",
    "Sign",
]
BINARY = ["Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean", "Greater", "Equal", "LessOrEqual"]
SHAPES = [(2, 3, 4, 5), (3, 4, 5), (1, 3, 1, 1), (5,), (), (1,), (2, 1, 4, 1), (4, 1)]


@settings(max_examples=25)
@given(st.data())
def test_unary(data):
    feeds = {"x": random_array((2, 3, 4, 5))}
    check_operator(data, make_model([node(data.draw(st.sampled_from(UNARY)), ["x"], "y")], feeds, {}), feeds)


@settings(max_examples=40)
@given(st.data())
def test_binary_broadcasting_of_activations_and_constants(data):
    left, right = data.draw(st.sampled_from(SHAPES)), data.draw(st.sampled_from(SHAPES))
    feeds, constants = {"a": random_array(left, 1)}, {"b": random_array(right, 2)}
    if data.draw(st.booleans()):
        feeds, constants = feeds | constants, {}
    names = ["a", "b"] if data.draw(st.booleans()) else ["b", "a"]
    model = model_or_reject([node(data.draw(st.sampled_from(BINARY)), names, "y")], feeds, constants)
    check_operator(data, model, feeds)


@settings(max_examples=20)
@given(st.data())
def test_demand_is_influence(data):
    left, right = data.draw(st.sampled_from(SHAPES)), data.draw(st.sampled_from(SHAPES))
    feeds = {"a": random_array(left, 1), "b": random_array(right, 2)}
    check_demand(data, model_or_reject([node("Add", ["a", "b"], "y")], feeds, {}), feeds)


@settings(max_examples=10)
@given(st.data())
def test_one_tensor_read_twice(data):
    feeds = {"a": random_array((1, 2, 4, 4))}
    check_operator(data, make_model([node("Mul", ["a", "a"], "y")], feeds, {}), feeds)


@settings(max_examples=20)
@given(st.data())
def test_where_and_prelu_and_clip_and_cast(data):
    feeds = {"x": random_array((2, 3, 4, 5))}
    constants = {
        "condition": np.random.default_rng(0).random((3, 1, 5)) > 0.5,
        "other": random_array((2, 1, 4, 1)),
        "slope": random_array((3, 1, 1)),
        "low": np.array(-0.5, np.float32),
        "high": np.array(0.5, np.float32),
    }
    choice = data.draw(
        st.sampled_from(
            [
                node("Where", ["condition", "x", "other"], "y"),
                node("PRelu", ["x", "slope"], "y"),
                node("Clip", ["x", "low", "high"], "y"),
                node("Clip", ["x", "", "high"], "y"),
                node("Cast", ["x"], "y", to=7),
            ]
        )
    )
    check_operator(data, make_model([choice], feeds, constants), feeds)


@settings(max_examples=15)
@given(st.data())
def test_batch_normalization(data):
    feeds = {"x": random_array((2, 4, 3, 5))}
    names = ["scale", "bias", "mean", "variance"]
    constants = {name: np.abs(random_array((4,), index)) for index, name in enumerate(names)}
    model = make_model([node("BatchNormalization", ["x", *names], "y")], feeds, constants)
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, names=("x", "scale"))


@settings(max_examples=20)
@given(st.data(), st.booleans(), st.integers(0, 1))
def test_quantisation(data, per_channel, axis):
    shape = ((2, 4)[axis],) if per_channel else ()
    feeds = {"x": random_array((2, 4, 3, 5))}
    constants = {"scale": np.abs(random_array(shape)) + np.float32(0.1), "zero": np.zeros(shape, np.int8)}
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], "q", axis=axis),
        node("DequantizeLinear", ["q", "scale", "zero"], "y", axis=axis),
    ]
    check_operator(data, make_model(nodes, feeds, constants), feeds)


@settings(max_examples=10)
@given(st.data())
def test_booleans(data):
    feeds = {"x": random_array((1, 2, 3, 4)) > 0}
    check_operator(data, make_model([node("Not", ["x"], "y")], feeds, {}), feeds)
