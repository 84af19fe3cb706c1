"""From an FLC and shares to a scheme: the one constructor that all policies use."""

from collections.abc import Mapping, Sequence

from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.shares import split_extent
from legion.geometry.splitting import split_axis, splits_features
from legion.model.model import Model
from legion.plan.scheme import CONTROLLER, Group, Scheme

Shares = Mapping[str, float]
"""Device name to the fraction of each layer's output that it computes; the order is that of the tiles."""


def assign(  # noqa: PLR0913 - a scheme is made of just these
    model: Model,
    demand: Demand,
    flc: Sequence[Sequence[int]],
    shares: Shares | Sequence[Shares],
    *,
    via_controller: bool,
    policy: str,
    features: bool = False,
) -> Scheme:
    """Give each device its share of every tensor that leaves a group; demand says the rest.

    `flc` partitions the layers into groups of ascending indices; `shares` are those of all layers, or one entry for
    each. Tensors change hands by way of the controller, or directly from owner to reader. A layer that cannot be split,
    or only along its features where these are not to be split, goes whole to the device with the largest share.
    """
    by_layer = [shares] * len(model.layers) if isinstance(shares, Mapping) else shares
    devices = tuple(dict.fromkeys(device for layer_shares in by_layer for device in layer_shares))
    exported = exported_tensors(model, flc)
    owners: dict[str, Mapping[str, tuple[Box, ...]]] = {}
    groups: list[Group] = []
    for layers, tensors in zip(flc, exported, strict=True):
        wanted: dict[str, dict[str, Box]] = {}
        for layer in layers:
            for tensor in model.layers[layer].outputs:
                if tensor not in tensors:
                    continue
                boxes = share_boxes(model, demand, layer, tensor, by_layer[layer], features=features)
                owners[tensor] = {device: (box,) for device, box in boxes.items()}
                for device, box in boxes.items():
                    wanted.setdefault(device, {})[tensor] = box
        runs = {device: (wanted[device],) for device in devices if device in wanted}
        groups.append(Group(layers=tuple(layers), runs=runs))
    return Scheme(
        policy=policy,
        model_digest=model.digest,
        devices=devices,
        groups=tuple(groups),
        owners=owners,
        via=dict.fromkeys(owners, CONTROLLER) if via_controller else {},
    )


def shares_by_layer(flc: Sequence[Sequence[int]], group_shares: Sequence[Shares]) -> list[Shares]:
    """The shares of each layer, from those of its group."""
    by_layer = {layer: shares for layers, shares in zip(flc, group_shares, strict=True) for layer in layers}
    return [by_layer[layer] for layer in range(len(by_layer))]


def share_boxes(  # noqa: PLR0913 - what is shared out, to whom, and how
    model: Model, demand: Demand, layer: int, tensor: str, shares: Shares, *, features: bool = False
) -> dict[str, Box]:
    """The box of `tensor`, an output of `layer`, that each device owns; devices without one are left out."""
    whole = Box.whole(model.tensors[tensor].shape)
    axis = split_axis(demand, layer)
    if axis is None or (splits_features(model, layer) and not features):
        return {max(shares, key=lambda device: shares[device]): whole}
    intervals = split_extent(whole.shape[axis], tuple(shares.values()))
    return {
        device: whole.replace(axis, (low, high))
        for device, (low, high) in zip(shares, intervals, strict=True)
        if low < high
    }


def exported_tensors(model: Model, flc: Sequence[Sequence[int]]) -> tuple[frozenset[str], ...]:
    """For each group, the tensors that another group or the caller reads."""
    group_of = {layer: index for index, layers in enumerate(flc) for layer in layers}
    readers: dict[str, set[int]] = {}
    for layer, group in group_of.items():
        for tensor in model.layers[layer].inputs:
            readers.setdefault(tensor, set()).add(group)
    outputs = {port.name for port in model.outputs}
    return tuple(
        frozenset(
            tensor
            for layer in layers
            for tensor in model.layers[layer].outputs
            if tensor in outputs or readers.get(tensor, set()) - {index}
        )
        for index, layers in enumerate(flc)
    )
