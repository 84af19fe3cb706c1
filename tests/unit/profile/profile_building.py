"""Makers of samples, for the tests of all that stands on them."""

import numpy as np

from legion.cluster.device import DeviceInfo
from legion.profile.probes import CALL, plan_probes
from legion.profile.samples import DeviceProfile, LayerSample, LinkSample, MeasurementPolicy, ProcessorSample, Profile
from legion.profile.training import plan_training


def layer_sample(key="k", extent=4, seconds=(1.0,), references=(0.01,)):
    return LayerSample(
        key=key,
        extent=extent,
        seconds=tuple(seconds),
        reference_s=tuple(references),
    )


def device_profile(name="pi", layers=(), links=(), round_trip_s=2e-4, copy_bytes_per_s=1e9, reference_s=(0.01,)):
    return DeviceProfile(
        device=DeviceInfo(
            name=name,
            cores=4,
            threads=1,
            memory_bytes=2**30,
            machine=f"machine of {name}",  # so that no two devices count as equal
            engine="onnxruntime",
            providers=("CPUExecutionProvider",),
            versions={"legion": "0.1.0"},
        ),
        measured_at="2024-05-01T12:00:00+00:00",
        policy=MeasurementPolicy(),
        processor=ProcessorSample(reference_s=tuple(reference_s), assembling_s=2e-5, copy_bytes_per_s=copy_bytes_per_s),
        layers=tuple(layers),
        links=tuple(links),
        round_trip_s=round_trip_s,
        handling_s=5e-5,
        controller_handling_s=5e-5,
    )


def link_sample(direction="set", size_bytes=1000, seconds=(1e-3,)):
    return LinkSample(direction=direction, size_bytes=size_bytes, seconds=tuple(seconds))


def random_profile(model, demand, devices, seed=0, training=False):
    """Samples of all probes (and of training layers): seconds grow with the extent, each device in its own way."""
    random = np.random.default_rng(seed)
    probes = plan_probes(model, demand).probes + (plan_training().probes if training else ())
    return Profile(devices={name: _random_device(random, name, probes) for name in devices})


def _random_device(random, name, probes):
    rates = {probe.key: (random.uniform(1e-5, 1e-3), random.uniform(1e-6, 1e-4)) for probe in probes}
    rates[CALL] = (random.uniform(1e-6, 1e-5), 0.0)
    bandwidth, latency = random.uniform(5e6, 5e8), random.uniform(0, 1e-3)
    return device_profile(
        name=name,
        layers=[
            layer_sample(probe.key, probe.extent, [rates[probe.key][0] + rates[probe.key][1] * probe.extent])
            for probe in probes
        ],
        links=[
            link_sample(direction, size, [latency + size / bandwidth])
            for direction in ("set", "get")
            for size in (100, 10_000, 1_000_000)
        ],
    )
