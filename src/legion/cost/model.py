"""Predicted seconds of everything that a program does."""

from collections.abc import Mapping
from dataclasses import dataclass

from legion.cost.layer_cost import ExtentCurve, Saving
from legion.cost.link_cost import Link, Ports, between
from legion.geometry.box import Box
from legion.geometry.segment import Segment
from legion.plan.scheme import CONTROLLER

_MOST_SAVED = 0.8
"""Of a layer's seconds: what is saved is the way of its output out of the engine, never the work."""


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

    `curves` gives each device one curve per layer, each holding the device's `call_s`, which a run takes once, however
    many layers it has. `image_item_bytes` has an entry for each tensor of rank 4 or more, and `savings` is what bytes
    of these save that never leave a segment. `variation` is by how much a device's runs differ from frame to frame:
    the standard deviation as a fraction of the seconds. What copying and handling take has an entry for the controller
    too, which is taken to copy as fast as the fastest device, and at once. Its own ports may be faster than theirs,
    whose links say what a message fills of them. Between devices messages take `exchange_s` longer than these ports
    say, where it is negative shorter.
    """

    layers: tuple[LayerShape, ...]
    image_item_bytes: Mapping[str, int]
    curves: Mapping[str, tuple[ExtentCurve, ...]]
    call_s: Mapping[str, float]
    savings: Mapping[str, Saving]
    variation: Mapping[str, float]
    ports: Mapping[str, Ports]
    assembling_s: Mapping[str, float]
    copy_bytes_per_s: Mapping[str, float]
    handling_s: Mapping[str, float]
    exchange_s: float = 0.0

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self.curves)

    @property
    def feeding_s_per_byte(self) -> float | None:
        """What a byte fills of the controller's way out, where that is faster than the way to some device."""
        inward = [ports.inward for ports in self.ports.values()]
        faster = [link.outward_fraction * link.seconds_per_byte for link in inward if link.outward_fraction < 1]
        return min(faster, default=None)

    def layer_s(self, device: str, layer: int, box: Box) -> float:
        """One layer by itself on a box of its (first) output: by its extent on the split axis, else in proportion."""
        shape = self.layers[layer]
        if shape.axis is None:
            extent = 1
        else:
            low, high = box.intervals[shape.axis]
            extent = high - low
        return self.curves[device][layer].at(extent) * (box.volume * shape.extent) / (shape.volume * extent)

    def run_s(self, device: str, segment: Segment) -> float:
        """All layers of a segment, each on the box that is computed, less what they save by running as one."""
        total_s = self.call_s[device]
        for layer in segment.layers:
            box = self._box(layer, segment)
            computing_s = self.computing_s(device, self.layer_s(device, layer, box))
            fraction = box.volume / self.layers[layer].volume
            total_s += computing_s - self.saved_s(device, computing_s, self._kept_bytes(layer, segment), fraction)
        return total_s

    def kept_bytes(self, segment: Segment) -> int:
        """Bytes of images that never leave the segment."""
        return sum(self._kept_bytes(layer, segment) for layer in segment.layers)

    def computing_s(self, device: str, alone_s: float) -> float:
        """What a layer that takes `alone_s` by itself adds to a run."""
        return max(0.0, alone_s - self.call_s[device])

    def saved_s(self, device: str, computing_s: float, kept_bytes: float, fraction: float) -> float:
        """What a layer that adds `computing_s` saves when so many bytes of its output stay inside its segment.

        `fraction` of the layer is computed.
        """
        return min(kept_bytes * self.savings[device].at(fraction), _MOST_SAVED * computing_s)

    def copy_s(self, node: str, size_bytes: int) -> float:
        """Copying within the node's memory, to assemble an input or to encode a message."""
        return self.assembling_s[node] + size_bytes / self.copy_bytes_per_s[node]

    def message_s(self, node: str) -> float:
        """Handling one message, whatever its size: a sender is busy with it, and a reader has it so much later."""
        return self.handling_s[node]

    def link(self, source: str, destination: str) -> Link:
        """The way from one node to another."""
        if source == CONTROLLER:
            return self.ports[destination].inward
        if destination == CONTROLLER:
            return self.ports[source].outward
        return between(self.ports[source], self.ports[destination], self.exchange_s)

    def _kept_bytes(self, layer: int, segment: Segment) -> int:
        kept = [tensor for tensor in self.layers[layer].outputs if tensor not in segment.outputs]
        return sum(
            segment.boxes[tensor].volume * self.image_item_bytes.get(tensor, 0)
            for tensor in kept
            if tensor in segment.boxes
        )

    def _box(self, layer: int, segment: Segment) -> Box:
        return next(segment.boxes[tensor] for tensor in self.layers[layer].outputs if tensor in segment.boxes)
