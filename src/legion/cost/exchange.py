"""What a layer costs that fetches exactly what it lacks from its peers."""

from collections.abc import Mapping

import numpy as np

from legion.cost.model import CostModel
from legion.cost.placement import owned_boxes
from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.model.model import Model
from legion.plan.assign import Shares


def exchange_costs_s(model: Model, demand: Demand, cost: CostModel, shares: Shares) -> tuple[float, ...]:
    """For each layer, the longest over devices of fetching halos, running the share, and handing over final outputs.

    Like T, it counts a device's own transfers one after another, and nothing of what others do to its ports. What
    it fetches comes as fast as from the controller.
    """
    costs = [0.0] * len(model.layers)
    for device, owned in owned_boxes(model, demand, shares).items():
        held = {tensor: box for boxes in owned for tensor, box in boxes.items()}
        for index, boxes in enumerate(owned):
            if boxes:
                seconds = _fetch_s(model, cost, device, demand.layer(index, boxes), held)
                seconds += cost.layer_s(device, index, next(iter(boxes.values())))
                seconds += _deliver_s(model, cost, device, boxes)
                costs[index] = max(costs[index], seconds)
    return tuple(costs)


def _fetch_s(model: Model, cost: CostModel, device: str, demanded: Mapping[str, Box], held: Mapping[str, Box]) -> float:
    seconds = 0.0
    for tensor, box in demanded.items():
        own = box.intersection(held[tensor]) if tensor in held else None
        missing = box.volume - (own.volume if own is not None else 0)
        if missing:
            seconds += cost.ports[device].inward.seconds(missing * _item_bytes(model, tensor))
    return seconds


def _deliver_s(model: Model, cost: CostModel, device: str, boxes: Mapping[str, Box]) -> float:
    outputs = {port.name for port in model.outputs}
    outward = cost.ports[device].outward
    return sum(
        outward.seconds(box.volume * _item_bytes(model, tensor)) for tensor, box in boxes.items() if tensor in outputs
    )


def _item_bytes(model: Model, tensor: str) -> int:
    return np.dtype(model.tensors[tensor].dtype).itemsize
