"""Local graphs: shared between tiles, padded by their buffers at true borders, constants by content."""

import numpy as np
import pytest
from geometry_building import (
    assert_close,
    fill_buffers,
    graph_session,
    make_model,
    node,
    random_array,
    run_segment,
    run_whole,
    slice_of,
)
from onnx import TensorProto

from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.constant_pool import ConstantPool
from legion.geometry.demand import Demand
from legion.geometry.localize import localize
from legion.model.constants import constant_digest


def localized(model, pool, name, box):
    return localize(model, build_segment(Demand(model), range(len(model.layers)), {name: box}), pool)


def rows(model, name, low, high):
    return Box.whole(model.tensors[name].shape).replace(2, (low, high))


def convolution():
    feeds = {"x": random_array((1, 3, 12, 10))}
    constants = {"w": random_array((8, 3, 3, 3), 1), "b": random_array((8,), 2)}
    nodes = [node("Conv", ["x", "w", "b"], "c", pads=[1, 1, 1, 1]), node("Relu", ["c"], "y")]
    return make_model(nodes, feeds, constants), feeds


def max_pool():
    feeds = {"x": random_array((1, 3, 12, 10)) - 5}
    return make_model([node("MaxPool", ["x"], "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1])], feeds, {}), feeds


def widened(network):
    """The network behind a Cast from half precision."""
    plain, feeds = network()
    [first, *rest] = [operator for layer in plain.layers for operator in layer.operators]
    nodes = [
        node("Cast", ["x"], "u", to=1),
        node(first.op_type, ["u", *first.inputs[1:]], first.outputs[0], **first.attributes),
        *(node(operator.op_type, operator.inputs, operator.outputs[0], **operator.attributes) for operator in rest),
    ]
    feeds = {"x": feeds["x"].astype(np.float16)}
    return make_model(nodes, feeds, plain.constants), feeds


def widened_convolution():
    return widened(convolution)


def widened_max_pool():
    return widened(max_pool)


@pytest.mark.parametrize("network", [convolution, max_pool, widened_convolution, widened_max_pool])
def test_border_interior_and_any_share_have_one_graph_and_one_session_runs_them(network):
    model, feeds = network()
    pool = ConstantPool(model)
    whole = run_whole(model, feeds)
    tiles = [(0, 1), (0, 5), (4, 7), (5, 12), (11, 12)]
    parts = [localized(model, pool, "y", rows(model, "y", *tile)) for tile in tiles]
    assert all(part.graph == parts[0].graph for part in parts)
    session = graph_session(parts[0].graph, pool)
    for part in parts:
        (name, box) = part.outputs[0]
        value = session.run(list(part.graph.outputs), fill_buffers(part, feeds))[0]
        assert_close(value, slice_of(whole[name], box), whole[name])


def test_views_and_crops_do_not_tie_a_graph_to_the_extent_of_a_tile():
    feeds = {"x": random_array((1, 6, 12, 5))}
    constants = {"split": np.array([1, 2, 3, 12, 5]), "join": np.array([1, 6, 12, 5]), "w": random_array((6, 6, 3, 3))}
    nodes = [
        node("Reshape", ["x", "split"], "a"),
        node("Transpose", ["a"], "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["b", "join"], "c"),
        node("Conv", ["c", "w"], "d", pads=[1, 1, 1, 1]),
        node("Add", ["c", "d"], "y"),
    ]
    model = make_model(nodes, feeds, constants)
    pool = ConstantPool(model)
    tiles = [(1, 4), (4, 6), (6, 11)]
    graphs = [localized(model, pool, "y", rows(model, "y", *tile)).graph for tile in tiles]
    assert all(graph == graphs[0] for graph in graphs)


def test_padding_at_true_borders_is_in_the_buffer_and_columns_stay_with_the_operator():
    model, _ = convolution()
    pool = ConstantPool(model)
    top = localized(model, pool, "y", rows(model, "y", 0, 4))
    assert top.buffers[0].box == rows(model, "x", 0, 5)
    assert top.buffers[0].padding == ((0, 0), (0, 0), (1, 0), (0, 0))
    assert top.buffers[0].shape == (1, 3, 6, 10)
    assert top.graph.operators[0].attributes["pads"] == (0, 1, 0, 1)
    assert localized(model, pool, "y", rows(model, "y", 3, 5)).buffers[0].padding == ()
    assert localized(max_pool()[0], pool, "y", rows(model, "y", 8, 12)).buffers[0].fill == -np.inf


def test_the_whole_is_run_on_its_input_as_it_is():
    model, _ = convolution()
    part = localized(model, ConstantPool(model), "y", rows(model, "y", 0, 12))
    assert part.buffers[0].padding == ()
    assert part.graph.operators[0].attributes["pads"] == (1, 1, 1, 1)


def test_an_input_with_two_readers_is_not_padded():
    feeds = {"x": random_array((1, 3, 8, 8))}
    constants = {"w": random_array((3, 3, 3, 3), 1)}
    nodes = [node("Conv", ["x", "w"], "c", pads=[1, 1, 1, 1]), node("Add", ["c", "x"], "y")]
    model = make_model(nodes, feeds, constants)
    segment = build_segment(Demand(model), range(2), {"y": rows(model, "y", 0, 3)})
    assert localize(model, segment, ConstantPool(model)).buffers[0].padding == ()
    whole = run_whole(model, feeds)
    assert_close(run_segment(model, segment, feeds)["y"], whole["y"][:, :, :3], whole["y"])


def test_an_input_with_two_casts_is_not_padded():
    feeds = {"x": random_array((1, 3, 8, 8)).astype(np.float16)}
    constants = {"w": random_array((3, 3, 3, 3), 1)}
    nodes = [
        node("Cast", ["x"], "u", to=1),
        node("Conv", ["u", "w"], "c", pads=[1, 1, 1, 1]),
        node("Cast", ["x"], "v", to=1),
        node("Add", ["c", "v"], "y"),
    ]
    model = make_model(nodes, feeds, constants)
    segment = build_segment(Demand(model), range(4), {"y": rows(model, "y", 0, 3)})
    assert localize(model, segment, ConstantPool(model)).buffers[0].padding == ()
    whole = run_whole(model, feeds)
    assert_close(run_segment(model, segment, feeds)["y"], whole["y"][:, :, :3], whole["y"])


def test_what_a_cast_makes_integers_of_is_not_padded():
    """There is no infinity among integers, which a pool's padding has to be."""
    feeds = {"x": -10.0 - 20.0 * np.arange(8, dtype=np.float32).reshape(1, 1, 8, 1).repeat(8, axis=3) / 8}
    nodes = [
        node("Cast", ["x"], "u", to=TensorProto.INT8),
        node("MaxPool", ["u"], "y", kernel_shape=[3, 3], pads=[1] * 4),
    ]
    model = make_model(nodes, feeds, {})
    segment = build_segment(Demand(model), range(len(model.layers)), {"y": rows(model, "y", 0, 3)})
    assert np.array_equal(run_segment(model, segment, feeds)["y"], run_whole(model, feeds)["y"][:, :, :3])


def test_a_cast_that_others_read_too_is_not_padded():
    model, feeds = widened_convolution()
    tile = {name: rows(model, name, 0, 4) for name in ("u", "y")}
    segment = build_segment(Demand(model), range(len(model.layers)), tile)
    assert localize(model, segment, ConstantPool(model)).buffers[0].padding == ()
    assert run_segment(model, segment, feeds)["u"].shape == segment.outputs["u"].shape


def test_spatial_extents_are_free_from_rank_four_on():
    model, _ = convolution()
    part = localized(model, ConstantPool(model), "y", rows(model, "y", 2, 5))
    assert part.graph.inputs[0].dims == (1, 3, None, None)
    vector = make_model([node("Relu", ["x"], "y")], {"x": random_array((1, 4, 5))}, {})
    assert localized(vector, ConstantPool(vector), "y", Box.whole((1, 4, 5))).graph.inputs[0].dims == (1, 4, 5)


def test_constants_are_named_by_content_and_cut_as_demanded():
    model, _ = convolution()
    pool = ConstantPool(model)
    box = Box(((0, 1), (2, 5), (0, 12), (0, 10)))
    constants = {item.name: item for item in localized(model, pool, "y", box).graph.constants}
    assert constants["w"].shape == (3, 3, 3, 3)
    assert constants["w"].digest == constant_digest(model.constants["w"][2:5])
    np.testing.assert_array_equal(pool.arrays[constants["b"].digest], model.constants["b"][2:5])


def test_one_constant_in_two_pieces():
    feeds = {"x": random_array((1, 4, 3, 3)), "z": random_array((1, 4, 3, 3), 1)}
    constants = {"b": random_array((4, 1, 1), 2)}
    nodes = [node("Add", ["x", "b"], "u"), node("Mul", ["z", "b"], "v")]
    model = make_model(nodes, feeds, constants)
    whole = run_whole(model, feeds)
    boxes = {"u": Box(((0, 1), (0, 2), (0, 3), (0, 3))), "v": Box(((0, 1), (1, 4), (0, 3), (0, 3)))}
    segment = build_segment(Demand(model), range(2), boxes)
    for name, value in run_segment(model, segment, feeds).items():
        assert_close(value, slice_of(whole[name], boxes[name]), whole[name])


def test_synthetic_pool_keeps_no_weights_but_all_parameters():
    feeds = {"x": random_array((1, 32, 6, 6))}
    constants = {
        "w": random_array((32, 32, 3, 3)),
        "b": random_array((32,)),
        "shape": np.array([1, 2, 16, 6, 6], np.int64),
    }
    nodes = [node("Conv", ["x", "w", "b"], "c", pads=[1, 1, 1, 1]), node("Reshape", ["c", "shape"], "y")]
    model = make_model(nodes, feeds, constants)
    pool = ConstantPool(model, synthetic=True)
    graph = localized(model, pool, "y", Box(((0, 1), (0, 2), (0, 16), (2, 4), (0, 6)))).graph
    digests = {item.name: item.digest for item in graph.constants}
    assert digests.pop("w") is None
    assert all(digest in pool.arrays for digest in digests.values())


def test_names_do_not_clash_with_the_models():
    feeds = {"x": random_array((1, 2, 6, 6))}
    nodes = [
        node("LRN", ["x"], "op0_LRN:0", size=3),
        node("LRN", ["op0_LRN:0"], "y", size=3),
        node("Neg", ["op0_LRN:0"], "op0_LRN/0"),
    ]
    model = make_model(nodes, feeds, {})
    whole = run_whole(model, feeds)
    boxes = {name: Box(((0, 1), (0, 1), (0, 6), (0, 6))) for name in ("y", "op0_LRN/0")}
    segment = build_segment(Demand(model), range(3), boxes)
    for name, value in run_segment(model, segment, feeds).items():
        assert_close(value, slice_of(whole[name], boxes[name]), whole[name])
