"""Groups of layers in part: residuals, joins, resizing, pools and a flattening Gemm, against the whole."""

from dataclasses import replace

import numpy as np
import pytest
from geometry_building import (
    Arrays,
    assert_close,
    box_strategy,
    check_local,
    make_model,
    node,
    random_array,
    run_segment,
    run_whole,
    slice_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.localize import localize
from legion.model.model import Layer, Model


def residual() -> tuple[Model, Arrays]:
    feeds = {"x": random_array((1, 3, 13, 9))}
    constants = {
        "w1": random_array((8, 3, 3, 3), 1) / 3,
        "w2": random_array((8, 8, 3, 3), 2) / 9,
        "w3": random_array((8, 8, 1, 1), 3) / 3,
        "b": random_array((8, 1, 1), 4),
    }
    nodes = [
        node("Conv", ["x", "w1"], "a", pads=[1, 1, 1, 1]),
        node("Relu", ["a"], "r"),
        node("Conv", ["r", "w2"], "c", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Conv", ["r", "w3"], "d", strides=[2, 2]),
        node("Add", ["c", "d"], "s"),
        node("Add", ["s", "b"], "t"),
        node("MaxPool", ["t"], "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    return make_model(nodes, feeds, constants), feeds


def encoder_and_decoder() -> tuple[Model, Arrays]:
    feeds = {"x": random_array((1, 2, 12, 8))}
    constants = {
        "w1": random_array((4, 2, 3, 3), 1) / 3,
        "w2": random_array((4, 4, 2, 2), 2) / 3,
        "w3": random_array((3, 8, 3, 3), 3) / 9,
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    nodes = [
        node("Conv", ["x", "w1"], "a", auto_pad="SAME_UPPER"),
        node("MaxPool", ["a"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("AveragePool", ["p"], "q", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        node("Resize", ["q", "", "scales"], "u", mode="linear"),
        node("ConvTranspose", ["p", "w2"], "t", strides=[2, 2]),
        node("Add", ["u", "t"], "v"),
        node("Concat", ["v", "a"], "k", axis=1),
        node("Conv", ["k", "w3"], "y", pads=[1, 1, 1, 1]),
    ]
    return make_model(nodes, feeds, constants), feeds


def classifier() -> tuple[Model, Arrays]:
    feeds = {"x": random_array((1, 3, 8, 8))}
    constants = {
        "w1": random_array((6, 1, 3, 3), 1),
        "w2": random_array((72, 10), 2) / 8,
        "b2": random_array((10,), 3),
        "shape": np.array([1, -1], np.int64),
    }
    nodes = [
        node("Conv", ["x", "w1"], "c", group=3, strides=[2, 2]),
        node("Sigmoid", ["c"], "g"),
        node("Mul", ["c", "g"], "h"),
        node("Pad", ["h", "pads"], "p"),
        node("AveragePool", ["p"], "q", kernel_shape=[1, 1]),
        node("Reshape", ["q", "shape"], "f"),
        node("Gemm", ["f", "w2", "b2"], "z"),
        node("Softmax", ["z"], "y"),
    ]
    constants["pads"] = np.array([0, 0, 1, 0, 0, 0, 0, 1], np.int64)
    constants["w2"] = random_array((96, 10), 2) / 8
    return make_model(nodes, feeds, constants), feeds


def shuffling() -> tuple[Model, Arrays]:
    feeds = {"x": random_array((1, 6, 7, 5))}
    constants = {
        "split": np.array([1, 2, 3, 7, 5], np.int64),
        "join": np.array([1, 6, 7, 5], np.int64),
        "w": random_array((6, 1, 3, 3), 1),
        "w2": random_array((4, 6, 1, 1), 2),
    }
    nodes = [
        node("Reshape", ["x", "split"], "a"),
        node("Transpose", ["a"], "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["b", "join"], "c"),
        node("Conv", ["c", "w"], "d", group=6, pads=[1, 1, 1, 1]),
        node("Conv", ["d", "w2"], "y"),
    ]
    return make_model(nodes, feeds, constants), feeds


def attention() -> tuple[Model, Arrays]:
    feeds = {"x": random_array((1, 6, 8))}
    constants = {name: random_array((8, 8), index) / 3 for index, name in enumerate(["q", "k", "v", "o"])}
    constants |= {"heads": np.array([1, 6, 2, 4], np.int64), "join": np.array([1, 6, 8], np.int64)}
    constants |= {"scale": np.ones(8, np.float32), "half": np.array(0.5, np.float32)}
    nodes = [
        node("LayerNormalization", ["x", "scale"], "n"),
        *(node("MatMul", ["n", name], f"{name}1") for name in "qkv"),
        *(node("Reshape", [f"{name}1", "heads"], f"{name}2") for name in "qkv"),
        node("Transpose", ["q2"], "q3", perm=[0, 2, 1, 3]),
        node("Transpose", ["k2"], "k3", perm=[0, 2, 3, 1]),
        node("Transpose", ["v2"], "v3", perm=[0, 2, 1, 3]),
        node("MatMul", ["q3", "k3"], "s"),
        node("Mul", ["s", "half"], "t"),
        node("Softmax", ["t"], "p"),
        node("MatMul", ["p", "v3"], "a"),
        node("Transpose", ["a"], "b", perm=[0, 2, 1, 3]),
        node("Reshape", ["b", "join"], "c"),
        node("MatMul", ["c", "o"], "d"),
        node("Add", ["d", "x"], "y"),
    ]
    return make_model(nodes, feeds, constants), feeds


NETWORKS = [residual, encoder_and_decoder, classifier, shuffling, attention]


@pytest.mark.parametrize("network", NETWORKS)
def test_any_box_of_the_output_equals_the_whole(network):
    model, feeds = network()
    whole = run_whole(model, feeds)

    @settings(max_examples=25)
    @given(box_strategy(model.tensors["y"].shape))
    def check(box):
        check_local(model, feeds, {"y": box}, whole=whole, tolerance=3e-6)

    check()


@pytest.mark.parametrize("network", NETWORKS)
def test_groups_that_export_inner_tensors_too(network):
    model, feeds = network()
    whole = run_whole(model, feeds)
    count = len(model.layers)

    @settings(max_examples=25)
    @given(st.data())
    def check(data):
        first = data.draw(st.integers(0, count - 1))
        layers = range(first, data.draw(st.integers(first + 1, count)))
        names = [name for layer in layers for name in model.layers[layer].outputs]
        exported = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        boxes = {name: data.draw(box_strategy(model.tensors[name].shape)) for name in exported}
        segment = build_segment(Demand(model), layers, boxes)
        assert all(segment.outputs[name].contains(box) for name, box in boxes.items())
        assert set(segment.layers) <= set(layers)
        for name, value in run_segment(model, segment, whole).items():
            assert_close(value, slice_of(whole[name], segment.outputs[name]), whole[name], 3e-6)

    check()


@pytest.mark.parametrize("network", NETWORKS)
def test_demand_composes_along_a_group(network):
    """Carried through layer by layer, the demand of a group is that of its layers in turn."""
    model, _ = network()
    demand = Demand(model)

    @settings(max_examples=20)
    @given(st.data())
    def check(data):
        cut = data.draw(st.integers(1, len(model.layers) - 1))
        box = data.draw(box_strategy(model.tensors["y"].shape))
        together = build_segment(demand, range(len(model.layers)), {"y": box})
        later = build_segment(demand, range(cut, len(model.layers)), {"y": box})
        inner = {name: need for name, need in later.inputs.items() if name not in {p.name for p in model.inputs}}
        sooner = build_segment(demand, range(cut), inner)
        assert {**sooner.boxes, **later.boxes} == together.boxes
        for name, need in together.inputs.items():
            parts = [part.inputs[name] for part in (sooner, later) if name in part.inputs]
            assert need == (parts[0] if len(parts) == 1 else parts[0].hull(parts[1]))

    check()


@pytest.mark.parametrize("network", NETWORKS)
def test_one_layer_of_many_operators_is_as_a_group_of_layers(network):
    model, feeds = network()
    whole = run_whole(model, feeds)
    operators = tuple(operator for layer in model.layers for operator in layer.operators)
    one = replace(model, layers=(Layer(name="all", operators=operators, inputs=("x",), outputs=("y",)),))

    @settings(max_examples=10)
    @given(box_strategy(model.tensors["y"].shape))
    def check(box):
        segment = build_segment(Demand(one), [0], {"y": box})
        assert segment.inputs == build_segment(Demand(model), range(len(model.layers)), {"y": box}).inputs
        check_local(one, feeds, {"y": box}, whole=whole, tolerance=3e-6)

    check()


def test_layers_of_which_nothing_is_needed_are_left_out():
    feeds = {"x": random_array((1, 2, 4, 4))}
    nodes = [node("Relu", ["x"], "a"), node("Neg", ["x"], "b"), node("Concat", ["a", "b"], "y", axis=1)]
    model = make_model(nodes, feeds, {})
    segment = build_segment(Demand(model), range(3), {"y": Box(((0, 1), (0, 2), (0, 4), (0, 4)))})
    assert segment.layers == (0, 2)
    assert set(segment.boxes) == {"a", "y"}
    check_local(model, feeds, {"y": Box(((0, 1), (0, 2), (1, 4), (0, 4)))})


def test_a_tensor_that_depends_on_data_is_handed_on_whole():
    feeds = {"x": random_array((2, 3)) > 0}
    model = make_model([node("NonZero", ["x"], "a"), node("Neg", ["a"], "y")], feeds, {})
    unknown = {name: replace(model.tensors[name], shape=(2, 1), dynamic=True) for name in ("a", "y")}
    model = replace(model, tensors={**model.tensors, **unknown})
    segment = build_segment(Demand(model), [1], {"y": Box(((0, 2), (0, 1)))})
    assert segment.inputs == {"a": Box(((0, 2), (0, 1)))}
    part = localize(model, segment, ConstantPool(model))
    assert part.graph.inputs[0].dims is None
    assert part.buffers[0].dynamic
