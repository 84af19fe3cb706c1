"""Scatter, run and gather through a controller whose ports carry one message at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from legion.cost.link_cost import Ports

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Latencies:
    """The part of a message's time that fills no port, by device, in seconds."""

    set_s: Vector
    get_s: Vector

    @classmethod
    def of(cls, ports: Sequence[Ports]) -> Self:
        """Those of the devices' ports."""
        return cls(
            set_s=np.array([port.inward.latency_s for port in ports]),
            get_s=np.array([port.outward.latency_s for port in ports]),
        )


def one_port_s(set_s: Vector, run_s: Vector, get_s: Vector, latencies: Latencies) -> float:
    """Seconds until the last output is there; vectors are over devices, in the order in which they are fed.

    `set_s` and `get_s` are what a device's inputs and outputs take alone. A device runs once its inputs are there, and
    outputs enter the controller's port in the order in which they are ready. What takes no time takes no part.
    """
    fed_s = np.cumsum(np.maximum(set_s - latencies.set_s, 0.0)) + np.minimum(set_s, latencies.set_s)
    ready_s = np.where(set_s + run_s > 0, fed_s + run_s, 0.0)
    filling_s = np.maximum(get_s - latencies.get_s, 0.0)
    end_s, port_free_s = float(ready_s.max()), 0.0
    for device in np.argsort(ready_s, kind="stable"):
        if get_s[device] > 0:
            port_free_s = max(port_free_s, ready_s[device]) + filling_s[device]
            end_s = max(end_s, port_free_s + get_s[device] - filling_s[device])
    return float(end_s)
