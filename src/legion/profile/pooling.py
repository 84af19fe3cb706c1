"""Figures of devices, those that are equal taken together: they share the measuring, and the noise."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from legion.profile.equality import equal_devices
from legion.profile.samples import DeviceProfile
from legion.profile.statistics import deviation, expected_s, normalised_s, reference_s, undisturbed_s

Figure = TypeVar("Figure")

_LEAST_S = 1e-9
"""A run takes something, whatever a coarse clock says."""

_ALIKE = 0.7
"""Standard deviation of the logarithm by which runs differ in length that are disturbed alike."""


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
    layer takes what it does undisturbed, longer by how much all layers of such a length are disturbed: which of a few
    runs are is chance, how often is the device's, and of short runs more are.
    """
    return once_for_equals(_pool, profiles)


def _pool(profiles: Sequence[DeviceProfile]) -> Points:
    """Of equal devices, as one."""
    measured: dict[str, dict[int, list[float]]] = {}
    common_s = median([reference_s(profile) for profile in profiles if profile.layers] or [0.0])
    for sample in (sample for profile in profiles for sample in profile.layers):
        measured.setdefault(sample.key, {}).setdefault(sample.extent, []).extend(normalised_s(sample, common_s))
    expected = iter(_as_disturbed([seconds for by_extent in measured.values() for seconds in by_extent.values()]))
    points = {key: [Point(extent, next(expected)) for extent in by_extent] for key, by_extent in measured.items()}
    return {key: sorted(of_key) for key, of_key in points.items()}


def _as_disturbed(samples: Sequence[Sequence[float]]) -> Sequence[float]:
    """What each takes undisturbed, in seconds, times the factor by which runs of about its length take longer.

    Longer ones never by more than shorter ones: there are too few of the longest to tell.
    """
    if not samples:
        return ()
    undisturbed: NDArray[np.float64] = np.array([max(_LEAST_S, undisturbed_s(seconds)) for seconds in samples])
    longer = np.maximum(1.0, np.array([expected_s(seconds) for seconds in samples]) / undisturbed)
    length = np.log(undisturbed)
    alike = np.exp(-0.5 * ((length[:, None] - length) / _ALIKE) ** 2) * [len(seconds) for seconds in samples]
    factors = (alike @ longer) / alike.sum(axis=1)
    ascending = np.argsort(undisturbed, kind="stable")
    factors[ascending] = np.minimum.accumulate(factors[ascending])
    return (undisturbed * factors).tolist()


def variations(profiles: Mapping[str, DeviceProfile]) -> Mapping[str, float]:
    """By how much what a device runs takes longer or shorter from one time to the next: the standard deviation as a
    fraction, 0 where nothing was run twice. Equal devices have the same. Runs count by their time, and how much longer
    the longest take does not count.
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
    pairs: list[tuple[float, float]] = []
    for profile in profiles:
        common_s = reference_s(profile) if profile.layers else 0.0
        for sample in profile.layers:
            pairs += pairwise(normalised_s(sample, common_s))
    return deviation(pairs)
