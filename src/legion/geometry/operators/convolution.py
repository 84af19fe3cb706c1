"""Conv: windows on the spatial axes, weights by output channel, groups kept whole."""

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.rule import Demanded, Rule
from legion.geometry.operators.window import pads_of, spatial_demand, spatial_tiles, window_attributes, windows_of
from legion.geometry.site import Site


class Convolution(Rule):
    """Input (batch, channels, *spatial), weights (output channels, channels / groups, *kernel), bias.

    Demands `[lo*stride - pad, (hi-1)*stride - pad + dilation*(kernel-1) + 1)` on each spatial axis.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        weights = site.shape(1)
        kernel = site.integers("kernel_shape", weights[2:])
        self._weights = Box.whole(weights)
        self._windows = windows_of(site, kernel)
        self._channels = ChannelGroups(site.integer("group", 1), weights[1], weights[0] // site.integer("group", 1))

    def demand(self, box: Box) -> Demanded:
        channels = self._channels
        groups = channels.groups_of(box.intervals[1])
        outputs = channels.computed(box.intervals[1])
        demanded = Box((box.intervals[0], channels.inputs_of(groups), *spatial_demand(self._windows, box)))
        bias = Box((outputs,)) if self.site.given(2) else None
        return (demanded, self._weights.replace(0, outputs), bias)[: len(self.site.inputs)]

    def local(self, box: Box, emitter: Emitter) -> None:
        tiles = spatial_tiles(self._windows, box)
        groups = self._channels.groups_of(box.intervals[1])
        computed = Box(
            (
                box.intervals[0],
                self._channels.computed(box.intervals[1]),
                *(tile.computed for tile in tiles),
            )
        )
        emitter.emit_cropped(
            "Conv",
            emitter.inputs,
            {**window_attributes(self._windows, pads_of(tiles)), "group": groups[1] - groups[0]},
            computed=computed,
            wanted=box,
        )


class ChannelGroups:
    """How output channels stand to the groups of a grouped convolution, and these to input channels."""

    def __init__(self, count: int, inputs_per_group: int, outputs_per_group: int) -> None:
        self.count = count
        self._inputs = inputs_per_group
        self._outputs = outputs_per_group

    def groups_of(self, outputs: Interval) -> Interval:
        """The groups that these output channels are in."""
        return outputs[0] // self._outputs, -(-outputs[1] // self._outputs)

    def inputs_of(self, groups: Interval) -> Interval:
        """The input channels of these groups."""
        return groups[0] * self._inputs, groups[1] * self._inputs

    def computed(self, outputs: Interval) -> Interval:
        """The output channels to compute: within one group those asked for, else all of each group."""
        low, high = self.groups_of(outputs)
        return outputs if high - low == 1 else (low * self._outputs, high * self._outputs)
