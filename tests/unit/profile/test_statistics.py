"""Figures from samples: drift cancels, order does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.profile.statistics import expected_s, normalised_s, pooled_seconds, reference_s, undisturbed_s, variations
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


def test_disturbances_are_shared_by_all_layers():
    """Half the layers were disturbed, by chance: none of them looks slower for it, and the sum is as measured."""
    random = np.random.default_rng(0)
    layers = [
        layer_sample("k", extent, [extent, extent * (1.4 if random.random() < 0.5 else 1.0)], [0.01] * 2)
        for extent in range(1, 200)
    ]
    points = pooled_seconds({"a": device_profile("a", layers=layers)})["a"]["k"]
    each = [point.seconds / point.extent for point in points]
    assert each == pytest.approx([each[0]] * len(each))
    assert sum(point.seconds for point in points) == pytest.approx(sum(np.mean(layer.seconds) for layer in layers))


def test_variation_is_what_runs_were_drawn_with():
    random = np.random.default_rng(0)
    layers = [
        layer_sample("k", extent, list(extent * random.normal(1.0, 0.1, 5)), [0.01] * 5) for extent in range(1, 200)
    ]
    once = [layer_sample("k", 4, [1.0], [0.01])]
    profiles = {"a": device_profile("a", layers=layers), "b": device_profile("b", layers=[])}
    assert variations(profiles) == pytest.approx({"a": 0.1, "b": 0.0}, abs=0.01)
    assert variations({"a": device_profile("a", layers=once)}) == {"a": 0.0}


def test_reference_is_the_median_over_the_whole_device():
    profile = device_profile(layers=[layer_sample(seconds=[1.0], references=[value]) for value in (0.01, 0.02, 0.09)])
    assert reference_s(profile) == 0.02


def test_points_come_by_signature_and_ascending_extent():
    layers = [layer_sample(key=key, extent=extent) for key, extent in (("a", 8), ("b", 3), ("a", 2), ("a", 4))]
    profiles = {"one": device_profile(layers=layers), "none": device_profile(layers=[])}
    pooled = pooled_seconds(profiles)
    points = pooled["one"]
    assert [point.extent for point in points["a"]] == [2, 4, 8]
    assert [point.extent for point in points["b"]] == [3]
    assert not pooled["none"]


def test_equal_devices_count_as_one_measured_several_times():
    def measured(name, machine, seconds, reference):
        profile = device_profile(name, layers=[layer_sample("k", 4, [seconds], [reference])])
        return replace(profile, device=replace(profile.device, machine=machine))

    profiles = {
        "a": measured("a", "m", 1.0, 1.0),
        "b": measured("b", "m", 2.1, 1.05),
        "c": measured("c", "m", 9.0, 1.0),
        "slower": measured("slower", "m", 5.0, 1.5),
        "other": measured("other", "n", 7.0, 1.0),
    }
    pooled = {name: points["k"] for name, points in pooled_seconds(profiles).items()}
    # Seconds of 1, 2.1 and 9, the last no more than one and a half times the median: their mean is 4.15 / 1.55 times
    # that of the faster two, and all that is known of how runs are disturbed.
    assert pooled["a"] == pooled["b"] == pooled["c"] == [(4, pytest.approx((1 + 2.1 + 3.15) / 3))]
    assert pooled["slower"] == [(4, 5.0)]
    assert pooled["other"] == [(4, 7.0)]
