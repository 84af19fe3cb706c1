"""The mean of effects that are not equally sure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.cost.saving import mean_effect

ERRORS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8)


@given(st.floats(-5, 5), ERRORS)
def test_equal_effects_are_their_mean(effect: float, errors: list[float]) -> None:
    effects = np.full(len(errors), effect)
    assert mean_effect(effects, np.array(errors), np.ones(len(errors))) == pytest.approx(effect)


def test_effects_that_errors_explain_count_by_their_errors() -> None:
    effects, squared_errors = np.array([1.0, 1.1, 4.0]), np.array([0.01, 0.01, 9.0])
    expected = np.average(effects, weights=1 / squared_errors)
    assert mean_effect(effects, squared_errors, np.ones(3)) == pytest.approx(expected)


def test_effects_that_differ_in_truth_count_alike_and_a_mean_of_many_more() -> None:
    effects, squared_errors = np.array([0.0, 10.0, 4.0]), np.array([1e-6, 1e-9, 1e-9])
    assert mean_effect(effects, squared_errors, np.ones(3)) == pytest.approx(14 / 3, rel=1e-3)
    assert mean_effect(effects, squared_errors, np.array([1, 1, 1000])) == pytest.approx(4.0, rel=1e-2)
