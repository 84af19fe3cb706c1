"""Which layers are probed: each distinct one once, at a ladder of extents, on graphs shared by all tiles."""

from collections import defaultdict
from itertools import pairwise

import pytest
from onnx import TensorProto, helper

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.splitting import splits_features
from legion.model.onnx_import.load import load_model
from legion.model.signature import layer_signature
from legion.model.zoo import build
from legion.profile.extents import measurable, tile, weights_bytes, whole_extent
from legion.profile.joined import joined_layers, longest_stretch
from legion.profile.probes import CALL, plan_probes


@pytest.fixture(scope="module")
def network():
    model = load_model(build("resnet18", size=64).SerializeToString())
    return model, Demand(model)


def test_every_distinct_layer_is_probed_once_at_each_extent(network):
    model, demand = network
    probes = plan_probes(model, demand).probes
    assert len({(probe.key, probe.extent) for probe in probes}) == len(probes)
    layers = {layer_signature(model, layer) for layer in range(len(model.layers))}
    joined = {each.key for each in joined_layers(model, demand)}
    assert {probe.key for probe in probes} == layers | joined | {CALL}
    assert len(layers) < len(model.layers)


def test_a_stretch_is_all_layers_where_their_weights_are_few(network):
    model, _ = network
    assert longest_stretch(model) == range(len(model.layers))


def test_a_stretch_ends_before_its_weights_are_many():
    model = load_model(build("vgg16", size=32).SerializeToString())
    stretch = longest_stretch(model)
    weights = [weights_bytes(model, layer) for layer in range(len(model.layers))]
    assert sum(weights[layer] for layer in stretch) <= 64 << 20 < sum(weights[stretch.start : stretch.stop + 1])


def test_the_stretch_is_measured_whole_and_a_tile_of_each_piece_that_it_falls_into(network):
    model, demand = network
    whole, *pieces = joined_layers(model, demand)
    assert set(whole.segment.inputs) == {port.name for port in model.inputs}
    assert whole.segment.outputs == {port.name: Box.whole(port.type.shape) for port in model.outputs}
    assert [layer for piece in pieces for layer in piece.segment.layers] == list(whole.segment.layers)
    assert len(pieces) == 8
    for piece in pieces:
        last = piece.segment.layers[-1]
        extent = whole_extent(model, demand, last)
        assert len(piece.segment.layers) > 1
        assert piece.extent == -(-extent // 4)
        for tensor, box in tile(model, demand, last, piece.extent).items():
            assert piece.segment.outputs[tensor] == box


def test_what_others_read_leaves_a_piece(network):
    model, demand = network
    for piece in joined_layers(model, demand):
        layers = set(piece.segment.layers)
        read = {
            tensor for index, layer in enumerate(model.layers) if index not in layers for tensor in layer.inputs
        } | {port.name for port in model.outputs}
        made = {tensor for layer in layers for tensor in model.layers[layer].outputs}
        assert set(piece.segment.outputs) == made & read


def extents_by_key(model, demand):
    extents = defaultdict(list)
    for probe in plan_probes(model, demand).probes:
        extents[probe.key].append(probe.extent)
    return extents


def test_the_ladder_goes_from_the_whole_by_halves_to_one(network):
    model, demand = network
    extents = extents_by_key(model, demand)
    for layer in range(len(model.layers)):
        ladder = extents[layer_signature(model, layer)]
        assert ladder[0] == whole_extent(model, demand, layer)
        assert ladder[-1] == 1
        if not splits_features(model, layer):
            assert all(2 * small in (large, large + 1) for large, small in pairwise(ladder))


def test_few_features_are_measured_with_little_memory():
    inputs, features = 20_000, 4000
    weights = helper.make_tensor("w", TensorProto.FLOAT, (inputs, features), b"\0" * (4 * inputs * features), raw=True)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"])],
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, inputs))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, features))],
        [weights],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    model = load_model(proto.SerializeToString())
    extents = extents_by_key(model, Demand(model))
    assert extents.pop(CALL) == [1]
    (ladder,) = extents.values()
    assert ladder == [500, 63, 8, 1]


def test_proper_tiles_of_a_layer_share_one_graph(network):
    model, demand = network
    probes = plan_probes(model, demand).probes
    graphs = defaultdict(set)
    for probe in probes:
        graphs[probe.key].add(repr(probe.graph))
    features = {layer_signature(model, layer) for layer in range(len(model.layers)) if splits_features(model, layer)}
    assert max(len(shared) for key, shared in graphs.items() if key not in features) <= 2


def test_shapes_fit_the_graphs_and_weights_are_synthetic(network):
    model, demand = network
    plan = plan_probes(model, demand)
    named = set()
    for probe in plan.probes:
        assert len(probe.input_shapes) == len(probe.graph.inputs)
        for wanted, shape in zip(probe.graph.inputs, probe.input_shapes, strict=True):
            assert all(dim in (None, extent) for dim, extent in zip(wanted.dims, shape, strict=True))
        named |= {constant.digest for constant in probe.graph.constants}
    assert None in named
    assert named - {None} <= set(plan.constants)
    assert sum(array.nbytes for array in plan.constants.values()) < 200_000


def test_tiles_come_from_the_middle(network):
    model, demand = network
    (box,) = tile(model, demand, 0, 4).values()
    extent = whole_extent(model, demand, 0)
    assert box.intervals[2] == ((extent - 4) // 2, (extent - 4) // 2 + 4)
    assert all(measurable(model, layer) for layer in range(len(model.layers)))
