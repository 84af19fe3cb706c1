"""Profiles that nobody measured: seconds from counting multiplications, the same on every machine."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from legion.cluster.device import DeviceInfo
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.profile.probes import LayerProbe, plan_probes
from legion.profile.samples import DeviceProfile, LayerSample, LinkSample, MeasurementPolicy, ProcessorSample, Profile
from legion.profile.training import plan_training

MULTIPLICATIONS_PER_S = 5e9
CALL_S = 2e-5
LINK_LATENCY_S = 2e-4
HANDLING_S = 1e-4
LINK_BYTES_PER_S = 12e6
REFERENCE_S = 1.0


def counted_profile(model: Model, speeds: dict[str, float]) -> Profile:
    """A profile of devices of these relative speeds on links of 100 Mbit/s, training samples included."""
    probes = plan_probes(model, Demand(model)).probes + plan_training().probes
    return Profile(devices={name: _device(name, probes, speed) for name, speed in speeds.items()})


def counted_profile_of(model: Model, devices: Mapping[str, DeviceInfo], speed: float = 1.0) -> Profile:
    """The same for devices that are there, so that a session takes it for theirs."""
    counted = counted_profile(model, dict.fromkeys(devices, speed)).devices
    return Profile(devices={name: replace(counted[name], device=info) for name, info in devices.items()})


def fast_links(profile: Profile, factor: float) -> Profile:
    """The same devices, each transfer so many times as fast."""

    def faster(link: LinkSample) -> LinkSample:
        return replace(link, seconds=tuple(s / factor for s in link.seconds))

    return Profile(
        devices={
            name: replace(
                device,
                links=tuple(map(faster, device.links)),
                handling_s=device.handling_s / factor,
                controller_handling_s=device.controller_handling_s / factor,
            )
            for name, device in profile.devices.items()
        }
    )


def _device(name: str, probes: tuple[LayerProbe, ...], speed: float) -> DeviceProfile:
    return DeviceProfile(
        device=DeviceInfo(
            name=name,
            cores=1,
            threads=1,
            memory_bytes=1 << 32,
            machine="counted",
            engine="none",
            providers=(),
            versions={},
        ),
        measured_at="2026-01-01T00:00:00+00:00",
        policy=MeasurementPolicy(rounds=1),
        processor=ProcessorSample(
            reference_s=(REFERENCE_S / speed,), assembling_s=2e-5 / speed, copy_bytes_per_s=2e9 * speed
        ),
        layers=tuple(
            LayerSample(
                key=probe.key,
                extent=probe.extent,
                seconds=((CALL_S + _multiplications(probe) / MULTIPLICATIONS_PER_S) / speed,),
                reference_s=(REFERENCE_S / speed,),
            )
            for probe in probes
        ),
        links=tuple(
            LinkSample(direction=direction, size_bytes=size, seconds=(LINK_LATENCY_S + size / LINK_BYTES_PER_S,))
            for direction in ("set", "get")
            for size in (1_000, 100_000, 1_000_000)
        ),
        round_trip_s=2 * LINK_LATENCY_S,
        handling_s=HANDLING_S / speed,
        controller_handling_s=HANDLING_S,
    )


def _multiplications(probe: LayerProbe) -> float:
    """Of stride 1: each weight meets each place of the input, or each element of it meets one number."""
    elements = max(prod(shape) for shape in probe.input_shapes)
    channels = max(probe.input_shapes[0][1:2], default=1)
    weights = max((prod(constant.shape) for constant in probe.graph.constants), default=0)
    return max(float(elements), elements / channels * weights)
