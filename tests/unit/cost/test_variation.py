"""Single frames of a cost model: devices that are as good as one another stay so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.cost.variation import run_factors

LAYERS = 5


@given(st.lists(st.floats(0.0, 0.4), min_size=1, max_size=6), st.integers(2, 12))
def test_every_layer_of_every_device_takes_what_is_expected_in_the_mean(variations: list[float], frames: int) -> None:
    factors = run_factors(variations, LAYERS, frames)
    assert factors.shape == (LAYERS, len(variations), frames if any(variations) else 1)
    assert factors.mean(axis=2) == pytest.approx(1.0)
    assert factors.std(axis=2) == pytest.approx(np.broadcast_to(variations, (LAYERS, len(variations))))


def test_layers_and_devices_vary_apart() -> None:
    factors = run_factors([0.1] * 6, 40, 4).reshape(-1, 4)
    correlations = np.corrcoef(factors)[np.triu_indices(len(factors), 1)]
    assert abs(correlations.mean()) < 0.02


def test_no_run_takes_less_than_no_time() -> None:
    assert (run_factors([5.0], LAYERS, 9) > 0).all()
