"""Operators that move elements: Concat, Slice, Pad, Expand, Gather, Transpose, views, blocks."""

from math import prod

import numpy as np
from geometry_building import (
    box_strategy,
    check_demand,
    check_local,
    check_operator,
    make_model,
    model_or_reject,
    node,
    operator_demand,
    random_array,
    run_whole,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from legion.geometry.box import Box


def indices(*values):
    return np.array(values, np.int64)


@settings(max_examples=30)
@given(st.data(), st.integers(-4, 3))
def test_concat(data, axis):
    shapes = [[2, 3, 4, 2] for _ in range(3)]
    for shape in shapes:
        shape[axis] = data.draw(st.integers(1, 4))
    feeds = {name: random_array(shape, index) for index, (name, shape) in enumerate(zip("abc", shapes, strict=True))}
    model = make_model([node("Concat", ["a", "b", "c"], "y", axis=axis)], feeds, {})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, exact=False)


def test_concat_demands_nothing_of_inputs_beside_the_box():
    feeds = {name: random_array((1, 2, 3, 3)) for name in "ab"}
    model = make_model([node("Concat", ["a", "b"], "y", axis=1)], feeds, {})
    demanded = operator_demand(model, model.layers[0].operators[0], Box(((0, 1), (2, 3), (0, 2), (0, 3))))
    assert demanded == (None, Box(((0, 1), (0, 1), (0, 2), (0, 3))))


@settings(max_examples=45)
@given(st.data())
def test_slice(data):
    shape = (2, 7, 6)
    axes = data.draw(st.lists(st.sampled_from([0, 1, 2, -1]), min_size=1, max_size=2, unique_by=lambda axis: axis % 3))
    bounds = st.integers(-9, 9) | st.sampled_from([np.iinfo(np.int64).max, np.iinfo(np.int64).min])
    steps = st.sampled_from([1, 1, 2, 3, -1, -2])
    constants = {
        "starts": indices(*(data.draw(bounds) for _ in axes)),
        "ends": indices(*(data.draw(bounds) for _ in axes)),
        "axes": indices(*axes),
        "steps": indices(*(data.draw(steps) for _ in axes)),
    }
    feeds = {"x": random_array(shape)}
    model = model_or_reject([node("Slice", ["x", *constants], "y")], feeds, constants)
    check_operator(data, model, feeds)
    check_demand(data, model, feeds)


@settings(max_examples=45)
@given(st.data(), st.sampled_from(["constant", "constant", "reflect", "edge"]))
def test_pad(data, mode):
    feeds = {"x": random_array((2, 4, 5))}
    amounts = st.integers(-1, 3) if mode == "constant" else st.integers(0, 2)
    constants = {"pads": indices(*data.draw(st.lists(amounts, min_size=4, max_size=4)))}
    names = ["x", "pads", "", "axes"]
    constants["axes"] = indices(1, -1)
    if mode == "constant" and data.draw(st.booleans()):
        constants["value"] = np.array(2.5, np.float32)
        names[2] = "value"
    model = model_or_reject([node("Pad", names, "y", mode=mode)], feeds, constants)
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, exact=mode == "constant")


@settings(max_examples=20)
@given(st.data(), st.sampled_from([(3, 1, 5), (1,), (5,), (2, 3, 4, 5), (4, 1)]))
def test_expand(data, shape):
    feeds = {"x": random_array(shape)}
    model = make_model([node("Expand", ["x", "shape"], "y")], feeds, {"shape": indices(2, 3, 4, 5)})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds)


@settings(max_examples=40)
@given(st.data(), st.integers(-3, 2), st.booleans(), st.sampled_from([(), (3,), (2, 2)]))
def test_gather(data, axis, constant, shape):
    x = random_array((4, 5, 3))
    extent = x.shape[axis]
    picked = np.array(data.draw(st.lists(st.integers(-extent, extent - 1), min_size=prod(shape), max_size=prod(shape))))
    picked = picked.astype(np.int64).reshape(shape)
    feeds, constants = ({"x": x}, {"i": picked}) if constant else ({"x": x, "i": picked}, {})
    model = make_model([node("Gather", ["x", "i"], "y", axis=axis)], feeds, constants)
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, exact=constant, names=("x",))


