"""Predicted seconds of everything that a program does, from a profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from legion.cost.layer_cost import ExtentCurve
from legion.cost.link_cost import Link, Ports, between, fit_ports
from legion.errors import InputError
from legion.geometry.box import Box
from legion.geometry.demand import Demand
from legion.geometry.segment import Segment
from legion.geometry.splitting import split_axis
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.plan.scheme import CONTROLLER
from legion.profile.probes import measurable, whole_extent
from legion.profile.samples import DeviceProfile, Profile
from legion.profile.statistics import seconds_by_extent

_HANDLINGS_PER_ROUND_TRIP = 4
"""Two messages, each handled at both ends; on a fast network that is nearly all of a round trip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """A layer's outputs and how they may be split; `axis` is None and `extent` 1 where they stay whole."""

    outputs: tuple[str, ...]
    axis: int | None
    extent: int
    volume: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """What running, copying and sending takes on the devices of a plan, for one model.

    `curves` gives each device one curve per layer. `copy_bytes_per_s` and `handling_s` have an entry for the controller
    too, which is taken to be as fast as the fastest device; its ports are as fast as the other end's.
    """

    layers: tuple[LayerShape, ...]
    curves: Mapping[str, tuple[ExtentCurve, ...]]
    ports: Mapping[str, Ports]
    copy_bytes_per_s: Mapping[str, float]
    handling_s: Mapping[str, float]

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self.curves)

    def layer_s(self, device: str, layer: int, box: Box) -> float:
        """One layer on a box of its (first) output: by its extent on the split axis, in proportion on the others."""
        shape = self.layers[layer]
        if shape.axis is None:
            extent = 1
        else:
            low, high = box.intervals[shape.axis]
            extent = high - low
        return self.curves[device][layer].at(extent) * (box.volume * shape.extent) / (shape.volume * extent)

    def run_s(self, device: str, segment: Segment) -> float:
        """All layers of a segment, each on the box that is computed."""
        return sum(self.layer_s(device, layer, self._box(layer, segment)) for layer in segment.layers)

    def copy_s(self, node: str, size_bytes: int) -> float:
        """Copying within the node's memory, to assemble an input or to encode a message."""
        return size_bytes / self.copy_bytes_per_s[node]

    def message_s(self, node: str) -> float:
        """Processor time for handing one message over, whatever its size."""
        return self.handling_s[node]

    def link(self, source: str, destination: str) -> Link:
        """The way from one node to another."""
        if source == CONTROLLER:
            return self.ports[destination].inward
        if destination == CONTROLLER:
            return self.ports[source].outward
        return between(self.ports[source], self.ports[destination])

    def _box(self, layer: int, segment: Segment) -> Box:
        return next(segment.boxes[tensor] for tensor in self.layers[layer].outputs if tensor in segment.boxes)


def cost_model(model: Model, demand: Demand, profile: Profile, devices: Sequence[str]) -> CostModel:
    """The cost model of `devices`, in that order, from their samples.

    A layer whose shapes depend on data can't be measured beforehand and is counted as free, on whichever device it
    runs. Raises InputError where a device or one of its measurements is missing.
    """
    missing = [device for device in devices if device not in profile.devices]
    if missing:
        raise InputError(f"The profile lacks device {', '.join(missing)}: run `legion profile` with it.")
    profiles = {device: profile.devices[device] for device in devices}
    copy_bytes_per_s = {device: measured.copy_bytes_per_s for device, measured in profiles.items()}
    handling_s = {device: measured.round_trip_s / _HANDLINGS_PER_ROUND_TRIP for device, measured in profiles.items()}
    return CostModel(
        layers=tuple(_layer_shape(model, demand, layer) for layer in range(len(model.layers))),
        curves={device: _curves(model, device, measured) for device, measured in profiles.items()},
        ports={device: fit_ports(measured) for device, measured in profiles.items()},
        copy_bytes_per_s={**copy_bytes_per_s, CONTROLLER: max(copy_bytes_per_s.values())},
        handling_s={**handling_s, CONTROLLER: min(handling_s.values())},
    )


def _layer_shape(model: Model, demand: Demand, layer: int) -> LayerShape:
    outputs = model.layers[layer].outputs
    return LayerShape(
        outputs=outputs,
        axis=split_axis(demand, layer),
        extent=whole_extent(model, demand, layer),
        volume=max(1, Box.whole(model.tensors[outputs[0]].shape).volume),
    )


def _curves(model: Model, device: str, profile: DeviceProfile) -> tuple[ExtentCurve, ...]:
    points = seconds_by_extent(profile)
    curves: list[ExtentCurve] = []
    for index, layer in enumerate(model.layers):
        if not measurable(model, index):
            curves.append(ExtentCurve(extents=(0, 1), seconds=(0.0, 0.0)))
            continue
        key = layer_signature(model, index)
        if key not in points:
            raise InputError(
                f"Device {device} has no samples of layer {layer.name}: run `legion profile` on {model.name}."
            )
        curves.append(ExtentCurve.through(points[key]))
    return tuple(curves)
