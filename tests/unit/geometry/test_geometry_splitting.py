"""Which axis a layer is shared out along, and how an extent becomes intervals."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from geometry_building import make_model, node, random_array
from hypothesis import given
from hypothesis import strategies as st

from legion.geometry.demand import Demand
from legion.geometry.shares import split_extent
from legion.geometry.splitting import split_axis

IMAGE = (1, 4, 6, 8)


@pytest.mark.parametrize(
    ("item", "shape", "axis"),
    [
        (node("Relu", ["x"], "y"), IMAGE, 2),
        (node("Relu", ["x"], "y"), (1, 5, 8), 1),
        (node("Relu", ["x"], "y"), (5, 8), None),
        (node("MaxPool", ["x"], "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), IMAGE, 2),
        (node("MaxPool", ["x"], "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), (1, 4, 3, 8), 2),
        (node("MaxPool", ["x"], "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), (1, 4, 2, 8), None),
        (node("GlobalAveragePool", ["x"], "y"), IMAGE, None),
        (node("Softmax", ["x"], "y", axis=1), IMAGE, 2),
        (node("Softmax", ["x"], "y", axis=2), IMAGE, None),
        (node("InstanceNormalization", ["x", "s", "s"], "y"), IMAGE, None),
        (node("Transpose", ["x"], "y", perm=[0, 2, 3, 1]), IMAGE, 2),
        (node("Einsum", ["x"], "y", equation="abcd->abdc"), IMAGE, None),
        (node("MatMul", ["x", "k"], "y"), (1, 2, 5, 5), 2),
        (node("ReduceMean", ["x", "rows"], "y", keepdims=0), (1, 2, 3, 4, 5), 2),
        (node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2]), IMAGE, None),
    ],
)
def test_split_axis(item, shape, axis):
    constants = {"s": random_array((4,)), "k": random_array((5, 5)), "rows": np.array([2], np.int64)}
    model = make_model([item], {"x": random_array(shape)}, constants)
    assert split_axis(Demand(model), 0) == axis


@given(st.integers(0, 1000), st.lists(st.floats(0, 1e3), min_size=1, max_size=8).filter(lambda f: sum(f) > 1e-3))
def test_shares_cover_in_order_and_are_proportional_within_one(extent, fractions):
    intervals = split_extent(extent, fractions)
    assert intervals[0][0] == 0
    assert intervals[-1][1] == extent
    assert all(end == start for (_, end), (start, _) in pairwise(intervals))
    for (low, high), fraction in zip(intervals, fractions, strict=True):
        assert abs(high - low - extent * fraction / sum(fractions)) < 1 + 1e-9
        assert low <= high


@given(st.integers(0, 100), st.integers(1, 9))
def test_equal_fractions_differ_by_one_at_most(extent, count):
    sizes = Counter(high - low for low, high in split_extent(extent, [1.0] * count))
    assert max(sizes) - min(sizes) <= 1


def test_nobody_with_a_zero_fraction_gets_anything():
    assert split_extent(3, [1.0, 0.0, 1.0]) == ((0, 2), (2, 2), (2, 3))
