"""What runs take in single frames: now longer, now shorter than expected, so that devices wait for one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from legion.cost.link_cost import Link
from legion.cost.model import CostModel
from legion.geometry.segment import Segment

FRAMES = 9

_LEAST = 0.2
"""Of the expected seconds."""


def run_factors(variations: Sequence[float], layers: int, frames: int) -> NDArray[np.float64]:
    """(layer, device, frame): by how much longer than expected a run takes that ends with the layer.

    `variations` are the devices' standard deviations, as fractions. Each device's factors of a layer are the quantiles
    of a normal distribution in random order, so that no device is better at a layer by luck. There is one frame of
    ones where nothing varies.
    """
    if not any(variations):
        return np.ones((layers, len(variations), 1))
    quantiles = np.array([NormalDist().inv_cdf((frame + 0.5) / frames) for frame in range(frames)])
    everywhere = np.broadcast_to(quantiles / quantiles.std(), (layers, len(variations), frames))
    deviations = np.random.default_rng(0).permuted(everywhere, axis=2)
    return np.maximum(_LEAST, 1 + np.array(variations)[:, None] * deviations)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Varied:
    """A cost model in one frame; `factors` are (layer, device), as `run_factors` has them."""

    cost: CostModel
    factors: NDArray[np.float64]

    def run_s(self, device: str, segment: Segment) -> float:
        """Running all layers of the segment, longer or shorter than expected; starting it always takes the same."""
        call_s = self.cost.call_s[device]
        factor = self.factors[segment.layers[-1], self.cost.devices.index(device)]
        return call_s + float(factor) * (self.cost.run_s(device, segment) - call_s)

    def copy_s(self, node: str, size_bytes: int) -> float:
        """As expected."""
        return self.cost.copy_s(node, size_bytes)

    def message_s(self, node: str) -> float:
        """As expected."""
        return self.cost.message_s(node)

    def link(self, source: str, destination: str) -> Link:
        """As expected."""
        return self.cost.link(source, destination)


def varied(cost: CostModel) -> Sequence[Varied]:
    """The cost model in several frames; in one where nothing varies."""
    factors = run_factors([cost.variation[device] for device in cost.devices], len(cost.layers), FRAMES)
    return [Varied(cost=cost, factors=factors[:, :, frame]) for frame in range(factors.shape[2])]
