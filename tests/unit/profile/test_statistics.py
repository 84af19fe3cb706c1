"""Figures from samples: drift cancels, order does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legion.profile.statistics import expected_s, normalised_s, pooled_seconds, reference_s, variations
from unit.profile.profile_building import device_profile, layer_sample


@given(st.lists(st.floats(0.2, 5.0), min_size=1, max_size=7), st.floats(1e-5, 10.0))
def test_drift_that_hits_layer_and_reference_alike_cancels(drifts, seconds):
    sample = layer_sample(seconds=[seconds * drift for drift in drifts], references=[0.01 * drift for drift in drifts])
    assert normalised_s(sample, 0.01) == pytest.approx([seconds] * len(drifts))


def test_the_mean_is_expected_but_an_outlier_counts_little():
    assert expected_s([1.0, 1.2, 0.8, 1.4]) == pytest.approx(1.1)
    assert expected_s([1.0, 1.0, 50.0, 1.0, 1.0]) == pytest.approx(1.1)


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
    assert pooled["a"] == pooled["b"] == pooled["c"] == [(4, 2.0)]
    assert pooled["slower"] == [(4, 5.0)]
    assert pooled["other"] == [(4, 7.0)]
