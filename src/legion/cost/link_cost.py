"""What a message costs on the wire: latency, and bytes beyond a burst over bandwidth, and how long it fills ports."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, median
from typing import Literal

import numpy as np

from legion.errors import InputError
from legion.profile.samples import DeviceProfile

_LARGE = 0.1
"""Of the largest message."""

_LEAST_BURST = 2.0
"""Of the smallest message: where that took its time on the wire, it looks like a burst of its own size."""

_SHARED = 0.8
"""A port that takes this fraction of a link's time for a byte counts as no faster: probes are no more exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One direction: a message takes `latency_s`, and `seconds_per_byte` for what is beyond `burst_bytes`.

    A port that was idle lets a burst pass at once, as shapers and buffers do (a token bucket); the bytes are made up
    for at the link's rate afterwards. Only bytes fill a port, not the latency. Either port may be faster than the way:
    a message then fills it for a fraction of the time only, and the next one, by another way, may come after that.
    """

    latency_s: float
    seconds_per_byte: float
    burst_bytes: float = 0.0
    outward_fraction: float = 1.0
    inward_fraction: float = 1.0

    @property
    def burst_s(self) -> float:
        """What a burst would take at the link's rate."""
        return self.burst_bytes * self.seconds_per_byte

    def seconds(self, size_bytes: int) -> float:
        """What one message takes after a pause."""
        return self.latency_s + max(0.0, size_bytes - self.burst_bytes) * self.seconds_per_byte


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """A node's two independent ports, as seen from the other end: `inward` for Set, `outward` for Get."""

    inward: Link
    outward: Link

    def at_controller(self, outward_fraction: float, inward_fraction: float) -> "Ports":
        """The same, where messages fill the controller's way out, and its way in, for these fractions of their time."""
        return Ports(
            inward=replace(self.inward, outward_fraction=outward_fraction),
            outward=replace(self.outward, inward_fraction=inward_fraction),
        )


def fit_link(sizes_bytes: Sequence[int], seconds: Sequence[float]) -> Link:
    """The bandwidth by least squares over the large messages, latency and burst from the smallest message.

    None is below zero. Many links let a burst pass faster than their rate. So small messages tell nothing of the rate,
    and large ones only by how much longer a larger one takes. By how much sooner these are through than the latency and
    the rate say tells the burst, which is no larger than any of them. Of one size alone all is latency.
    """
    sizes, times = np.asarray(sizes_bytes, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    is_large = sizes >= min(_LARGE * sizes.max(), np.sort(sizes)[-2:].min())
    from_mean = sizes[is_large] - sizes[is_large].mean()
    spread = float(from_mean @ from_mean)
    seconds_per_byte = max(0.0, float(from_mean @ times[is_large]) / spread) if spread else 0.0
    smallest = int(np.argmin(sizes))
    smallest_s, smallest_bytes = float(times[smallest]), float(sizes[smallest])
    if seconds_per_byte:
        ahead_s = smallest_s - float(times[is_large].mean() - sizes[is_large].mean() * seconds_per_byte)
        burst_bytes = min(ahead_s / seconds_per_byte, float(sizes[is_large].min()))
        if burst_bytes >= _LEAST_BURST * smallest_bytes:
            return Link(latency_s=smallest_s, seconds_per_byte=seconds_per_byte, burst_bytes=burst_bytes)
    latency_s = max(0.0, smallest_s - smallest_bytes * seconds_per_byte)
    return Link(latency_s=latency_s, seconds_per_byte=seconds_per_byte)


def fit_ports(profile: DeviceProfile) -> Ports:
    """Both directions of one device. Raises InputError where one was not measured."""
    return Ports(inward=_fit_direction(profile, "set"), outward=_fit_direction(profile, "get"))


def fraction_of(link: Link, port_seconds_per_byte: float) -> float:
    """The fraction of a message's time on the way for which it fills a port of this rate at one end of it."""
    if port_seconds_per_byte >= _SHARED * link.seconds_per_byte:
        return 1.0
    return port_seconds_per_byte / link.seconds_per_byte


def between(sender: Ports, receiver: Ports, later_s: float = 0.0) -> Link:
    """Device to device: the slower of the two ports, the mean of the two latencies, and the lesser burst.

    Messages arrive `later_s` later than that, where it is negative sooner.
    """
    return Link(
        latency_s=max(0.0, (sender.outward.latency_s + receiver.inward.latency_s) / 2 + later_s),
        seconds_per_byte=max(sender.outward.seconds_per_byte, receiver.inward.seconds_per_byte),
        burst_bytes=min(sender.outward.burst_bytes, receiver.inward.burst_bytes),
    )


def ring_step_s(ports: Sequence[Ports], handling_s: Sequence[float], size_bytes: int) -> float:
    """What a step of a ring takes by the devices' links to the controller: see `RingSample`.

    All wait for one another, so that a step takes everywhere what it takes in the mean: handling at both ends,
    `handling_s` of each device, and the way to the next. But it takes no less than a message fills any of the ways,
    beside which runs, that do not count, take nothing.
    """
    ways = [between(ports[place - 1], port) for place, port in enumerate(ports)]
    alone_s = mean(way.seconds(size_bytes) for way in ways) + mean(handling_s)
    return max(alone_s, *(size_bytes * way.seconds_per_byte for way in ways))


def _fit_direction(profile: DeviceProfile, direction: Literal["set", "get"]) -> Link:
    points = [(sample.size_bytes, median(sample.seconds)) for sample in profile.links if sample.direction == direction]
    if not points:
        raise InputError(f'Device {profile.device.name} has no "{direction}" link samples: run `legion profile` again.')
    return fit_link([size for size, _ in points], [seconds for _, seconds in points])
