"""Resize: a tile is its part of the interpolation of the whole, for every transformation and rounding."""

import numpy as np
import pytest
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
from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.localize import localize
from legion.geometry.operators import interpolation

COORDINATES = sorted(interpolation.COORDINATES)
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


@st.composite
def resizes(draw, mode):
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    feeds = {"x": random_array((2, 3, rows, columns))}
    attributes = {
        "mode": mode,
        "coordinate_transformation_mode": draw(st.sampled_from(COORDINATES)),
        "nearest_mode": draw(st.sampled_from(ROUNDINGS)),
    }
    scales = st.sampled_from([1.0, 2.0, 3.0, 4.0, 0.5, 0.6, 1.5, 2.6])
    if draw(st.booleans()):
        names, constants = ["x", "", "scales"], {"scales": np.array([1, 1, draw(scales), draw(scales)], np.float32)}
    else:
        sizes = [2, 3, draw(st.integers(1, 20)), draw(st.integers(1, 20))]
        names, constants = ["x", "", "", "sizes"], {"sizes": np.array(sizes, np.int64)}
    if draw(st.booleans()):
        attributes["axes"] = [2, 3]
        constants = {name: value[2:] for name, value in constants.items()}
    return model_or_reject([node("Resize", names, "y", **attributes)], feeds, constants), feeds


@settings(max_examples=80)
@given(st.data())
def test_nearest(data):
    model, feeds = data.draw(resizes("nearest"))
    check_operator(data, model, feeds)


@settings(max_examples=80)
@given(st.data())
def test_linear(data):
    model, feeds = data.draw(resizes("linear"))
    check_operator(data, model, feeds)


@settings(max_examples=20)
@given(st.data())
def test_cubic_needs_resized_axes_whole(data):
    model, feeds = data.draw(resizes("cubic"))
    check_operator(data, model, feeds)


@settings(max_examples=40)
@given(st.data())
def test_demand_contains_influence(data):
    model, feeds = data.draw(resizes(data.draw(st.sampled_from(["nearest", "linear"]))))
    check_demand(data, model, {"x": feeds["x"]}, exact=False)


@settings(max_examples=20)
@given(st.data(), st.sampled_from(COORDINATES))
def test_demand_is_influence_where_it_enlarges(data, coordinates):
    feeds = {"x": random_array((1, 2, 4, 3))}
    constants = {"scales": np.array([1, 1, 3, 2], np.float32)}
    attributes = {"mode": "linear", "coordinate_transformation_mode": coordinates}
    model = make_model([node("Resize", ["x", "", "scales"], "y", **attributes)], feeds, constants)
    check_demand(data, model, feeds)


@settings(max_examples=20)
@given(st.data(), st.sampled_from(["nearest", "linear"]))
def test_cropping_while_resizing_and_one_scale_for_all(data, mode):
    feeds = {"x": random_array((1, 2, 6, 5))}
    constants = {
        "roi": np.array([0, 0, 0.1, 0.2, 1, 1, 0.8, 1.1], np.float32),
        "sizes": np.array([1, 2, 7, 9], np.int64),
        "both": np.array([7, 9], np.int64),
    }
    cropping = node(
        "Resize", ["x", "roi", "", "sizes"], "y", mode=mode, coordinate_transformation_mode="tf_crop_and_resize"
    )
    policy = node("Resize", ["x", "", "", "both"], "y", mode=mode, axes=[2, 3], keep_aspect_ratio_policy="not_larger")
    check_operator(data, make_model([data.draw(st.sampled_from([cropping, policy]))], feeds, constants), feeds)


@settings(max_examples=10)
@given(st.data())
def test_three_spatial_axes(data):
    feeds = {"x": random_array((1, 2, 3, 4, 3))}
    constants = {"scales": np.array([1, 1, 2, 1, 3], np.float32)}
    mode = data.draw(st.sampled_from(["nearest", "linear"]))
    check_operator(data, make_model([node("Resize", ["x", "", "scales"], "y", mode=mode)], feeds, constants), feeds)


def test_an_axis_whose_ties_hang_on_rounding_errors_is_left_to_the_engine_whole():
    feeds = {"x": random_array((1, 1, 20, 7))}
    constants = {"sizes": np.array([1, 1, 6, 14], np.int64)}
    attributes = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    model = make_model([node("Resize", ["x", "", "", "sizes"], "y", **attributes)], feeds, constants)
    box = Box(((0, 1), (0, 1), (2, 3), (4, 6)))
    assert operator_demand(model, model.layers[0].operators[0], box)[0] == Box(((0, 1), (0, 1), (0, 20), (2, 3)))


@settings(max_examples=10)
@given(st.data(), st.sampled_from([(301, 777), (640, 199), (100, 1000)]), st.sampled_from(COORDINATES))
def test_linear_on_long_axes(data, extents, coordinates):
    feeds = {"x": random_array((1, 1, extents[0], 2))}
    constants = {"sizes": np.array([1, 1, extents[1], 2], np.int64)}
    attributes = {"mode": "linear", "coordinate_transformation_mode": coordinates}
    model = make_model([node("Resize", ["x", "", "", "sizes"], "y", **attributes)], feeds, constants)
    check_operator(data, model, feeds)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_enlarging_twofold_is_left_to_the_engine(mode):
    feeds = {"x": random_array((1, 2, 8, 8))}
    constants = {"scales": np.array([1, 1, 2, 2], np.float32)}
    model = make_model([node("Resize", ["x", "", "scales"], "y", mode=mode)], feeds, constants)
    box = Box(((0, 1), (0, 2), (5, 11), (0, 16)))
    graph = localize(model, build_segment(Demand(model), [0], {"y": box}), ConstantPool(model)).graph
    assert {operator.op_type for operator in graph.operators} <= {"Resize", "Slice"}
