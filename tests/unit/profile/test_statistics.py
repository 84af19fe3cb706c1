"""Figures from samples: drift cancels, order does not matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.profile.statistics import expected_s, normalised_s, reference_s, undisturbed_s
from unit.profile.profile_building import device_profile, layer_sample


@given(st.lists(st.floats(0.2, 5.0), min_size=1, max_size=7), st.floats(1e-5, 10.0))
def test_drift_that_hits_layer_and_reference_alike_cancels_where_it_is_large(drifts, seconds):
    sample = layer_sample(seconds=[seconds * drift for drift in drifts], references=[0.01 * drift for drift in drifts])
    for normalised, drift in zip(normalised_s(sample, 0.01), drifts, strict=True):
        near = max(drift, 1 / drift) <= 1.2
        assert normalised == pytest.approx(seconds * drift if near else seconds)


def test_a_reference_kernel_that_is_nearly_as_fast_as_ever_changes_nothing():
    sample = layer_sample(seconds=[1.0, 1.0, 1.0, 1.0], references=[0.01, 0.0118, 0.0085, 0.02])
    assert normalised_s(sample, 0.01) == pytest.approx([1.0, 1.0, 1.0, 0.5])


def test_the_mean_is_expected_but_an_outlier_counts_little():
    assert expected_s([1.0, 1.2, 0.8, 1.4]) == pytest.approx(1.1)
    assert expected_s([1.0, 1.0, 50.0, 1.0, 1.0]) == pytest.approx(1.1)


def test_undisturbed_is_the_mean_of_the_faster_half():
    assert undisturbed_s([3.0, 1.0]) == undisturbed_s([1.0]) == 1.0
    assert undisturbed_s([9.0, 1.0, 8.0, 2.0]) == undisturbed_s([1.0, 5.0, 2.0]) == 1.5


def test_reference_is_the_median_over_the_whole_device():
    profile = device_profile(layers=[layer_sample(seconds=[1.0], references=[value]) for value in (0.01, 0.02, 0.09)])
    assert reference_s(profile) == 0.02
