"""Figures of devices, those that are equal taken together: they share the measuring, and the noise."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from statistics import mean, median
from typing import NamedTuple, TypeVar

from legion.profile.equality import equal_devices
from legion.profile.samples import DeviceProfile
from legion.profile.statistics import expected_s, normalised_s, reference_s, undisturbed_s, without_outliers

Figure = TypeVar("Figure")


class Point(NamedTuple):
    """What was measured at one extent: the expected seconds."""

    extent: int
    seconds: float


Points = Mapping[str, Sequence[Point]]
"""By the samples' key, by ascending extent."""


def pooled_seconds(profiles: Mapping[str, DeviceProfile]) -> Mapping[str, Points]:
    """What each device takes for the layers that it or an equal device was measured with.

    Devices that are equal count as one measured several times: they share the measuring. And noise of single samples
    would otherwise look like devices that are better at some layers, which a search exploits. For the same reason a
    layer takes what it does undisturbed, longer by how much all layers together are disturbed: which of a few runs are
    is chance, how often is the device's.
    """
    return once_for_equals(_pool, profiles)


def _pool(profiles: Sequence[DeviceProfile]) -> Points:
    """Of equal devices, as one."""
    measured: dict[str, dict[int, list[float]]] = {}
    common_s = median([reference_s(profile) for profile in profiles if profile.layers] or [0.0])
    for sample in (sample for profile in profiles for sample in profile.layers):
        measured.setdefault(sample.key, {}).setdefault(sample.extent, []).extend(normalised_s(sample, common_s))
    longer = _disturbed([seconds for by_extent in measured.values() for seconds in by_extent.values()])
    return {
        key: [Point(extent, longer * undisturbed_s(seconds)) for extent, seconds in sorted(by_extent.items())]
        for key, by_extent in measured.items()
    }


def _disturbed(samples: Sequence[Sequence[float]]) -> float:
    """By what factor runs take longer than undisturbed, all samples together."""
    undisturbed = sum(map(undisturbed_s, samples))
    return sum(map(expected_s, samples)) / undisturbed if undisturbed else 1.0


def variations(profiles: Mapping[str, DeviceProfile]) -> Mapping[str, float]:
    """By how much what a device runs takes longer or shorter from one time to the next: the standard deviation as a
    fraction, 0 where nothing was run twice. Equal devices have the same. Layers count by their time.
    """
    return once_for_equals(_variation, profiles)


def once_for_equals(
    of: Callable[[Sequence[DeviceProfile]], Figure], profiles: Mapping[str, DeviceProfile]
) -> Mapping[str, Figure]:
    """By device, a figure of all that are equal to it, itself among them."""
    infos = {name: profile.device for name, profile in profiles.items()}
    processors = {name: profile.processor for name, profile in profiles.items()}
    figures: dict[str, Figure] = {}
    for names in equal_devices(infos, processors):
        figures |= dict.fromkeys(names, of([profiles[name] for name in names]))
    return {name: figures[name] for name in profiles}


def _variation(profiles: Sequence[DeviceProfile]) -> float:
    squares = freedom = 0.0
    for profile in profiles:
        common_s = reference_s(profile) if profile.layers else 0.0
        for sample in profile.layers:
            seconds = without_outliers(normalised_s(sample, common_s))
            middle_s = mean(seconds)
            squares += sum((each_s - middle_s) ** 2 for each_s in seconds) / middle_s
            freedom += (len(seconds) - 1) * middle_s
    return sqrt(squares / freedom) if freedom else 0.0
