"""Shares with which all finish together, against bisection over the common time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from legion.search.equal_finish import equal_finish_shares

PROBLEMS = st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        arrays(np.float64, shape, elements=st.floats(0, 10)), arrays(np.float64, shape, elements=st.floats(0.01, 10))
    )
)


def bisected(fixed_s, per_share_s):
    low, high = 0.0, float(fixed_s.max() + per_share_s.max())
    for _ in range(200):
        middle = (low + high) / 2
        if np.maximum((middle - fixed_s) / per_share_s, 0.0).sum() < 1:
            low = middle
        else:
            high = middle
    return np.maximum((high - fixed_s) / per_share_s, 0.0)


@given(PROBLEMS)
def test_equals_bisection(problem):
    fixed_s, per_share_s = problem
    shares = equal_finish_shares(fixed_s, per_share_s)
    for column in range(shares.shape[1]):
        np.testing.assert_allclose(shares[:, column], bisected(fixed_s[:, column], per_share_s[:, column]), atol=1e-9)


@given(PROBLEMS)
def test_all_who_take_part_finish_together_and_the_others_would_be_later(problem):
    fixed_s, per_share_s = problem
    shares = equal_finish_shares(fixed_s, per_share_s)
    assert shares.sum(axis=0) == pytest.approx(1.0)
    finish_s = np.where(shares > 0, fixed_s + per_share_s * shares, -np.inf)
    latest_s = finish_s.max(axis=0)
    np.testing.assert_allclose(np.where(shares > 0, finish_s, latest_s), np.broadcast_to(latest_s, shares.shape))
    assert (np.where(shares > 0, np.inf, fixed_s) >= latest_s - 1e-9).all()
