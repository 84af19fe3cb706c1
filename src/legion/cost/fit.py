"""From a profile to the cost model of one network on its devices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from legion.cost.layer_cost import ExtentCurve
from legion.cost.link_cost import fit_ports
from legion.cost.model import CostModel, LayerShape
from legion.errors import InputError
from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment
from legion.geometry.splitting import split_axis
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.plan.scheme import CONTROLLER
from legion.profile.extents import measurable, whole_extent
from legion.profile.joined import IMAGE_RANK, joined_layers
from legion.profile.probes import CALL
from legion.profile.samples import DeviceProfile, Profile
from legion.profile.statistics import Point, Points, pooled_seconds, variations

Array = NDArray[np.float64]

_LEAST_VARIATION = 0.05
"""Where runs hardly vary, or were not repeated, the model is no better than this."""

FREE = ExtentCurve(extents=(0, 1), seconds=(0.0, 0.0))
"""Of a layer whose shapes depend on data."""


def cost_model(model: Model, demand: Demand, profile: Profile, devices: Sequence[str]) -> CostModel:
    """The cost model of `devices`, in that order, from their samples.

    A layer whose shapes depend on data can't be measured beforehand and is counted as free, on whichever device it
    runs. Raises InputError where a device or one of its measurements is missing.
    """
    pooled = pooled_seconds(profile.devices)
    points = {device: pooled[device] for device in profiles_of(profile, devices)}
    curves = {device: _curves(model, device, measured) for device, measured in points.items()}
    call_s = {device: _measured(model, device, points[device], CALL)[0].seconds for device in points}
    separate = replace(model_of_curves(model, demand, profile, curves), call_s=call_s)
    varying = variations(profile.devices)
    variation = {device: varying[device] for device in points}
    together = joined_layers(model, demand)
    saved: dict[str, float] = {}
    for device, measured in points.items():
        joined = [(each.segment, _measured(model, device, measured, each.key)[0]) for each in together]
        saved[device] = _saved_s_per_byte(separate, device, joined, variation[device])
    return replace(separate, saved_s_per_byte=saved, variation=variation)


def profiles_of(profile: Profile, devices: Sequence[str]) -> Mapping[str, DeviceProfile]:
    """The profiles of `devices`, in that order. Raises InputError where one is missing."""
    missing = [device for device in devices if device not in profile.devices]
    if missing:
        raise InputError(f"The profile lacks device {', '.join(missing)}: run `legion profile` with it.")
    return {device: profile.devices[device] for device in devices}


def model_of_curves(
    model: Model, demand: Demand, profile: Profile, curves: Mapping[str, tuple[ExtentCurve, ...]]
) -> CostModel:
    """The cost model of the devices that have curves, where nothing is saved by running layers as one, or varies.

    A run is its layers, no more.
    """
    profiles = profiles_of(profile, tuple(curves))
    copy_bytes_per_s = {device: measured.copy_bytes_per_s for device, measured in profiles.items()}
    handling_s = {device: measured.handling_s for device, measured in profiles.items()}
    return CostModel(
        layers=tuple(_layer_shape(model, demand, layer) for layer in range(len(model.layers))),
        image_item_bytes={
            tensor: np.dtype(kind.dtype).itemsize
            for tensor, kind in model.tensors.items()
            if len(kind.shape) >= IMAGE_RANK
        },
        curves=curves,
        call_s=dict.fromkeys(curves, 0.0),
        saved_s_per_byte=dict.fromkeys(curves, 0.0),
        variation=dict.fromkeys(curves, 0.0),
        ports={device: fit_ports(measured) for device, measured in profiles.items()},
        copy_bytes_per_s={**copy_bytes_per_s, CONTROLLER: max(copy_bytes_per_s.values())},
        handling_s={**handling_s, CONTROLLER: median(each.controller_handling_s for each in profiles.values())},
    )


def _layer_shape(model: Model, demand: Demand, layer: int) -> LayerShape:
    outputs = model.layers[layer].outputs
    return LayerShape(
        outputs=outputs,
        axis=split_axis(demand, layer),
        extent=whole_extent(model, demand, layer),
        volume=max(1, Box.whole(model.tensors[outputs[0]].shape).volume),
    )


def _curves(model: Model, device: str, points: Points) -> tuple[ExtentCurve, ...]:
    return tuple(
        _curve(_measured(model, device, points, layer_signature(model, index))) if measurable(model, index) else FREE
        for index in range(len(model.layers))
    )


def _saved_s_per_byte(
    separate: CostModel, device: str, joined: Sequence[tuple[Segment, Point]], variation: float
) -> float:
    """What layers run as one save against each by itself, per byte of what stays between them; never below zero.

    The mean over what was measured together, by how sure each is: runs vary, and so does what single joints save.
    """
    rates: list[float] = []
    squared_errors: list[float] = []
    joints: list[int] = []
    for segment, point in joined:
        # Samples hold no step of a program, which a run counts.
        apart_s = separate.run_s(device, segment) - separate.message_s(device)
        if kept_bytes := separate.kept_bytes(segment):
            rates.append((apart_s - point.seconds) / kept_bytes)
            squared_errors.append((max(variation, _LEAST_VARIATION) * point.seconds / kept_bytes) ** 2 / point.runs)
            joints.append(len(segment.layers) - 1)
    return max(0.0, _mean_effect(np.array(rates), np.array(squared_errors), np.array(joints))) if rates else 0.0


def _mean_effect(effects: Array, squared_errors: Array, counts: Array) -> float:
    """The mean of effects that were measured with errors and differ in truth, too: DerSimonian and Laird (1986).

    An effect that is itself the mean of several differs so much less.
    """
    weights = 1 / squared_errors
    squares = float(weights @ (effects - np.average(effects, weights=weights)) ** 2)
    freedom = weights.sum() - weights @ weights / weights.sum()
    variance = max(0.0, squares - (len(effects) - 1)) / max(freedom, 1e-300)
    return float(np.average(effects, weights=1 / (squared_errors + variance / counts)))


def _curve(points: Sequence[Point]) -> ExtentCurve:
    return ExtentCurve.through([(point.extent, point.seconds) for point in points])


def _measured(model: Model, device: str, points: Points, key: str) -> Sequence[Point]:
    measured = points.get(key)
    if measured is None:
        raise InputError(f"Device {device} lacks samples of layers of {model.name}: run `legion profile` for it.")
    return measured
