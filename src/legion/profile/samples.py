"""What was measured: every sample kept, with device, versions and time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from legion.cluster.device import DeviceInfo
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.ports import PortSample
from legion.profile.ring import RingSample


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementPolicy:
    """How a figure is taken: rounds over all probes, shuffled, in which long probes take part less often.

    `budget_s` seconds of the device are shared out evenly: a probe runs twice, then until its part is spent, runs that
    were held up not counted, and at most `rounds` times. Between runs the device idles a moment, and neither weights
    nor inputs are brought into the caches, as in a frame. A reference kernel runs now and then; see
    `legion.profile.statistics.normalised_s`.
    """

    rounds: int = 5
    budget_s: float = 4.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSample:
    """One layer at one extent of its split axis: `seconds`, and in `reference_s` what the reference kernel took in the
    same round, undisturbed; one entry per round in each.

    `key` is the layer's signature: operators, attributes and shapes; identical layers share it. Others stand
    for layers run as one (`legion.profile.joined`), at an extent of the last, and for none (`legion.profile.probes`).
    `extent` is the length of the output on the split axis that was computed.
    """

    key: str
    extent: int
    seconds: tuple[float, ...]
    reference_s: tuple[float, ...]


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
class ProcessorSample:
    """What a device does that is no layer: `reference_s` are runs of the reference kernel while all devices that were
    new then ran it too, so that equal ones took equally long. Assembling an array from pieces takes `assembling_s` and
    what copying its bytes does.
    """

    reference_s: tuple[float, ...]
    assembling_s: float
    copy_bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One device's samples. `round_trip_s` is the least seen.

    `handling_s` passes on the device between the arrival of a small message and the moment when the answer enters the
    port, `controller_handling_s` on the controller when the answer goes back the same way; medians.
    `costs` tells what it took to measure "comparison" (the processor), "layers", "training" and "links".
    """

    device: DeviceInfo
    measured_at: str
    policy: MeasurementPolicy
    processor: ProcessorSample
    layers: tuple[LayerSample, ...]
    links: tuple[LinkSample, ...]
    round_trip_s: float
    handling_s: float
    controller_handling_s: float
    costs: Mapping[str, MeasurementCost] = field(default_factory=dict[str, MeasurementCost])


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Device profiles by device name, and what was measured of several devices at once.

    `ports`: whether devices share the controller's port, and how fast it is at least. `ring`: small messages between
    all of them, None where there is one alone. `shared_cost`: what measuring both took.
    """

    devices: Mapping[str, DeviceProfile]
    ports: tuple[PortSample, ...] = ()
    ring: RingSample | None = None
    shared_cost: MeasurementCost = field(default_factory=MeasurementCost)
