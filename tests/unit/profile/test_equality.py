"""Devices count as equal that are of one kind and equally fast, and no others."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from legion.profile.equality import equal_devices
from legion.profile.samples import ProcessorSample
from unit.profile.profile_building import device_profile

NAMES = tuple("abcdef")
INFO = replace(device_profile().device, machine="one")


def sample(seconds):
    return ProcessorSample(reference_s=tuple(seconds), assembling_s=1e-6, copy_bytes_per_s=1e9)


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(1.0, 2.0), min_size=1), st.sets(st.sampled_from(NAMES)))
def test_each_is_in_one_class_of_its_kind_and_pace(paces, others):
    infos = {name: replace(INFO, machine="other") if name in others else INFO for name in paces}
    classes = equal_devices(infos, {name: sample([seconds]) for name, seconds in paces.items()})
    assert sorted(name for names in classes for name in names) == sorted(paces)
    for names in classes:
        assert len({infos[name].machine for name in names}) == 1
        assert max(paces[name] for name in names) <= 1.1 * min(paces[name] for name in names)


def test_those_within_a_tenth_are_together_whatever_disturbed_them():
    runs = {"a": [1.0, 1.0, 5.0, 1.0], "b": [1.05, 1.04, 1.05, 9.0], "c": [1.3, 1.2, 1.2, 1.3]}
    processors = {name: sample(seconds) for name, seconds in runs.items()}
    assert equal_devices(dict.fromkeys("abc", INFO), processors) == [["a", "b"], ["c"]]
