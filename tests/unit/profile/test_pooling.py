"""What equal devices are taken to take, together."""

from dataclasses import replace

import numpy as np
import pytest

from legion.profile.pooling import pooled_seconds, variations
from unit.profile.profile_building import device_profile, layer_sample


def test_disturbances_are_shared_by_layers_of_a_length():
    """Half the layers were disturbed, by chance: none of them looks slower for it, and the sum is as measured."""
    random = np.random.default_rng(0)
    layers = [
        layer_sample("k", extent, [extent, extent * (1.4 if random.random() < 0.5 else 1.0)], [0.01] * 2)
        for extent in range(100, 300)
    ]
    points = pooled_seconds({"a": device_profile("a", layers=layers)})["a"]["k"]
    each = [point.seconds / point.extent for point in points]
    assert each == pytest.approx([1.1] * len(each), rel=0.03)
    assert np.abs(np.diff(each)).max() < 0.01
    assert sum(point.seconds for point in points) == pytest.approx(
        sum(np.mean(layer.seconds) for layer in layers), rel=0.02
    )


def test_short_layers_that_are_disturbed_more_do_not_make_long_ones_longer():
    layers = [layer_sample("short", extent, [0.01, 0.014], [0.01] * 2) for extent in range(1, 50)]
    layers += [layer_sample("long", extent, [1.0, 1.0], [0.01] * 2) for extent in range(1, 50)]
    pooled = pooled_seconds({"a": device_profile("a", layers=layers)})["a"]
    assert [point.seconds for point in pooled["short"]] == pytest.approx([0.012] * 49, rel=0.001)
    assert [point.seconds for point in pooled["long"]] == pytest.approx([1.0] * 49, rel=0.001)


def test_one_long_run_that_was_held_up_says_little_of_the_longest_layer():
    layers = [layer_sample("short", extent, [0.01, 0.0104], [0.01] * 2) for extent in range(1, 50)]
    layers += [layer_sample("long", 1, [1.5, 1.0, 1.0, 1.0], [0.01] * 4)]
    (point,) = pooled_seconds({"a": device_profile("a", layers=layers)})["a"]["long"]
    assert point.seconds == pytest.approx(1.02, rel=0.001)


def test_variation_is_what_runs_were_drawn_with():
    random = np.random.default_rng(0)
    layers = [
        layer_sample("k", extent, list(extent * random.normal(1.0, 0.1, 5)), [0.01] * 5) for extent in range(1, 200)
    ]
    once = [layer_sample("k", 4, [1.0], [0.01])]
    held_up = layer_sample("k", 1, [3000.0, 9000.0], [0.01] * 2)
    profiles = {"a": device_profile("a", layers=layers), "b": device_profile("b", layers=[])}
    assert variations(profiles) == pytest.approx({"a": 0.1, "b": 0.0}, abs=0.01)
    assert variations({"a": device_profile("a", layers=once)}) == {"a": 0.0}
    disturbed = {"a": device_profile("a", layers=[*layers, held_up])}
    assert variations(disturbed) == pytest.approx({"a": 0.1}, abs=0.02)


def test_runs_too_short_for_the_clock_spoil_nothing():
    layers = [layer_sample("none", 1, [0.0, 0.0], [0.01] * 2), layer_sample("k", 4, [1.0, 1.0], [0.01] * 2)]
    profiles = {"a": device_profile("a", layers=layers)}
    assert variations(profiles) == {"a": 0.0}
    assert [point.seconds for point in pooled_seconds(profiles)["a"]["k"]] == pytest.approx([1.0])


def test_points_come_by_signature_and_ascending_extent():
    layers = [layer_sample(key=key, extent=extent) for key, extent in (("a", 8), ("b", 3), ("a", 2), ("a", 4))]
    profiles = {"one": device_profile(layers=layers), "none": device_profile("none", layers=[])}
    pooled = pooled_seconds(profiles)
    points = pooled["one"]
    assert [point.extent for point in points["a"]] == [2, 4, 8]
    assert [point.extent for point in points["b"]] == [3]
    assert not pooled["none"]


def test_equal_devices_count_as_one_measured_several_times():
    def measured(name, machine, seconds, reference):
        profile = device_profile(name, layers=[layer_sample("k", 4, [seconds], [reference])], reference_s=[reference])
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
