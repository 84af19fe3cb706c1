"""A cost model and the demand of one network as arrays, for searches that price thousands of plans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from legion.cost.link_cost import Link
from legion.cost.model import CostModel
from legion.geometry.box import Box
from legion.geometry.build import build_segment
from legion.geometry.demand import Boxes, Demand
from legion.geometry.splitting import sharing_axis, splits_features
from legion.model.model import Model
from legion.model.signature import layer_signature
from legion.plan.scheme import CONTROLLER
from legion.profile.extents import weights_bytes

Array = NDArray[np.float64]
Places = NDArray[np.int64]

_NO_LINK = Link(latency_s=0.0, seconds_per_byte=0.0)
"""From a node to itself."""

_AMPLE = 9
"""So many times a network's weights and tensors no plan takes of one device: as a file, and in each of eight parts."""

_LEAST_S = 1e-12
"""Keeps a network whose layers are all counted as free from dividing by zero."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edge:
    """A tensor that a layer reads: an output of the layer `source`, or, from the number of layers on, a model's input.

    The interval a..b of the reader demands `low[a]`..`high[b]` of the source; both are (reader's extent + 1,).
    """

    source: int
    low: Places
    high: Places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Everything that prices a plan in which each layer is shared out along one axis.

    Sources are the layers, then the model's inputs; nodes are the devices, then the controller. `extents` and
    `bytes_per_unit` are by source, a unit being one element of the axis. `seconds[layer]` is (device, extent + 1): what
    so many units add to a run. `saved_s[layer]` is alike: what so many units save that never leave their group.
    `breadths` is by layer: the fraction of a unit that the model's outputs need, since some columns may be read by no
    one. `call_s` is by device: what a run takes besides its layers. `constant_bytes` are the weights of each layer, of
    which a device has all, or as large a part as of the layer's units where `splits_constants`. `memory_bytes` is by
    device, infinite where it is ample or unknown. `message_s`, `assembling_s` and `copy_s_per_byte` are by node,
    `latency_s`, `seconds_per_byte`, `burst_s`, which a burst would take at the link's rate, and the fractions of a
    message's time for which it fills the ports, (source node, destination node).
    """

    devices: tuple[str, ...]
    extents: Places
    bytes_per_unit: Array
    seconds: tuple[Array, ...]
    saved_s: tuple[Array, ...]
    breadths: Array
    edges: tuple[tuple[Edge, ...], ...]
    is_output: NDArray[np.bool_]
    call_s: Array
    constant_bytes: Array
    splits_constants: NDArray[np.bool_]
    memory_bytes: Array
    message_s: Array
    assembling_s: Array
    copy_s_per_byte: Array
    latency_s: Array
    seconds_per_byte: Array
    burst_s: Array
    outward_fraction: Array
    inward_fraction: Array

    @property
    def layers(self) -> int:
        return len(self.seconds)

    @property
    def is_fed(self) -> NDArray[np.bool_]:
        """By layer, whether it reads an input of the model."""
        return np.array([any(edge.source >= self.layers for edge in edges) for edges in self.edges])

    @property
    def least_whole_s(self) -> Array:
        """Seconds of each whole layer on the device that is fastest there."""
        return np.array([seconds[:, -1].min() for seconds in self.seconds])

    @property
    def speeds(self) -> Array:
        """Whole models per second of each device, if it ran every layer alone."""
        return 1.0 / np.maximum(np.sum([seconds[:, -1] for seconds in self.seconds], axis=0), _LEAST_S)


def build_tables(
    model: Model,
    demand: Demand,
    cost: CostModel,
    devices: Sequence[str],
    memory_bytes: Mapping[str, float] | None = None,
) -> Tables:
    """The tables of a model on some devices of its cost model; the order is that of the tiles.

    Devices of which `memory_bytes` does not tell have room for everything.
    """
    nodes = (*devices, CONTROLLER)
    links = [[cost.link(one, other) if one != other else _NO_LINK for other in nodes] for one in nodes]
    inputs = [port.name for port in model.inputs]
    input_shapes = [model.tensors[name].shape for name in inputs]
    extents = [shape.extent for shape in cost.layers]
    extents += [1 if (axis := sharing_axis(shape)) is None else shape[axis] for shape in input_shapes]
    sizes = [sum(model.tensors[tensor].size_bytes for tensor in layer.outputs) for layer in model.layers]
    sizes += [model.tensors[name].size_bytes for name in inputs]
    outputs = {port.name for port in model.outputs}
    seconds = tuple(_seconds(cost, devices, layer) for layer in range(len(model.layers)))
    constant_bytes = [weights_bytes(model, layer) for layer in range(len(model.layers))]
    limits = [(memory_bytes or {}).get(device, inf) for device in devices]
    ample_bytes = _AMPLE * (sum(constant_bytes) + sum(sizes))
    return Tables(
        devices=tuple(devices),
        extents=np.array(extents),
        bytes_per_unit=np.array(sizes, dtype=np.float64) / extents,
        seconds=seconds,
        saved_s=tuple(_saved(model, cost, devices, layer, seconds[layer]) for layer in range(len(model.layers))),
        breadths=_breadths(model, demand, cost),
        edges=_Edges(model, demand, cost, extents).all(),
        is_output=np.array([not outputs.isdisjoint(layer.outputs) for layer in model.layers]),
        call_s=np.array([cost.call_s[device] for device in devices]),
        constant_bytes=np.array(constant_bytes, dtype=np.float64),
        splits_constants=np.array([splits_features(model, layer) for layer in range(len(model.layers))]),
        memory_bytes=np.array([limit if limit < ample_bytes else inf for limit in limits]),
        message_s=np.array([cost.message_s(node) for node in nodes]),
        assembling_s=np.array([cost.assembling_s[node] for node in nodes]),
        copy_s_per_byte=np.array([1.0 / cost.copy_bytes_per_s[node] for node in nodes]),
        latency_s=np.array([[link.latency_s for link in row] for row in links]),
        seconds_per_byte=np.array([[link.seconds_per_byte for link in row] for row in links]),
        burst_s=np.array([[link.burst_s for link in row] for row in links]),
        outward_fraction=np.array([[link.outward_fraction for link in row] for row in links]),
        inward_fraction=np.array([[link.inward_fraction for link in row] for row in links]),
    )


def _seconds(cost: CostModel, devices: Sequence[str], layer: int) -> Array:
    units = np.arange(cost.layers[layer].extent + 1)
    return np.array(
        [[cost.computing_s(device, cost.curves[device][layer].at(int(unit))) for unit in units] for device in devices]
    )


def _saved(model: Model, cost: CostModel, devices: Sequence[str], layer: int, seconds: Array) -> Array:
    image_bytes = sum(
        Box.whole(model.tensors[tensor].shape).volume * cost.image_item_bytes.get(tensor, 0)
        for tensor in model.layers[layer].outputs
    )
    extent = cost.layers[layer].extent
    fractions = [units / extent for units in range(extent + 1)]
    return np.array(
        [
            [
                cost.saved_s(device, float(computing_s), fraction * image_bytes, fraction)
                for fraction, computing_s in zip(fractions, row, strict=True)
            ]
            for device, row in zip(devices, seconds, strict=True)
        ]
    )


def _breadths(model: Model, demand: Demand, cost: CostModel) -> Array:
    made = {tensor for layer in model.layers for tensor in layer.outputs}
    wholes = {port.name: Box.whole(port.type.shape) for port in model.outputs if port.name in made}
    boxes = build_segment(demand, range(len(model.layers)), wholes).boxes
    breadths: list[float] = []
    for shape in cost.layers:
        box = next((boxes[tensor] for tensor in shape.outputs if tensor in boxes), None)
        if box is None:
            breadths.append(0.0)
            continue
        low, high = (0, 1) if shape.axis is None else box.intervals[shape.axis]
        breadths.append(box.volume / (high - low) / (shape.volume / shape.extent))
    return np.array(breadths)


class _Edges:
    """Demand along the axes of sharing, tabulated once for all layers of the same signature."""

    def __init__(self, model: Model, demand: Demand, cost: CostModel, extents: Sequence[int]) -> None:
        self._model = model
        self._demand = demand
        self._cost = cost
        self._extents = extents
        self._sources = {tensor: index for index, layer in enumerate(model.layers) for tensor in layer.outputs} | {
            port.name: len(model.layers) + index for index, port in enumerate(model.inputs)
        }
        self._known: dict[tuple[object, ...], tuple[Edge, ...]] = {}

    def all(self) -> tuple[tuple[Edge, ...], ...]:
        """The edges of each layer."""
        return tuple(self._of(layer) for layer in range(len(self._model.layers)))

    def _of(self, layer: int) -> tuple[Edge, ...]:
        inputs = self._model.layers[layer].inputs
        key = (layer_signature(self._model, layer), *(self._axis(tensor) for tensor in inputs))
        edges = self._known.get(key)
        if edges is None:
            edges = self._known[key] = self._tabulated(layer)
        return tuple(
            Edge(source=self._sources[tensor], low=edge.low, high=edge.high)
            for tensor, edge in zip(inputs, edges, strict=True)
        )

    def _tabulated(self, layer: int) -> tuple[Edge, ...]:
        shape = self._cost.layers[layer]
        whole = {tensor: Box.whole(self._model.tensors[tensor].shape) for tensor in shape.outputs}
        if shape.axis is None or splits_features(self._model, layer):
            needed = [self._demand.layer(layer, whole)] * shape.extent
        else:
            [(tensor, box)] = whole.items()
            units = ((unit, unit + 1) for unit in range(shape.extent))
            needed = [self._demand.layer(layer, {tensor: box.replace(shape.axis, unit)}) for unit in units]
        return tuple(self._edge(tensor, needed) for tensor in self._model.layers[layer].inputs)

    def _edge(self, tensor: str, needed: Sequence[Boxes]) -> Edge:
        """From what each unit demands: lows fall, and highs rise, with the interval."""
        intervals = np.array([self._interval(tensor, boxes) for boxes in needed])
        low = np.minimum.accumulate(intervals[::-1, 0])[::-1]
        high = np.maximum.accumulate(intervals[:, 1])
        return Edge(source=self._sources[tensor], low=np.append(low, low[-1]), high=np.append(high[0], high))

    def _interval(self, tensor: str, boxes: Boxes) -> tuple[int, int]:
        extent = self._extents[self._sources[tensor]]
        axis = self._axis(tensor)
        box = boxes.get(tensor)
        if box is None:
            return extent, 0
        return (0, extent) if axis is None else box.intervals[axis]

    def _axis(self, tensor: str) -> int | None:
        source = self._sources[tensor]
        if source < len(self._model.layers):
            return self._cost.layers[source].axis
        return sharing_axis(self._model.tensors[tensor].shape)
