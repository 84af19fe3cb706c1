"""ConvTranspose: each input element is spread over a window of the output."""

from dataclasses import dataclass

import numpy as np

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.convolution import ChannelGroups
from legion.geometry.operators.rule import Demanded, Rule
from legion.geometry.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    """Zeros to add around the demanded inputs, and outputs to cut from what they spread over."""

    zeros: Interval
    pads: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """One axis: input i reaches outputs `i*stride - before + k*dilation` for k below `kernel`."""

    kernel: int
    stride: int
    dilation: int
    before: int
    extent: int

    @property
    def reach(self) -> int:
        return self.dilation * (self.kernel - 1) + 1

    def demand(self, interval: Interval) -> Interval:
        """The inputs that reach these outputs, or the nearest one where none does."""
        low = -(-(interval[0] + self.before - self.reach + 1) // self.stride)
        high = (interval[1] - 1 + self.before) // self.stride + 1
        low = min(max(low, 0), self.extent - 1)
        return low, max(min(high, self.extent), low + 1)

    def tile(self, interval: Interval) -> _Tile:
        """How to yield these outputs from what `demand` gives."""
        low, high = self.demand(interval)
        first = interval[0] + self.before - low * self.stride
        zeros_before = max(0, -(first // self.stride))
        first += zeros_before * self.stride
        last = first + interval[1] - interval[0]
        count = zeros_before + high - low
        zeros_after = max(0, -(-(last - (count - 1) * self.stride - self.reach) // self.stride))
        spread = (count + zeros_after - 1) * self.stride + self.reach
        return _Tile(zeros=(zeros_before, zeros_after), pads=(first, spread - last))


class TransposedConvolution(Rule):
    """Input (batch, channels, *spatial), weights (channels, output channels / groups, *kernel), bias."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        weights = site.shape(1)
        groups = site.integer("group", 1)
        self._weights = Box.whole(weights)
        self._channels = ChannelGroups(groups, weights[0] // groups, weights[1])
        self._axes = _spreads_of(site, site.integers("kernel_shape", weights[2:]))

    def demand(self, box: Box) -> Demanded:
        outputs = self._channels.computed(box.intervals[1])
        groups = self._channels.groups_of(box.intervals[1])
        inputs = self._channels.inputs_of(groups)
        spatial = (axis.demand(interval) for axis, interval in zip(self._axes, box.intervals[2:], strict=True))
        weights = self._weights.replace(0, inputs)
        if groups[1] - groups[0] == 1:
            start = groups[0] * (self._weights.shape[1])
            weights = weights.replace(1, (outputs[0] - start, outputs[1] - start))
        bias = Box((outputs,)) if self.site.given(2) else None
        return (Box((box.intervals[0], inputs, *spatial)), weights, bias)[: len(self.site.inputs)]

    def local(self, box: Box, emitter: Emitter) -> None:
        tiles = [axis.tile(interval) for axis, interval in zip(self._axes, box.intervals[2:], strict=True)]
        groups = self._channels.groups_of(box.intervals[1])
        computed = box.replace(1, self._channels.computed(box.intervals[1]))
        emitter.emit_cropped(
            "ConvTranspose",
            (self._surrounded(tiles, emitter), *emitter.inputs[1:]),
            {
                "kernel_shape": tuple(axis.kernel for axis in self._axes),
                "strides": tuple(axis.stride for axis in self._axes),
                "dilations": tuple(axis.dilation for axis in self._axes),
                "pads": tuple(tile.pads[0] for tile in tiles) + tuple(tile.pads[1] for tile in tiles),
                "group": groups[1] - groups[0],
            },
            computed=computed,
            wanted=box,
        )

    def _surrounded(self, tiles: list[_Tile], emitter: Emitter) -> str:
        """The input with zeros around it where outputs lie out of all inputs' reach."""
        if not any(sum(tile.zeros) for tile in tiles):
            return emitter.inputs[0]
        before = [0, 0] + [tile.zeros[0] for tile in tiles]
        after = [0, 0] + [tile.zeros[1] for tile in tiles]
        pads = emitter.constant(np.array(before + after, np.int64))
        return emitter.emit("Pad", (emitter.inputs[0], pads))


def _spreads_of(site: Site, kernel: tuple[int, ...]) -> tuple[_Spread, ...]:
    rank = len(kernel)
    strides = site.integers("strides", (1,) * rank)
    dilations = site.integers("dilations", (1,) * rank)
    pads = site.integers("pads", (0,) * (2 * rank))
    extra = site.integers("output_padding", (0,) * rank)
    auto_pad = site.text("auto_pad", "NOTSET")
    derived = auto_pad.startswith("SAME") or "output_shape" in site.operator.attributes
    spreads: list[_Spread] = []
    for axis, extent in enumerate(site.shape(0)[2:]):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        before = 0 if auto_pad == "VALID" else pads[axis]
        if derived:
            surplus = (extent - 1) * strides[axis] + extra[axis] + reach - site.output.shape[axis + 2]
            before = _cut_before(max(0, surplus), upper=auto_pad == "SAME_UPPER")
        spreads.append(
            _Spread(
                kernel=kernel[axis],
                stride=strides[axis],
                dilation=dilations[axis],
                before=before,
                extent=extent,
            )
        )
    return tuple(spreads)


def _cut_before(surplus: int, *, upper: bool) -> int:
    return surplus // 2 if upper else surplus - surplus // 2
