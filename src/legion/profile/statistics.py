"""From samples to figures: what a layer or a message takes, with the device's drift taken out."""

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from statistics import mean, median
from typing import NamedTuple, TypeVar

from legion.cluster.device import same_kind
from legion.profile.samples import DeviceProfile, LayerSample

Figure = TypeVar("Figure")

_SAME_REFERENCE = 1.1

_NEAR = 1.2
"""The reference kernel's own times differ by this where other work runs beside it; a device that throttles, by more."""

_LONGEST = 1.5
"""Of the median: what takes longer was held up by something else, and counts as this."""


def reference_s(profile: DeviceProfile) -> float:
    """R0: the median over all samples of what the reference kernel took on this device, in seconds."""
    return median(seconds for sample in profile.layers for seconds in sample.reference_s)


def drift(now_s: float, as_a_rule_s: float) -> float:
    """How many times faster than as a rule a device is, by what the reference kernel takes; 1 where that is near.

    Near, the kernel's time would add more noise than it takes away: who else computes beside it shows in it, too.
    """
    return 1.0 if _are_within(_NEAR, now_s, as_a_rule_s) else as_a_rule_s / now_s


def _are_within(factor: float, one: float, other: float) -> bool:
    return max(one, other) <= factor * min(one, other)


def normalised_s(sample: LayerSample, reference_s: float) -> Sequence[float]:
    """By round, in seconds, what the run would have taken if the device had been as fast as it is as a rule.

    That is `t * R0 / r`, r being what the reference kernel took then and R0 `reference_s`; `t` where r is near R0.
    """
    return [
        seconds * drift(reference, reference_s)
        for seconds, reference in zip(sample.seconds, sample.reference_s, strict=True)
    ]


def undisturbed_s(seconds: Sequence[float]) -> float:
    """The mean of the faster half: what repeats itself. What disturbs runs only ever makes them longer."""
    return mean(sorted(seconds)[: -(-len(seconds) // 2)])


def expected_s(seconds: Sequence[float]) -> float:
    """The mean, since runs follow one another and their times add up; but a few outliers hardly count."""
    return mean(_without_outliers(seconds))


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
    return _once_for_equals(_pool, profiles)


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
    return _once_for_equals(_variation, profiles)


def _once_for_equals(
    of: Callable[[Sequence[DeviceProfile]], Figure], profiles: Mapping[str, DeviceProfile]
) -> Mapping[str, Figure]:
    """By device, a figure of all that are equal to it."""
    equal = {name: tuple(others) for name, others in equals(profiles).items()}
    found = {others: of([profiles[other] for other in others]) for others in set(equal.values())}
    return {name: found[others] for name, others in equal.items()}


def _variation(profiles: Sequence[DeviceProfile]) -> float:
    squares = freedom = 0.0
    for profile in profiles:
        common_s = reference_s(profile) if profile.layers else 0.0
        for sample in profile.layers:
            seconds = _without_outliers(normalised_s(sample, common_s))
            middle_s = mean(seconds)
            squares += sum((each_s - middle_s) ** 2 for each_s in seconds) / middle_s
            freedom += (len(seconds) - 1) * middle_s
    return sqrt(squares / freedom) if freedom else 0.0


def _without_outliers(seconds: Sequence[float]) -> Sequence[float]:
    longest_s = _LONGEST * median(seconds)
    return [min(each_s, longest_s) for each_s in seconds]


def equals(profiles: Mapping[str, DeviceProfile]) -> Mapping[str, Sequence[str]]:
    """By device, those equal to it, itself among them: of one kind, and by the reference kernel equally fast.

    That is of one kind of machine, engine and threads, and within a tenth.
    """
    references = {name: reference_s(profile) for name, profile in profiles.items() if profile.layers}

    def are_equal(one: str, other: str) -> bool:
        if one == other:
            return True
        if not {one, other} <= references.keys() or not same_kind(profiles[one].device, profiles[other].device):
            return False
        return _are_within(_SAME_REFERENCE, references[one], references[other])

    return {one: [other for other in profiles if are_equal(one, other)] for one in profiles}
