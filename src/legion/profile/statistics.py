"""From samples to figures: what a layer or a message takes, with the device's drift taken out."""

from collections.abc import Mapping, Sequence
from statistics import median

from legion.profile.samples import DeviceProfile, LayerSample


def reference_s(profile: DeviceProfile) -> float:
    """R0: the median over all samples of what the reference kernel took on this device, in seconds."""
    return median(seconds for sample in profile.layers for seconds in sample.reference_s)


def normalised_s(sample: LayerSample, reference_s: float) -> float:
    """The median over rounds of `t * R0 / r`, in seconds, where r is what the reference took then: `reference_s`."""
    return median(
        seconds * reference_s / reference for seconds, reference in zip(sample.seconds, sample.reference_s, strict=True)
    )


def seconds_by_extent(profile: DeviceProfile) -> Mapping[str, Sequence[tuple[int, float]]]:
    """For each layer signature the measured (extent, normalised seconds), by ascending extent."""
    if not profile.layers:
        return {}
    reference = reference_s(profile)
    points: dict[str, list[tuple[int, float]]] = {}
    for sample in profile.layers:
        points.setdefault(sample.key, []).append((sample.extent, normalised_s(sample, reference)))
    return {key: sorted(measured) for key, measured in points.items()}
