"""What a group takes a device to be fed, to run, and to hand over, by the boxes that it really computes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from legion.cost.link_cost import Link
from legion.cost.model import CostModel
from legion.cost.placement import backwards, last_readers
from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.scheme import CONTROLLER

Vector = NDArray[np.float64]
"""Over devices."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupTerms:
    """Seconds by device. Bytes fill the controller's port; what they take on the way beyond that, latency and the
    handling of a message, counted with it, do not.

    As in the paper, a link has no bursts here.
    """

    set_filling_s: Vector
    set_latency_s: Vector
    run_s: Vector
    get_filling_s: Vector
    get_latency_s: Vector

    @property
    def transfer_s(self) -> Vector:
        """Scatter and gather, of a device that has the ports to itself."""
        return self.set_filling_s + self.set_latency_s + self.get_filling_s + self.get_latency_s


def joined(terms: Sequence[GroupTerms]) -> GroupTerms:
    """The terms of all devices, one after another."""
    return GroupTerms(
        **{each.name: np.concatenate([getattr(part, each.name) for part in terms]) for each in fields(GroupTerms)}
    )


def group_terms(  # noqa: PLR0913, PLR0917 - a device's part of a group is made of just these
    model: Model,
    demand: Demand,
    cost: CostModel,
    devices: Sequence[str],
    owned: Sequence[Mapping[str, Box]],
    last: int,
) -> Iterator[tuple[int, GroupTerms]]:
    """For every first layer, from `last` on to 0: the terms of the group first..last, which yields `owned` boxes.

    `owned` are the boxes of each layer's outputs, the same for all `devices`.
    """
    last_reader = last_readers(model)
    inward = [cost.ports[device].inward for device in devices]
    outward = [cost.ports[device].outward for device in devices]
    handling_s = [cost.message_s(CONTROLLER) + cost.message_s(device) for device in devices]
    feeding = [(link, link.outward_fraction, ends_s) for link, ends_s in zip(inward, handling_s, strict=True)]
    gathering = [(link, link.inward_fraction, ends_s) for link, ends_s in zip(outward, handling_s, strict=True)]
    run_s = np.zeros(len(devices))
    leaving_bytes = 0
    for index, boxes, demanded in backwards(model, demand, owned, last):
        if boxes:
            box = next(iter(boxes.values()))
            run_s = run_s + [cost.layer_s(device, index, box) for device in devices]
        leaving_bytes += _bytes(model, {name: box for name, box in owned[index].items() if last_reader[name] > last})
        set_filling_s, set_latency_s = _messages_s(feeding, _bytes(model, demanded))
        get_filling_s, get_latency_s = _messages_s(gathering, leaving_bytes)
        yield (
            index,
            GroupTerms(
                set_filling_s=set_filling_s,
                set_latency_s=set_latency_s,
                run_s=run_s,
                get_filling_s=get_filling_s,
                get_latency_s=get_latency_s,
            ),
        )


def _messages_s(ways: Sequence[tuple[Link, float, float]], size_bytes: int) -> tuple[Vector, Vector]:
    """Filling and latency of one message by each way.

    A way is a link, the fraction of its time for which the message fills the controller's port, and what handling it
    takes at both ends.
    """
    if not size_bytes:
        return np.zeros(len(ways)), np.zeros(len(ways))
    on_the_way_s = np.array([link.seconds_per_byte * size_bytes for link, _, _ in ways])
    filling_s = on_the_way_s * [fraction for _, fraction, _ in ways]
    latency_s = np.array([link.latency_s + ends_s for link, _, ends_s in ways])
    return filling_s, latency_s + (on_the_way_s - filling_s)


def _bytes(model: Model, boxes: Mapping[str, Box]) -> int:
    return sum(box.volume * np.dtype(model.tensors[tensor].dtype).itemsize for tensor, box in boxes.items())
