"""DepthToSpace and SpaceToDepth on (batch, channels, rows, columns)."""

from legion.geometry.box import Box, Interval
from legion.geometry.emitter import Emitter
from legion.geometry.operators.rule import Demanded, Rule
from legion.geometry.site import Site


class DepthToSpace(Rule):
    """Blocks of channels become blocks of rows and columns.

    Channels split in CRD order, where those of one output channel are neighbours; in DCR order all are demanded.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._block = site.integer("blocksize", 1)
        self._neighbours = site.text("mode", "DCR") == "CRD"

    def demand(self, box: Box) -> Demanded:
        batch, channels, rows, columns = box.intervals
        area = self._block**2
        depth = (channels[0] * area, channels[1] * area) if self._neighbours else (0, self.site.shape(0)[1])
        return (Box((batch, depth, self._blocks(rows), self._blocks(columns))),)

    def local(self, box: Box, emitter: Emitter) -> None:
        batch, channels, *spatial = box.intervals
        rows, columns = (_scaled(self._blocks(interval), self._block) for interval in spatial)
        kept = channels if self._neighbours else (0, self.site.output.shape[1])
        computed = Box((batch, kept, rows, columns))
        operator = emitter.operator
        emitter.emit_cropped(operator.op_type, emitter.inputs, operator.attributes, computed=computed, wanted=box)

    def _blocks(self, interval: Interval) -> Interval:
        return interval[0] // self._block, -(-interval[1] // self._block)


class SpaceToDepth(Rule):
    """Blocks of rows and columns become blocks of channels; all channels are computed, and cut."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._block = site.integer("blocksize", 1)

    def demand(self, box: Box) -> Demanded:
        batch, _, rows, columns = box.intervals
        depth = (0, self.site.shape(0)[1])
        return (Box((batch, depth, _scaled(rows, self._block), _scaled(columns, self._block))),)

    def local(self, box: Box, emitter: Emitter) -> None:
        operator = emitter.operator
        computed = box.replace(1, (0, self.site.output.shape[1]))
        emitter.emit_cropped(operator.op_type, emitter.inputs, operator.attributes, computed=computed, wanted=box)


def _scaled(interval: Interval, factor: int) -> Interval:
    return interval[0] * factor, interval[1] * factor
