"""What one device computes of each layer, on its own share and within every group: its part of the matrices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from legion.cost.link_cost import Link
from legion.cost.model import CostModel
from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import Shares, share_boxes
from legion.profile.extents import tile

INFEASIBLE = -1.0
"""Entry of A below the diagonal, and of T there and where a group's layers are not connected."""

Boxes = Mapping[str, Box]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """One device's S and R by layer and tensor, its E by layer, and its A `[layer, last layer]`."""

    set_s: tuple[Mapping[str, float], ...]
    get_s: tuple[Mapping[str, float], ...]
    run_s: tuple[float, ...]
    alpha: NDArray[np.float64]


def place(model: Model, demand: Demand, cost: CostModel, owned: Sequence[Boxes], device: str) -> Placement:
    """What `device` would send, run and fetch, when `owned` are its shares of the layers' outputs.

    S, E and A need a share to stand on. Where the device has none, they stand on the thinnest slice of the layer.
    """
    basis = [boxes or tile(model, demand, layer, 1) for layer, boxes in enumerate(owned)]
    ports = cost.ports[device]
    return Placement(
        set_s=tuple(
            _transfers_s(model, ports.inward, layer.inputs, demand.layer(index, boxes))
            for index, (layer, boxes) in enumerate(zip(model.layers, basis, strict=True))
        ),
        get_s=tuple(
            _transfers_s(model, ports.outward, layer.outputs, boxes)
            for layer, boxes in zip(model.layers, owned, strict=True)
        ),
        run_s=tuple(
            cost.layer_s(device, index, boxes[layer.outputs[0]])
            for index, (layer, boxes) in enumerate(zip(model.layers, basis, strict=True))
        ),
        alpha=_alpha(model, demand, owned, basis),
    )


def owned_boxes(model: Model, demand: Demand, shares: Shares) -> Mapping[str, Sequence[Boxes]]:
    """Each device's shares of the layers' outputs: device, then layer, then tensor."""
    by_layer = [
        {tensor: share_boxes(model, demand, index, tensor, shares) for tensor in layer.outputs}
        for index, layer in enumerate(model.layers)
    ]
    return {
        device: [{tensor: boxes[device] for tensor, boxes in layer.items() if device in boxes} for layer in by_layer]
        for device in shares
    }


def last_readers(model: Model) -> Mapping[str, int]:
    """The last layer that reads each tensor; one past the last layer for the model's outputs."""
    readers = {tensor: index for index, layer in enumerate(model.layers) for tensor in layer.inputs}
    return readers | dict.fromkeys((port.name for port in model.outputs), len(model.layers))


def _alpha(model: Model, demand: Demand, owned: Sequence[Boxes], basis: Sequence[Boxes]) -> NDArray[np.float64]:
    """Carry each layer's share backwards through all layers before it.

    What a layer computes in the group first..last depends on the last layer, but not on the first.
    """
    count = len(model.layers)
    basis_volumes = [max(1, next(iter(boxes.values())).volume) for boxes in basis]
    alpha = np.full((count, count), INFEASIBLE)
    for last in range(count):
        for index, boxes, _ in backwards(model, demand, owned, last):
            computed = next(iter(boxes.values())).volume if boxes else 0
            alpha[index, last] = computed / basis_volumes[index]
    return alpha


def backwards(model: Model, demand: Demand, owned: Sequence[Boxes], last: int) -> Iterator[tuple[int, Boxes, Boxes]]:
    """From the layer `last` to the first: each with what is computed of it, and what that demands of all before it.

    More may be computed than is wanted, as `build_segment` does. A group that ends with `last` yields the `owned` boxes
    of the tensors that are read after it. What is demanded changes with the next step.
    """
    last_reader = last_readers(model)
    wanted: dict[str, Box] = {}
    for index in range(last, -1, -1):
        _want(wanted, {tensor: box for tensor, box in owned[index].items() if last_reader[tensor] > last})
        boxes = {tensor: wanted.pop(tensor) for tensor in model.layers[index].outputs if tensor in wanted}
        if boxes:
            needed = demand.of_layer(index, boxes)
            boxes = needed.outputs
            _want(wanted, needed.inputs)
        yield index, boxes, wanted


def _want(wanted: dict[str, Box], boxes: Boxes) -> None:
    for tensor, box in boxes.items():
        known = wanted.get(tensor)
        wanted[tensor] = box if known is None or known == box else known.hull(box)


def _transfers_s(model: Model, link: Link, tensors: Sequence[str], boxes: Boxes) -> dict[str, float]:
    """Seconds to move each tensor's box; nothing is moved of a tensor without one."""
    return {
        tensor: link.seconds(boxes[tensor].volume * np.dtype(model.tensors[tensor].dtype).itemsize)
        if tensor in boxes
        else 0.0
        for tensor in tensors
    }
