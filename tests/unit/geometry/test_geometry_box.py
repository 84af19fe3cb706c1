"""Boxes as sets of elements."""

import numpy as np
from geometry_building import box_strategy
from hypothesis import given
from hypothesis import strategies as st

from legion.geometry.box import Box, hull_of, subtract_all

SHAPE = (4, 5, 3)
boxes = box_strategy(SHAPE)


def mask(*parts: Box) -> np.ndarray:
    """How many of the boxes each element is in."""
    count = np.zeros(SHAPE, int)
    for part in parts:
        count[part.relative_to(Box.whole(SHAPE))] += 1
    return count


@given(boxes, st.lists(boxes, max_size=4))
def test_what_is_left_is_disjoint_and_complete(box, holes):
    rest = subtract_all(box, holes)
    np.testing.assert_array_equal(mask(*rest), (mask(box) > 0) & (mask(*holes) == 0))


@given(boxes, boxes)
def test_intersection_and_containment(one, other):
    common = one.intersection(other)
    np.testing.assert_array_equal(mask(*([common] if common else [])), mask(one) * mask(other))
    assert one.contains(other) == bool(np.all(mask(one) >= mask(other)))
    assert common is None or (one.contains(common) and other.contains(common))


@given(st.lists(boxes, min_size=1, max_size=4))
def test_hull_is_the_smallest_box_that_contains_all(parts):
    hull = hull_of(parts)
    assert all(hull.contains(part) for part in parts)
    for axis, (low, high) in enumerate(hull.intervals):
        assert any(part.intervals[axis][0] == low for part in parts)
        assert any(part.intervals[axis][1] == high for part in parts)


@given(boxes)
def test_volume_and_shape(box):
    assert box.volume == mask(box).sum() == np.prod(box.shape)
    assert not box.empty
    assert Box(((2, 2),)).empty
