"""Profiles in files, and what one still lacks for a model."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

import msgspec

from legion.errors import InputError
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.ports import PortSample
from legion.profile.probes import LayerProbe
from legion.profile.ring import RingSample
from legion.profile.samples import DeviceProfile, LayerSample, LinkSample, Profile

FORMAT_VERSION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProfileFile:
    format_version: int
    profile: Profile


def write_profile(profile: Profile, path: str | Path) -> None:
    """Write all samples as JSON. Raises InputError where the file can't be written."""
    content = msgspec.json.encode(_ProfileFile(format_version=FORMAT_VERSION, profile=profile))
    try:
        Path(path).write_bytes(msgspec.json.format(content, indent=1))
    except OSError as error:
        raise InputError(f"The profile can't be written to {path}: {error.strerror}.") from error


def read_profile(path: str | Path) -> Profile:
    """Read what `write_profile` wrote.

    Raises InputError for a file that is missing, is no profile, is of another version, or holds impossible values.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"The profile {path} can't be read: {error.strerror}.") from error
    again = "Measure again with `legion profile`."
    try:
        header = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        version = msgspec.json.decode(header.get("format_version", b"0"), type=int)
        if version != FORMAT_VERSION:
            raise InputError(f"{path} has profile format {version}, this Legion reads {FORMAT_VERSION}. {again}")
        profile = msgspec.json.decode(content, type=_ProfileFile).profile
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a profile: {error}. {again}") from error
    for name, device in profile.devices.items():
        if not _is_sound(device):
            raise InputError(f"{path} holds impossible measurements of device {name}. {again}")
    if not all(map(_is_sound_port, profile.ports)):
        raise InputError(f"{path} holds impossible measurements of the controller's port. {again}")
    if profile.ring is not None and not _is_sound_ring(profile.ring, profile.devices):
        raise InputError(f"{path} holds impossible measurements of messages between devices. {again}")
    return profile


def merged(older: DeviceProfile, newer: DeviceProfile) -> DeviceProfile:
    """Both measurements of one device as one: where both measured the same thing, the newer counts. Costs add up."""
    layers = {(sample.key, sample.extent): sample for sample in (*older.layers, *newer.layers)}
    links = {(sample.direction, sample.size_bytes): sample for sample in (*older.links, *newer.links)}
    nothing = MeasurementCost()
    costs = {
        part: older.costs.get(part, nothing) + newer.costs.get(part, nothing)
        for part in sorted({*older.costs, *newer.costs})
    }
    return replace(newer, layers=tuple(layers.values()), links=tuple(links.values()), costs=costs)


def missing_probes(samples: Iterable[LayerSample], probes: Iterable[LayerProbe]) -> tuple[LayerProbe, ...]:
    """The probes of which there are no samples yet."""
    measured = {(sample.key, sample.extent) for sample in samples}
    return tuple(probe for probe in probes if (probe.key, probe.extent) not in measured)


def _is_sound(device: DeviceProfile) -> bool:
    return (
        _all_positive((device.round_trip_s, device.processor.copy_bytes_per_s))
        and min(device.processor.assembling_s, device.handling_s, device.controller_handling_s) >= 0
        and _all_positive(device.processor.reference_s)
        and all(_is_sound_layer(sample) for sample in device.layers)
        and all(_is_sound_link(sample) for sample in device.links)
    )


def _is_sound_layer(sample: LayerSample) -> bool:
    rounds = (sample.seconds, sample.reference_s)
    return sample.extent > 0 and len({len(values) for values in rounds}) == 1 and all(map(_all_positive, rounds))


def _is_sound_link(sample: LinkSample) -> bool:
    return sample.size_bytes >= 0 and _none_negative(sample.seconds)


def _is_sound_port(sample: PortSample) -> bool:
    alone_s, together_s = sample.alone_s, sample.together_s
    is_of_several = alone_s.keys() == together_s.keys() and len(alone_s) > 1 and sample.size_bytes > 0
    rounds = (*alone_s.values(), *together_s.values())
    return is_of_several and len({len(each) for each in rounds}) == 1 and all(map(_none_negative, rounds))


def _is_sound_ring(sample: RingSample, devices: Collection[str]) -> bool:
    distinct = set(sample.devices)
    is_ring = 1 < len(distinct) == len(sample.devices) and distinct <= set(devices)
    return is_ring and sample.size_bytes >= 0 and _none_negative(sample.seconds)


def _none_negative(values: Sequence[float]) -> bool:
    return len(values) > 0 and all(value >= 0 for value in values)


def _all_positive(values: Sequence[float]) -> bool:
    return len(values) > 0 and all(isfinite(value) and value > 0 for value in values)
