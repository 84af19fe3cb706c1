"""The curve goes through what was measured, and stays sane elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.cost.layer_cost import ExtentCurve

POINTS = st.dictionaries(st.integers(1, 300), st.floats(0, 10), min_size=1, max_size=6).map(
    lambda measured: sorted(measured.items())
)


@given(POINTS, st.integers(1, 300))
def test_linear_between_points_and_the_origin(points, extent):
    curve = ExtentCurve.through(points)
    extents, seconds = zip((0, 0.0), *points, strict=True)
    if extent <= extents[-1]:
        assert curve.at(extent) == pytest.approx(np.interp(extent, extents, seconds))


@given(POINTS)
def test_measured_points_are_kept(points):
    curve = ExtentCurve.through(points)
    assert [curve.at(extent) for extent, _ in points] == pytest.approx([seconds for _, seconds in points])


@given(POINTS, st.integers(1, 1000))
def test_beyond_the_largest_extent_seconds_never_fall(points, more):
    curve = ExtentCurve.through(points)
    largest = points[-1][0]
    assert curve.at(largest + more) >= curve.at(largest) >= 0


def test_beyond_the_largest_extent_the_last_slope_goes_on():
    assert ExtentCurve.through([(2, 5.0), (4, 6.0)]).at(8) == pytest.approx(8.0)
    assert ExtentCurve.through([(4, 6.0)]).at(8) == pytest.approx(12.0)
    assert ExtentCurve.through([(2, 5.0), (4, 3.0)]).at(8) == pytest.approx(3.0)
