"""How much there is to do in a layer, and in several."""

import pytest

from legion.geometry.build import build_segment
from legion.geometry.demand import Demand
from legion.geometry.work import layer_work, segment_work
from legion.profile.extents import tile, whole_extent
from support.networks import small


def test_work_by_hand():
    model = small("vgg16").model
    demand = Demand(model)
    kinds = [layer_work(model, demand, k, tile(model, demand, k, whole_extent(model, demand, k))) for k in range(21)]
    channels, rows = 16, 96  # of the second convolution, at a quarter of VGG-16's width
    second = kinds[1]
    assert second.kind == "convolution"
    image = channels * rows * rows
    assert second.terms.tolist() == [1, image, image, channels * channels * 9, image * channels * 9]
    assert kinds[2].kind == "pooling"
    assert kinds[2].terms.tolist() == [1, image, image / 4, 0, image]
    features, outputs = model.constants[model.layers[-1].operators[0].inputs[1]].shape[::-1]
    assert kinds[-1].kind == "dense"
    assert kinds[-1].terms.tolist() == [1, features, outputs, features * outputs, features * outputs]


@pytest.mark.parametrize("name", ["vgg16", "yolov2", "mobilenetv2", "resnet18"])
def test_a_fused_group_does_more_than_its_layers_and_a_tile_less_than_the_whole(name):
    model = small(name).model
    demand = Demand(model)

    def work(layers, parts):
        last = layers[-1]
        extent = max(1, whole_extent(model, demand, last) // parts)
        return segment_work(demand, build_segment(demand, layers, tile(model, demand, last, extent)))

    fused = work(range(4), 2)
    assert 0 < work(range(1), 2) < work(range(1), 1)
    assert sum(work(range(layer, layer + 1), 2) for layer in range(4)) <= fused < work(range(4), 1)
