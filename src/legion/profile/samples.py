"""What was measured: every sample kept, with device, versions and time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from legion.cluster.device import DeviceInfo
from legion.profile.measurement_cost import MeasurementCost


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementPolicy:
    """How a figure is taken: unmeasured warm-ups, then `rounds` rounds, each over all probes, shuffled.

    A short layer runs once more before it is timed, so that its data is in the caches, as it is when the layer before
    has just made it. A reference kernel runs before and after each sample; see
    `legion.profile.statistics.normalised_s`.
    """

    warmups: int = 1
    rounds: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSample:
    """One layer at one extent of its split axis, in seconds, one entry per round in each field.

    `key` is the layer's signature: operators, attributes and shapes; identical layers share it. Two signatures joined
    by "+" stand for a pair of layers run as one, at an extent of the second.
    `extent` is the length of the output on the split axis that was computed.
    """

    key: str
    extent: int
    seconds: tuple[float, ...]
    reference_before_s: tuple[float, ...]
    reference_after_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSample:
    """One message size in one direction between the controller and a device.

    "set" is controller to device, "get" device to controller; `seconds` has one entry per round,
    from the first byte handed over to the last one there, control overhead taken off.
    """

    direction: Literal["set", "get"]
    size_bytes: int
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One device's samples. `round_trip_s` is the least seen; copying is memory to memory on it.

    `costs` tells what it took to measure "layers", "training" and "links".
    """

    device: DeviceInfo
    measured_at: str
    policy: MeasurementPolicy
    layers: tuple[LayerSample, ...]
    links: tuple[LinkSample, ...]
    round_trip_s: float
    copy_bytes_per_s: float
    costs: Mapping[str, MeasurementCost] = field(default_factory=dict[str, MeasurementCost])


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Device profiles by device name."""

    devices: Mapping[str, DeviceProfile]
