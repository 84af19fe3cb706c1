"""Whole networks, each layer on a tile and the network as one group on a tile, against ONNX Runtime."""

import numpy as np
import pytest
from geometry_building import assert_close, random_array, run_segment, run_whole, slice_of

from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.geometry.shares import split_extent
from legion.geometry.splitting import split_axis
from legion.model.model import Model
from legion.model.onnx_import import load_model
from legion.model.zoo import NAMES, build


def tile(model: Model, demand: Demand, layer: int, place: int, count: int = 3) -> Box:
    """One of `count` unequal shares of a layer's output; all of it where it cannot be split."""
    whole = Box.whole(model.tensors[model.layers[layer].outputs[0]].shape)
    axis = split_axis(demand, layer)
    if axis is None:
        return whole
    low, high = split_extent(whole.shape[axis], range(1, count + 1))[place % count]
    return whole.replace(axis, (low, high)) if low < high else whole


@pytest.mark.parametrize("name", NAMES)
def test_tiles_of_a_network_equal_the_whole(name):
    model = load_model(build(name, 64, width=0.25).SerializeToString())
    whole = run_whole(model, {port.name: random_array(port.type.shape) for port in model.inputs})
    demand = Demand(model)
    groups = [range(layer, layer + 1) for layer in range(len(model.layers))]
    groups += [range(max(0, layer - 6), layer + 1) for layer in range(0, len(model.layers), 5)]
    for place, group in enumerate([*groups, range(len(model.layers))]):
        output = model.layers[group[-1]].outputs[0]
        segment = build_segment(demand, group, {output: tile(model, demand, group[-1], place)})
        value = run_segment(model, segment, whole)[output]
        assert np.ptp(whole[output]) > 0
        assert_close(value, slice_of(whole[output], segment.outputs[output]), whole[output], 2e-6)
