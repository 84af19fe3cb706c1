"""From which elements, and with which weights, Resize makes each element of one axis.

In single precision and in the engine's order of operations, so that weights are those of the whole tensor.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from legion.geometry.box import Interval

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


COORDINATES = frozenset(
    (
        *("align_corners", "asymmetric", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"),
        "tf_half_pixel_for_nn",
    )
)
"""Ways to say where an output lies among the inputs that `taps_of` knows."""

NEARLY = 1e-3
"""Far more than the rounding error of a position, in elements; far less than the steps of common scales."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpolation:
    """Resize's attributes: "nearest" or "linear", how coordinates are transformed, how ties are rounded."""

    mode: str
    coordinates: str
    rounding: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taps:
    """Output i is `lower[i]` weighted by `1 - weight[i]`, plus `upper[i]` weighted by `weight[i]`."""

    lower: Integers
    upper: Integers
    weight: Floats

    def demand(self, interval: Interval) -> Interval:
        """The inputs that these outputs are made from."""
        part = slice(*interval)
        return int(self.lower[part].min()), int(self.upper[part].max()) + 1

    def part(self, interval: Interval, origin: int) -> "Taps":
        """The taps of these outputs on inputs that start at `origin`."""
        part = slice(*interval)
        return Taps(lower=self.lower[part] - origin, upper=self.upper[part] - origin, weight=self.weight[part])

    def same(self, other: "Taps") -> bool:
        return (
            np.array_equal(self.lower, other.lower)
            and np.array_equal(self.upper, other.upper)
            and np.array_equal(self.weight, other.weight)
        )


def taps_of(interpolation: Interpolation, extent: int, resized: int, scale: np.float32) -> Taps | None:
    """The taps of an axis of `extent` inputs and `resized` outputs.

    None where which element is nearest hangs on rounding errors, in which engines and their versions differ.
    """
    position = _positions(interpolation.coordinates, np.float32(extent), np.float32(resized), scale)
    if interpolation.mode == "nearest":
        if _hangs_on_errors(position, interpolation.rounding):
            return None
        nearest = np.clip(_rounded(position, interpolation.rounding), 0, extent - 1).astype(np.int64)
        return Taps(lower=nearest, upper=nearest, weight=np.zeros(resized, np.float32))
    position = np.clip(position, np.float32(0), np.float32(extent - 1))
    lower = position.astype(np.int64)
    weight = position - lower.astype(np.float32)
    return Taps(lower=lower, upper=np.where(weight > 0, lower + 1, lower), weight=weight)


def _positions(mode: str, extent: np.float32, resized: np.float32, scale: np.float32) -> Floats:
    """Where each output lies among the inputs."""
    one, half = np.float32(1), np.float32(0.5)
    output = np.arange(int(resized), dtype=np.float32)
    if scale == one:
        return output
    if mode == "asymmetric":
        return output / scale
    if mode == "align_corners":
        return output * (extent - one) / (resized - one) if resized > one else np.zeros_like(output)
    if mode == "pytorch_half_pixel" and resized <= one:
        return np.zeros_like(output)
    if mode == "half_pixel_symmetric":
        offset = extent / np.float32(2) * (one - resized / (scale * extent))
        in_double = np.float64(offset) + (output.astype(np.float64) + 0.5) / np.float64(scale) - 0.5
        return in_double.astype(np.float32)
    centres = (output + half) / scale
    return centres if mode == "tf_half_pixel_for_nn" else centres - half


def _hangs_on_errors(position: Floats, rounding: str) -> bool:
    """Whether a position is almost, but not quite, where rounding changes."""
    change = 0.5 if rounding.startswith("round") else 0.0
    distance = np.abs(position - change - np.round(position - change))
    return bool(np.any((distance > 0) & (distance < NEARLY)))


def _rounded(position: Floats, rounding: str) -> NDArray[np.float64]:
    """In double precision, where adding a half is exact."""
    exact = position.astype(np.float64)
    if rounding == "floor":
        return np.floor(exact)
    if rounding == "ceil":
        return np.ceil(exact)
    if rounding == "round_prefer_ceil":
        return np.floor(exact + 0.5)
    return np.ceil(exact - 0.5)
