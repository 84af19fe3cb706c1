"""What a message costs on the wire: latency plus bytes over bandwidth, by ports that carry one message at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np

from legion.errors import InputError
from legion.profile.samples import DeviceProfile

_LARGE = 0.1
"""Of the largest message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One direction: a message of n bytes takes `latency_s + n * seconds_per_byte`; only the latter fills the port."""

    latency_s: float
    seconds_per_byte: float

    def seconds(self, size_bytes: int) -> float:
        return self.latency_s + size_bytes * self.seconds_per_byte


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """A node's two independent ports, as seen from the other end: `inward` for Set, `outward` for Get."""

    inward: Link
    outward: Link


def fit_link(sizes_bytes: Sequence[int], seconds: Sequence[float]) -> Link:
    """The bandwidth by least squares over the large messages, the latency from the smallest message.

    Neither is below zero. Many links let a burst pass faster than their rate. So small messages tell nothing of it, and
    large ones only by how much longer a larger one takes. Of one size alone all is latency.
    """
    sizes, times = np.asarray(sizes_bytes, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    is_large = sizes >= min(_LARGE * sizes.max(), np.sort(sizes)[-2:].min())
    from_mean = sizes[is_large] - sizes[is_large].mean()
    spread = float(from_mean @ from_mean)
    seconds_per_byte = max(0.0, float(from_mean @ times[is_large]) / spread) if spread else 0.0
    smallest = int(np.argmin(sizes))
    latency_s = max(0.0, float(times[smallest] - sizes[smallest] * seconds_per_byte))
    return Link(latency_s=latency_s, seconds_per_byte=seconds_per_byte)


def fit_ports(profile: DeviceProfile) -> Ports:
    """Both directions of one device. Raises InputError where one was not measured."""
    return Ports(inward=_fit_direction(profile, "set"), outward=_fit_direction(profile, "get"))


def between(sender: Ports, receiver: Ports) -> Link:
    """Device to device: the slower of the two ports, and the mean of the two latencies."""
    return Link(
        latency_s=(sender.outward.latency_s + receiver.inward.latency_s) / 2,
        seconds_per_byte=max(sender.outward.seconds_per_byte, receiver.inward.seconds_per_byte),
    )


def _fit_direction(profile: DeviceProfile, direction: Literal["set", "get"]) -> Link:
    points = [(sample.size_bytes, median(sample.seconds)) for sample in profile.links if sample.direction == direction]
    if not points:
        raise InputError(f'Device {profile.device.name} has no "{direction}" link samples: run `legion profile` again.')
    return fit_link([size for size, _ in points], [seconds for _, seconds in points])
