"""What a cell's JSON file holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.profile.measurement_cost import MeasurementCost


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilingCost:
    """As `MeasurementCost`, with the number of distinct segments in place of their names."""

    device_busy_s: float
    wall_s: float
    bytes_moved: int
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Seconds of a frame: by the simulator, and as the sum of T over groups with ports of either kind.

    T is of groups that are scattered and gathered by the controller; None for others.
    """

    simulator_s: float
    parallel_s: float | None
    one_at_a_time_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """One entry per frame. Of processor time that was not slowed down, and of overruns, the device with the most."""

    latency_s: tuple[float, ...]
    overrun_s: tuple[float, ...]
    wire_cpu_s: tuple[float, ...]
    run_s: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPolicy:
    """A policy's plan on the devices. `same_plan_as` names the policy with whose plan it was run as one.

    `groups` are first layer and end; `shares` those of each group by device. `profiling` is by part: layers, links,
    training and trials as far as the policy needs them, and their total.
    """

    policy: str
    model: str
    devices: str
    speedup: float
    latency_s: tuple[float, ...]
    median_s: float
    overrun_s: tuple[float, ...]
    wire_cpu_s: tuple[float, ...]
    run_s: Mapping[str, tuple[float, ...]]
    profiling: Mapping[str, ProfilingCost]
    predicted: Predicted
    groups: tuple[tuple[int, int], ...]
    shares: tuple[Mapping[str, float], ...]
    same_plan_as: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneDevice:
    """The whole model as one session on the fastest device, fed over its link."""

    device: str
    latency_s: tuple[float, ...]
    median_s: float
    predicted_s: float
    overrun_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredGroup:
    """A group of a full search alone on the devices: what it took, and what was predicted.

    `run_s` is by device, one entry per frame, `overrun_s` of the device with the most; `predicted_run_s` by predictor,
    then device; `predicted_s` by way to count ports, with predicted runs and with the measured ones.
    """

    first: int
    end: int
    latency_s: tuple[float, ...]
    run_s: Mapping[str, tuple[float, ...]]
    overrun_s: tuple[float, ...]
    predicted_run_s: Mapping[str, Mapping[str, float]]
    predicted_s: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """All of a cell."""

    one_device: OneDevice
    policies: tuple[MeasuredPolicy, ...]
    groups: tuple[MeasuredGroup, ...]


def counted(cost: MeasurementCost) -> ProfilingCost:
    """A cost for the file."""
    return ProfilingCost(
        device_busy_s=cost.device_busy_s,
        wall_s=cost.wall_s,
        bytes_moved=cost.bytes_moved,
        segments=len(cost.segments),
    )
