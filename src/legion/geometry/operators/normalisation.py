"""Operators that take statistics over whole axes, and LRN over neighbouring channels."""

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.rule import Demanded, Rule, Whole, WholeAxes, broadcast_demand
from legion.geometry.site import Site


class LayerNormalization(WholeAxes):
    """Statistics over the axes from `axis` on; scale and bias are broadcast over them."""

    def __init__(self, site: Site) -> None:
        rank = len(site.output.shape)
        super().__init__(site, range(site.integer("axis", -1) % rank, rank))

    def parameters(self, computed: Box) -> Demanded:
        return tuple(
            None if tensor is None else broadcast_demand(computed, tensor.shape) for tensor in self.site.inputs[1:]
        )


class InstanceNormalization(WholeAxes):
    """Statistics over the spatial axes of each channel; scale and bias per channel."""

    def __init__(self, site: Site) -> None:
        super().__init__(site, range(2, len(site.output.shape)))

    def parameters(self, computed: Box) -> Demanded:
        channels = Box((computed.intervals[1],))
        return channels, channels


def group_normalisation(site: Site) -> Rule:
    """Statistics over groups of channels: each batch element on its own, the rest whole."""
    return WholeAxes(site, range(1, len(site.output.shape)))


def along_axis(site: Site) -> Rule:
    """Softmax and its kin: all of one axis, the last one unless named."""
    return WholeAxes(site, (site.integer("axis", -1),))


def mean_variance_normalisation(site: Site) -> Rule:
    """MeanVarianceNormalization over the axes that it names."""
    return WholeAxes(site, site.integers("axes", (0, 2, 3)))


def cumulative_sum(site: Site) -> Rule:
    """CumSum along a constant axis."""
    axis = site.value(1)
    return Whole(site) if axis is None else WholeAxes(site, (int(axis.reshape(())),))


class LocalResponseNormalization(Rule):
    """LRN: each channel divided by a sum over `size` channels around it."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        size = site.integer("size", 1)
        self._before, self._after = (size - 1) // 2, size // 2
        self._channels = site.shape(0)[1]

    def demand(self, box: Box) -> Demanded:
        return (self._widened(box),)

    def local(self, box: Box, emitter: Emitter) -> None:
        attributes = emitter.operator.attributes
        emitter.emit_cropped("LRN", emitter.inputs, attributes, computed=self._widened(box), wanted=box)

    def _widened(self, box: Box) -> Box:
        low, high = box.intervals[1]
        channels: Interval = (max(0, low - self._before), min(self._channels, high + self._after))
        return box.replace(1, channels)
