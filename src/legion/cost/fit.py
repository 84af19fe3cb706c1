"""From a profile to the cost model of one network on its devices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from statistics import median

import numpy as np

from legion.cost.layer_cost import NO_SAVING, ExtentCurve
from legion.cost.link_cost import Ports, fit_ports, fraction_of, ring_step_s
from legion.cost.model import CostModel, LayerShape
from legion.cost.saving import with_savings
from legion.errors import InputError
from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.splitting import split_axis
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.plan.scheme import CONTROLLER
from legion.profile.extents import measurable, whole_extent
from legion.profile.joined import IMAGE_RANK, joined_layers
from legion.profile.pooling import Point, Points, once_for_equals, pooled_seconds, variations
from legion.profile.ports import seconds_per_byte
from legion.profile.probes import CALL
from legion.profile.samples import DeviceProfile, Profile

_ONE_END = 0.5
"""What is measured is a message taken in and one handed over; on six emulated boards they take about the same."""

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
    varying = variations(profile.devices)
    cost = replace(
        model_of_curves(model, demand, profile, curves),
        call_s=call_s,
        variation={device: varying[device] for device in points},
    )
    together = joined_layers(model, demand)
    for device, measured in points.items():
        joined = [(each.segment, _measured_at(model, device, measured, each.key, each.extent)) for each in together]
        cost = with_savings(cost, device, joined)
    return cost


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

    def common(figure: Callable[[DeviceProfile], float]) -> dict[str, float]:
        of_all = _of_equals(profile, figure)
        return {device: of_all[device] for device in profiles}

    copy_bytes_per_s = common(lambda each: each.processor.copy_bytes_per_s)
    return CostModel(
        layers=tuple(_layer_shape(model, demand, layer) for layer in range(len(model.layers))),
        image_item_bytes={
            tensor: np.dtype(kind.dtype).itemsize
            for tensor, kind in model.tensors.items()
            if len(kind.shape) >= IMAGE_RANK
        },
        curves=curves,
        call_s=dict.fromkeys(curves, 0.0),
        savings=dict.fromkeys(curves, NO_SAVING),
        variation=dict.fromkeys(curves, 0.0),
        ports=_ports(profile, profiles),
        assembling_s={**common(lambda each: each.processor.assembling_s), CONTROLLER: 0.0},
        copy_bytes_per_s={**copy_bytes_per_s, CONTROLLER: max(copy_bytes_per_s.values())},
        handling_s={
            **common(lambda each: _ONE_END * each.handling_s),
            CONTROLLER: _ONE_END * median(each.controller_handling_s for each in profiles.values()),
        },
        exchange_s=_exchange_s(profile),
    )


def _ports(profile: Profile, measured: Mapping[str, DeviceProfile]) -> Mapping[str, Ports]:
    """These devices' ports; the controller's count as no faster than theirs where they were not measured."""
    controller = {sample.direction: seconds_per_byte(sample) for sample in profile.ports}
    outward_s, inward_s = controller.get("set", inf), controller.get("get", inf)
    ports = {device: fit_ports(each) for device, each in measured.items()}
    return {
        device: each.at_controller(fraction_of(each.inward, outward_s), fraction_of(each.outward, inward_s))
        for device, each in ports.items()
    }


def _exchange_s(profile: Profile) -> float:
    """By how much longer messages take around the ring than the devices' links to the controller say.

    Many at once wait for one another, in switches and, where boards are emulated, for the machine's cores.
    """
    if profile.ring is None:
        return 0.0
    measured = profiles_of(profile, profile.ring.devices)
    handling_s = _of_equals(profile, lambda each: each.handling_s)
    ports = [fit_ports(each) for each in measured.values()]
    expected_s = ring_step_s(ports, [handling_s[device] for device in measured], profile.ring.size_bytes)
    return median(profile.ring.seconds) - expected_s


def _of_equals(profile: Profile, figure: Callable[[DeviceProfile], float]) -> Mapping[str, float]:
    """By device, the median of all that are equal to it."""
    return once_for_equals(lambda equal: median(map(figure, equal)), profile.devices)


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


def _curve(points: Sequence[Point]) -> ExtentCurve:
    return ExtentCurve.through([(point.extent, point.seconds) for point in points])


def _measured(model: Model, device: str, points: Points, key: str) -> Sequence[Point]:
    measured = points.get(key)
    if measured is None:
        raise _lacking(model, device)
    return measured


def _measured_at(model: Model, device: str, points: Points, key: str, extent: int) -> float:
    """Seconds. Other models may have made other tiles of the same layers."""
    seconds = {point.extent: point.seconds for point in _measured(model, device, points, key)}
    if extent not in seconds:
        raise _lacking(model, device)
    return seconds[extent]


def _lacking(model: Model, device: str) -> InputError:
    return InputError(f"Device {device} lacks samples of layers of {model.name}: run `legion profile` for it.")
