"""Slower devices than the one that was measured."""

from dataclasses import replace

from legion.profile.samples import DeviceProfile, ProcessorSample


def slower(profile: DeviceProfile, factor: float) -> DeviceProfile:
    """The device as if all that it does took `factor` times as long: links alone stay as they are.

    So does the reference kernel, by which devices of one kind are told apart.
    """
    layers = tuple(
        replace(
            sample,
            seconds=tuple(value * factor for value in sample.seconds),
            reference_s=tuple(value * factor for value in sample.reference_s),
        )
        for sample in profile.layers
    )
    return replace(
        profile,
        processor=ProcessorSample(
            reference_s=tuple(value * factor for value in profile.processor.reference_s),
            assembling_s=profile.processor.assembling_s * factor,
            copy_bytes_per_s=profile.processor.copy_bytes_per_s / factor,
        ),
        layers=layers,
        handling_s=profile.handling_s * factor,
    )
