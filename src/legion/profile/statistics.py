"""From samples to figures: what a layer or a message takes, with the device's drift taken out."""

from collections.abc import Mapping, Sequence
from statistics import median

from legion.cluster.device import same_kind
from legion.profile.samples import DeviceProfile, LayerSample

_SAME_REFERENCE = 1.1


def reference_s(profile: DeviceProfile) -> float:
    """R0: the median over all samples of what the reference kernel took on this device, in seconds."""
    return median(seconds for sample in profile.layers for seconds in sample.reference_s)


def normalised_s(sample: LayerSample, reference_s: float) -> float:
    """The median over rounds of `t * R0 / r`, in seconds, where r is what the reference took then: `reference_s`."""
    return median(
        seconds * reference_s / reference for seconds, reference in zip(sample.seconds, sample.reference_s, strict=True)
    )


def pooled_seconds(profiles: Mapping[str, DeviceProfile]) -> Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]:
    """By device and layer signature the measured (extent, seconds), by ascending extent.

    Devices that are equal count as one measured several times.
    Equal devices share the measuring. And noise of single samples would otherwise look like devices that are better at
    some layers, which a search exploits. All are taken at the speed of the median device, by the reference kernel.
    """
    pooled: dict[str, Mapping[str, Sequence[tuple[int, float]]]] = {}
    for name, others in equals(profiles).items():
        equal = [profiles[other] for other in others if profiles[other].layers]
        measured: dict[str, dict[int, list[float]]] = {}
        common_s = median([reference_s(profile) for profile in equal] or [0.0])
        for sample in (sample for profile in equal for sample in profile.layers):
            seconds = normalised_s(sample, common_s)
            measured.setdefault(sample.key, {}).setdefault(sample.extent, []).append(seconds)
        pooled[name] = {
            key: [(extent, median(seconds)) for extent, seconds in sorted(by_extent.items())]
            for key, by_extent in measured.items()
        }
    return pooled


def equals(profiles: Mapping[str, DeviceProfile]) -> Mapping[str, Sequence[str]]:
    """By device, those equal to it, itself among them: of one kind of machine, engine and threads, whose reference
    kernel takes the same within a tenth.
    """
    return {
        name: [other for other, each in profiles.items() if _are_equal(profile, each)]
        for name, profile in profiles.items()
    }


def _are_equal(one: DeviceProfile, other: DeviceProfile) -> bool:
    if one is other:
        return True
    if not one.layers or not other.layers or not same_kind(one.device, other.device):
        return False
    references = reference_s(one), reference_s(other)
    return max(references) <= _SAME_REFERENCE * min(references)