@settings(max_examples=20)
@given(st.data(), st.permutations(range(4)))
def test_transpose(data, order):
    feeds = {"x": random_array((2, 3, 4, 5))}
    model = make_model([node("Transpose", ["x"], "y", perm=list(order))], feeds, {})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds)


VIEWS = [
    ((1, 6, 4, 5), (1, 2, 3, 4, 5)),
    ((1, 2, 3, 4, 5), (1, 6, 4, 5)),
    ((2, 3, 4), (2, 12)),
    ((2, 3, 4), (24,)),
    ((4, 6), (6, 4)),
    ((4, 6), (3, 8)),
    ((1, 1, 4, 3), (4, 3)),
    ((4, 3), (1, 4, 1, 3, 1)),
    ((1, 4, 6, 6), (4, 9, 4)),
    ((3, 2, 2), (2, 3, 2)),
    ((1, 1), ()),
    ((1,), (1, 1, 1)),
    ((5, 1, 1), (5,)),
]


@settings(max_examples=45)
@given(st.data(), st.sampled_from(VIEWS))
def test_reshape(data, shapes):
    before, after = shapes
    feeds = {"x": random_array(before)}
    model = make_model([node("Reshape", ["x", "shape"], "y")], feeds, {"shape": indices(*after)})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, exact=False)


@settings(max_examples=20)
@given(st.data())
def test_split_survives_a_view_on_the_axes_that_it_keeps(data):
    feeds = {"x": random_array((1, 6, 4, 5))}
    model = make_model([node("Reshape", ["x", "shape"], "y")], feeds, {"shape": indices(1, 3, 2, 4, 5)})
    rows, columns = (data.draw(box_strategy((extent,))).intervals[0] for extent in (4, 5))
    box = Box(((0, 1), (0, 3), (0, 2), rows, columns))
    assert operator_demand(model, model.layers[0].operators[0], box)[0] == Box(((0, 1), (0, 6), rows, columns))


@settings(max_examples=20)
@given(st.data())
def test_other_views(data):
    feeds = {"x": random_array((2, 1, 3, 4))}
    constants = {"one": indices(1)}
    view = data.draw(
        st.sampled_from(
            [
                node("Flatten", ["x"], "y", axis=data.draw(st.integers(-3, 4))),
                node("Squeeze", ["x", "one"], "y"),
                node("Squeeze", ["x"], "y"),
                node("Unsqueeze", ["x", "one"], "y"),
            ]
        )
    )
    model = make_model([view], feeds, constants)
    check_operator(data, model, feeds)


@settings(max_examples=45)
@given(st.data(), st.sampled_from(["DCR", "CRD", "SpaceToDepth"]), st.integers(1, 3))
def test_blocks(data, kind, block):
    if kind == "SpaceToDepth":
        feeds = {"x": random_array((2, 2, 2 * block, 3 * block))}
        item = node("SpaceToDepth", ["x"], "y", blocksize=block)
    else:
        feeds = {"x": random_array((2, 2 * block * block, 3, 2))}
        item = node("DepthToSpace", ["x"], "y", blocksize=block, mode=kind)
    model = make_model([item], feeds, {})
    check_operator(data, model, feeds)
    check_demand(data, model, feeds, exact=False)


def test_blocks_split_along_rows():
    feeds = {"x": random_array((1, 4, 6, 6))}
    model = make_model([node("SpaceToDepth", ["x"], "y", blocksize=2)], feeds, {})
    box = Box(((0, 1), (0, 16), (1, 2), (0, 3)))
    assert operator_demand(model, model.layers[0].operators[0], box)[0] == Box(((0, 1), (0, 4), (2, 4), (0, 6)))
    check_local(model, feeds, {"y": box}, whole=run_whole(model, feeds))
