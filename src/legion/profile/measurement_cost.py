"""What measuring took, so that ways to plan can be compared by what they cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementCost:
    """A sum of measurements.

    `device_busy_s`: over all devices, seconds of being prepared and of running. `wall_s`: seconds that passed here.
    `bytes_moved`: tensors sent between nodes, weights not counted, since caches keep them. `segments`: what was
    compiled, one name for each local graph on each device.
    """

    device_busy_s: float = 0.0
    wall_s: float = 0.0
    bytes_moved: int = 0
    segments: frozenset[str] = frozenset()

    def __add__(self, other: "MeasurementCost") -> "MeasurementCost":
        """Both together; a segment that both compiled counts once."""
        return MeasurementCost(
            device_busy_s=self.device_busy_s + other.device_busy_s,
            wall_s=self.wall_s + other.wall_s,
            bytes_moved=self.bytes_moved + other.bytes_moved,
            segments=self.segments | other.segments,
        )
